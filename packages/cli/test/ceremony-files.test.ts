import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Review } from '../src/ceremony/review.ts';
import { Harness, type Ran, type RunOptions } from './support/harness.ts';

let harness: Harness;
/** The root keys that `tally init` made. */
let quickStart: string[];
const names = ['alice', 'bob', 'carol'] as const;
const at = (name: string): string => harness.path(name);
const now = Date.parse('2027-01-01T00:00:00.000Z');
const run = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  harness.run(['root', ...args], { now, ...options });
const from = (): string[] => ['--from', at('trust-root.json')];
const secret = (name: string): string[] => ['--passphrase-file', at(`${name}.pass`)];
/** One of each algorithm. */
const lines = (name: string): string[] =>
  readFileSync(at(`${name}.sealed.pub`), 'utf8')
    .trim()
    .split('\n');
const idOf = (text: string): string => text.split(' ').at(-1) ?? '';

function passphrase(name: string, mode = 0o600): void {
  writeFileSync(at(`${name}.pass`), `the passphrase of ${name}\n`, { mode });
}

async function reviewOf(proposal: string): Promise<Review> {
  const shown = await run(['show', at(proposal), ...from(), '--json']);
  return (shown.json() as { review: Review }).review;
}

beforeAll(async () => {
  harness = new Harness(null);
  await harness.run(['init', '--data', at('data')], { now });
  copyFileSync(at('data/trust-root.json'), at('trust-root.json'));
  for (const name of names) {
    passphrase(name);
    await run([
      'key',
      '--out',
      at(`${name}.sealed`),
      '--name',
      name,
      ...secret(name),
      '--transcript',
      at('log.txt'),
    ]);
  }
  const keystore = [
    '--of',
    at('data/keys/offline.sealed'),
    '--passphrase-file',
    at('data/secrets/offline.passphrase'),
  ];
  const { out } = await run(['key', ...keystore, '--name', 'quick-start']);
  const made = out.split('\n').filter((line) => line.startsWith('tallystick-root-key'));
  quickStart = made.map(idOf);
  harness.write('people.txt', `# from the people themselves\n${names.flatMap(lines).join('\n')}\n`);
  const added = names.flatMap(lines).map((line) => `    - ${line}\n`);
  const removed = quickStart.map((id) => `    - ${id} # of the quick start\n`);
  harness.write(
    'changes.yaml',
    `version: 2\nexpires: 2027-12-01\nroot:\n  threshold: 4\n  add:\n${added.join('')}  remove:\n${removed.join('')}`,
  );
});
afterAll(() => harness[Symbol.dispose]());

describe('tally root', () => {
  it('makes a key, says its public line, and writes over nothing', async () => {
    expect(statSync(at('alice.sealed')).mode & 0o777).toBe(0o600);
    const before = readFileSync(at('alice.sealed'), 'utf8');
    const again = await run(['key', '--out', at('alice.sealed'), '--name', 'alice', ...secret('alice')]);
    expect([again.code, readFileSync(at('alice.sealed'), 'utf8')]).toEqual([3, before]);
    const shown = await run(['key', '--of', at('alice.sealed'), '--name', 'alice', ...secret('alice')]);
    expect([shown.code, shown.out]).toEqual([0, `${lines('alice').join('\n')}\n`]);
    passphrase('open', 0o644);
    chmodSync(at('open.pass'), 0o644);
    const open = await run(['key', '--out', at('open.sealed'), '--name', 'open', ...secret('open')]);
    expect([open.code, open.err, existsSync(at('open.sealed'))]).toEqual([
      3,
      expect.stringContaining('chmod 600'),
      false,
    ]);
    const typed = (...words: string[]): Promise<Ran> =>
      run(['key', '--out', at('typed.sealed'), '--name', 'typed'], { typed: words });
    expect((await typed('twelve letters', 'twelve Letters')).err).toContain('differ');
    expect((await typed('short', 'short')).err).toContain('at least 12');
    expect((await typed()).err).toContain('--passphrase-file');
    expect((await typed('twelve letters', 'twelve letters')).code).toBe(0);
  });

  it('moves the system of a quick start to 2 of 3 people', async () => {
    const proposal = at('trust-root-2.proposal.json');
    const people = ['--people', at('people.txt')];
    const transcript = ['--transcript', at('log.txt'), '--by', 'the chair'];
    const propose = ['propose', ...from(), '--changes', at('changes.yaml'), '--out', proposal];
    const made = await run([...propose, ...people, ...transcript]);
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('4 of 6 must sign (before: 2 of 2)')]);
    expect(made.out).toMatch(/\+ added {4}[0-9a-f]{16} {2}ed25519 {2}alice\n {13}[0-9a-f]{64}\n/);
    expect(made.out).toMatch(
      /It can lose 2 keys and go on; it takes 2 people to misuse it.\n {2}No algorithm is enough/,
    );
    expect(made.out).toMatch(/Expires: 2027-12-01T00:00:00.000Z \(in 334 days\); before: 203/);
    const review = await reviewOf('trust-root-2.proposal.json');
    expect(review.warnings.map(({ code }) => code)).toEqual([
      'nobody_stays',
      'single_key',
      'quorum_splits',
      'operator_alone',
      'counts_twice',
    ]);
    const sign = (key: string, passphraseFile: string, ...flags: string[]): string[] =>
      ['sign', proposal, ...from(), '--key', at(key), '--passphrase-file', at(passphraseFile)].concat(flags);
    const digits = review.payloadHash.slice(0, 8);
    const wrong = await run(sign('alice.sealed', 'alice.pass'), { typed: ['00000000'] });
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('Nothing was signed')]);
    expect((await run(sign('alice.sealed', 'alice.pass'))).err).toContain('--yes-i-reviewed');
    const other = await run(sign('alice.sealed', 'alice.pass', '--yes-i-reviewed', 'f'.repeat(64)));
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('not what you reviewed')]);
    expect(readdirSync(harness.folder).filter((name) => name.includes('signature'))).toEqual([]);
    expect((await run(sign('alice.sealed', 'alice.pass'), { typed: [digits] })).code).toBe(0);
    const yes = ['--yes-i-reviewed', review.payloadHash, ...transcript];
    expect((await run(sign('bob.sealed', 'bob.pass', ...yes))).code).toBe(0);
    const named = await run(sign('bob.sealed', 'bob.pass', ...yes, '--out', at('bob.json')));
    expect([named.code, named.err]).toEqual([3, expect.stringContaining('Leave --out away')]);
    // Whoever signs again signs the same.
    expect((await run(sign('bob.sealed', 'bob.pass', ...yes))).code).toBe(0);
    const signature = (id: string): string => at(`trust-root-2.${id}.signature.json`);
    const ours = [...lines('alice'), ...lines('bob')].map((line) => signature(idOf(line)));
    const early = await run(['join', proposal, ...ours, ...ours, ...from()]);
    expect([early.code, early.out]).toEqual([1, expect.stringContaining('0 of the 2 that are needed')]);
    expect(existsSync(at('trust-root-2.json'))).toBe(false);
    await run(sign('data/keys/offline.sealed', 'data/secrets/offline.passphrase', ...yes));
    const shown = await run(['show', proposal, ...from(), ...people]);
    expect(shown.out).toMatch(
      /version 2: 4 of the 4 that are needed, enough\n( {2}signed .* alice\n){2}( {2}signed .* bob\n){2}/,
    );
    const old = quickStart.map(signature);
    for (const one of [
      ours.slice(0, 3),
      ours.filter((_, nth) => nth % 2 === 0),
      ours.filter((_, nth) => nth % 2 === 1),
    ])
      expect((await run(['join', proposal, ...one, ...old, ...from()])).code).toBe(1);
    expect((await run(['join', proposal, ...ours, ...old.slice(1), ...from()])).code).toBe(1);
    const joined = await run(['join', proposal, ...ours, ...old, ...from(), ...transcript]);
    expect([joined.code, existsSync(at('trust-root-2.json'))]).toEqual([0, true]);
  });

  it('verifies the whole chain, and tells an older and an expired one', async () => {
    const newer = at('trust-root-2.json');
    const known = (file: string): string[] => ['--known', at(file)];
    const good = await run(['verify', newer, ...known('trust-root.json'), '--people', at('people.txt')]);
    expect([good.code, good.out]).toEqual([0, expect.stringMatching(/^VALID/)]);
    expect(good.out).toMatch(
      /signed by {2}[0-9a-f]{16}, [0-9a-f]{16}(, [0-9a-f]{16} \(alice\)){2}(, [0-9a-f]{16} \(bob\)){2}/,
    );
    expect((await run(['verify', at('trust-root.json'), ...known('trust-root-2.json')])).code).toBe(1);
    const late = await run(['verify', newer, '--json'], { now: Date.parse('2028-01-01') });
    expect([late.code, late.json()]).toMatchObject([1, { valid: false, expired: true }]);
    harness.write('cut.json', readFileSync(newer, 'utf8').replace(/,"[^"]+"\]/, ',"AAAA"]'));
    expect((await run(['verify', at('cut.json')])).code).toBe(2);
  });

  it('refuses a proposal that was altered after somebody signed it, and a stranger', async () => {
    const text = readFileSync(at('trust-root-2.proposal.json'), 'utf8');
    harness.write('altered.proposal.json', text.replace('2027-12-01', '2027-12-02'));
    const [first = ''] = readdirSync(harness.folder).filter((name) => name.endsWith('.signature.json'));
    const joined = await run(['join', at('altered.proposal.json'), at(first), ...from()]);
    expect([joined.code, joined.err]).toEqual([2, expect.stringContaining('signs another proposal')]);
    const flags = ['--yes-i-reviewed', (await reviewOf('trust-root-2.proposal.json')).payloadHash];
    const proposal = at('trust-root-2.proposal.json');
    const stranger = await run(['sign', proposal, '--key', at('typed.sealed'), ...from(), ...flags], {
      typed: ['twelve letters'],
    });
    expect([stranger.code, stranger.err]).toEqual([
      1,
      expect.stringContaining('in neither version 1 nor version 2'),
    ]);
    copyFileSync(at(first), at('altered.someone.signature.json'));
    const shown = await run(['show', at('altered.proposal.json'), ...from()]);
    expect([shown.code, shown.out]).toEqual([
      1,
      expect.stringMatching(/Does not count: .*signs another proposal/),
    ]);
  });

  it('keeps a transcript in which each line holds those above', () => {
    const text = readFileSync(at('log.txt'), 'utf8');
    const written = text.trimEnd().split('\n');
    const deeds = written.map((each) => each.split(' ')[1]);
    expect(deeds).toEqual([
      'key',
      'key',
      'key',
      'propose',
      ...Array.from({ length: 6 }, () => 'sign'),
      'join',
    ]);
    expect(written[3]).toMatch(
      /^2027-01-01T00:00:00\.000Z propose by=the_chair version=2 payload=[0-9a-f]{64} /,
    );
    for (const [index, each] of written.entries()) {
      const above = written
        .slice(0, index)
        .map((other) => `${other}\n`)
        .join('');
      const hash = createHash('sha256').update(above).digest('hex').slice(0, 16);
      expect(each.endsWith(` after=${index === 0 ? 'nothing' : hash}`)).toBe(true);
    }
  });

  it('rehearses on a copy, and takes nothing of it for real', async () => {
    passphrase('player');
    const made = await run([
      'key',
      '--rehearsal',
      '--out',
      at('player.sealed'),
      '--name',
      'player',
      ...secret('player'),
    ]);
    expect(made.out).toMatch(/^REHEARSAL/);
    const changes = `version: 2\nroot:\n  threshold: 2\n  add:\n${lines('player')
      .map((line) => `    - ${line}\n`)
      .join('')}`;
    harness.write('practice.yaml', changes);
    const practice = ['propose', ...from(), '--changes', at('practice.yaml')];
    const real = await run([...practice, '--out', at('never.json')]);
    expect([real.code, real.err]).toEqual([1, expect.stringContaining('for rehearsals')]);
    const proposal = at('practice.proposal.json');
    const proposed = await run([...practice, '--out', proposal, '--rehearsal', '--json']);
    const { review } = proposed.json() as { review: Review };
    const yes = ['--yes-i-reviewed', review.payloadHash, ...from()];
    const files: string[] = [];
    for (const [key, pass] of [
      ['player.sealed', 'player.pass'],
      ['data/keys/offline.sealed', 'data/secrets/offline.passphrase'],
    ] as const) {
      const flags = ['--key', at(key), '--passphrase-file', at(pass), '--json'];
      const signed = await run(['sign', proposal, ...flags, ...yes]);
      files.push(...(signed.json() as { signatures: { path: string }[] }).signatures.map(({ path }) => path));
    }
    expect(files.every((file) => file.includes('/REHEARSAL-practice.'))).toBe(true);
    const joined = await run(['join', proposal, ...files, ...from()]);
    expect([joined.code, joined.out]).toEqual([0, expect.stringMatching(/^REHEARSAL/)]);
    const result = at('REHEARSAL-trust-root-2.json');
    const plain = await run(['verify', result]);
    expect([plain.code, plain.err]).toEqual([2, expect.stringContaining('comes from a rehearsal')]);
    expect((await run(['verify', result, '--rehearsal'])).out).toMatch(/^REHEARSAL/);
    expect((await harness.run(['verify', at('people.txt'), '--trust-root', result])).code).toBe(2);
    harness.write('next.yaml', 'version: 3\nexpires: 2027-12-03\n');
    const onwards = ['propose', '--from', result, '--changes', at('next.yaml'), '--out', at('three.json')];
    expect((await run(onwards)).code).toBe(2);
    expect((await run([...onwards, '--rehearsal'])).code).toBe(0);
    // Marked as real in an editor, the proposal is a real one, and the signatures are still of the rehearsal.
    const marked = readFileSync(proposal, 'utf8').replace('"rehearsal": true', '"rehearsal": false');
    harness.write('marked.proposal.json', marked);
    const unmarked = files.map((file, index) =>
      harness.write(
        `marked-${index}`,
        readFileSync(file, 'utf8').replace('"rehearsal": true', '"rehearsal": false'),
      ),
    );
    const forged = await run(['join', at('marked.proposal.json'), ...unmarked, ...from()]);
    expect([forged.code, forged.err]).toEqual([2, expect.stringContaining('does not hold')]);
  });
});
