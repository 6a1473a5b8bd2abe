/** What docs/operating/lost-key.md says, done: the command line, on running systems whose keys are gone. */
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseNote, utf8 } from '@tallystick/core';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { type Opening, Operator } from './support/operator.ts';
import { RealCosigner } from './support/real-cosigner.ts';
import { RealSystem } from './support/real-system.ts';

/** The id at the end of a public line. */
const idOf = (line: string): string => line.split(' ').at(-1)!;

/** A list below a member of the file of changes. */
const listed = (name: string, items: readonly string[]): string =>
  `  ${name}:\n${items.map((item) => `    - ${item}\n`).join('')}`;

describe('a system whose offline keys and cosigners are gone, one after the other', () => {
  let system: RealSystem;
  let operator: Operator;
  let license: string;
  /** Version 1 of the trust root, as a client in the field pins it. */
  let pin: string;
  let newest: string;
  const cosigners: RealCosigner[] = [];

  const holder = (name: string): Opening => operator.holder(name);
  const quickStart = (): Opening => ({
    keystore: system.layout.keys.offline,
    secret: system.layout.secrets.offlinePassphrase,
  });

  beforeAll(async () => {
    system = await RealSystem.start();
    operator = new Operator(system);
    await system.ready();
    await system.sellPro();
    license = await operator.issue();
    pin = operator.path('pin.json');
    copyFileSync(system.layout.trustRoot, pin);
    newest = pin;
  });

  afterAll(async () => {
    for (const each of cosigners) await each[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
  });

  async function expectValid(): Promise<void> {
    expect(await operator.verdict(license, pin)).toBe('VALID');
    expect(await operator.verdict(await operator.issue(), system.layout.trustRoot)).toBe('VALID');
  }

  /** Key ids of what tally init made. */
  async function quickStartKeys(wanted: string): Promise<string[]> {
    const { keystore, secret } = quickStart();
    const opening = ['--of', keystore, '--name', 'start', '--passphrase-file', secret];
    const { keys } = await operator.must<{ keys: { role: string; line: string }[] }>(
      'root',
      'key',
      ...opening,
    );
    return keys.filter(({ role }) => role === wanted).map(({ line }) => idOf(line));
  }

  it('replaces a root key that one of three people lost', async () => {
    const lines = [];
    for (const name of ['alice', 'bob', 'carol']) lines.push(await operator.makeKeys(name));
    const old = await quickStartKeys('root');
    // Two keys each: 4 of 6 are two of three people.
    const people = `root:\n  threshold: 4\n${listed('add', lines.flat())}${listed('remove', old)}`;
    newest = await operator.ceremony(newest, 2, people, [quickStart(), holder('alice'), holder('bob')]);
    rmSync(holder('carol').keystore);
    const dave = await operator.makeKeys('dave');
    const changes = `root:\n${listed('add', dave)}${listed('remove', lines[2]!.map(idOf))}`;
    newest = await operator.ceremony(newest, 3, changes, [holder('alice'), holder('bob')]);
    expect(await operator.must('root', 'publish', newest)).toMatchObject({ version: 3, logged: 2 });
    await expectValid();
  });

  it('names another authority, which signs the namespace anew in the same step', async () => {
    const [lost] = await quickStartKeys('authority');
    const [office] = await operator.makeKeys('office', '--authority', 'acme');
    const changes = `authority:\n  acme:\n    add:\n      - ${office}\n    remove:\n      - ${lost}\n`;
    newest = await operator.ceremony(newest, 4, changes, [holder('alice'), holder('dave')]);
    const alone = await operator.tally('root', 'publish', newest);
    expect(alone.stderr).toMatch(/new authority has to sign the namespace anew.*trust_refused/s);
    await operator.signRevision('anew.json', holder('office'), '--sign-anew', '--reason', 'key lost');
    const publish = ['root', 'publish', newest, '--namespace', 'anew.json'];
    expect(await operator.must(...publish, '--dry-run')).toMatchObject({ version: 3, logged: 1 });
    expect(await operator.must(...publish)).toMatchObject({ version: 4, logged: 1 });
    expect(await operator.must(...publish)).toMatchObject({ version: 4, logged: 0 });
    await expectValid();
    await operator.signRevision('old.json', quickStart(), '--lock', 'heightened');
    expect((await operator.tally('namespace', 'submit', 'old.json')).stderr).toMatch(/namespace_refused/);
    await operator.signRevision('new.json', holder('office'), '--lock', 'heightened', '--raise-epoch');
    await operator.submit('new.json');
    // Signer and server come back under the new authority.
    for (const name of ['signer', 'server']) system.kill(name);
    await system.ready();
    await expectValid();
  });

  it('replaces a witness and the replayer by others, once those answer', async () => {
    const witness = new RealCosigner('witness', system);
    const replayer = new RealCosigner('replayer', system);
    cosigners.push(witness, replayer);
    const urls = [await witness.start(), await replayer.start()] as const;
    const entry = (vkeys: readonly string[], url: string): string =>
      `  add:\n    - { vkeys: ${JSON.stringify(vkeys)}, url: "${url}" }\n`;
    const changes =
      `witnesses:\n  threshold: 2\n${entry(witness.vkeys, urls[0])}  remove:\n    - tally.example/log/witness-1\n` +
      `replayers:\n${entry(replayer.vkeys, urls[1])}  remove:\n    - tally.example/log/replayer-1\n`;
    newest = await operator.ceremony(newest, 5, changes, [holder('bob'), holder('dave')]);
    await replayer.kill();
    const refused = await operator.tally('root', 'publish', newest);
    expect(refused.stderr).toMatch(/quorum of version 5 does not come about now.*replayer\.example\/new/s);
    await replayer.start();
    expect(await operator.must('root', 'publish', newest)).toMatchObject({ version: 5, logged: 1 });
    await system.published();
    await expectValid();
    const { text } = await system.public('GET', '/log/checkpoint');
    const names = new Set(parseNote(utf8(text)).signatures.map(({ name }) => name));
    expect([...names].sort()).toEqual([
      'replayer.example/new',
      'tally.example/log',
      'tally.example/log/witness-2',
      'witness.example/new',
    ]);
  });

  it('has perpetual licenses need both algorithms, from an index on', async () => {
    await operator.must('keys', 'generate', '--algorithm', 'ml-dsa-44', '--out', 'pq.json');
    const from = (await system.size()) + 6;
    const require = `require:\n  acme:\n    license:\n      - from: ${from}\n        algs: [ed25519]\n        perpetual: [ed25519, ml-dsa-44]\n`;
    newest = await operator.ceremony(newest, 6, require, [holder('alice'), holder('bob')]);
    const early = await operator.tally('root', 'publish', newest);
    expect(early.stderr).toMatch(/asks for ml-dsa-44 on license records from log index.*trust_refused/s);
    const listing = ['--add-keys', 'pq.json', '--from', String(from)];
    await operator.signRevision('pq-revision.json', holder('office'), ...listing);
    await operator.submit('pq-revision.json');
    await operator.must('root', 'publish', newest);
    const plan = { product: 'pro', code: 'pro-forever', name: 'Pro, for ever', term: { length: null } };
    await system.must('POST', '/v1/plans', { ...plan, entitlements: { pdf: { value: true } } });
    while ((await system.size()) < from) await operator.issue();
    const { document } = await operator.must<{ document: { id: string } }>(
      'issue',
      '--plan',
      'pro-forever',
      '--wait',
    );
    await system.published();
    expect(await operator.verdict(document.id)).toBe('VALID');
    await expectValid();
  });

  it('goes on under all of that after a restart, and leaves a log in which everything fits', async () => {
    // The replayer that stays knows the address of before.
    await system.down();
    const { port } = new URL(system.client.publicUrl);
    await system.up({ ports: { public: Number(port), admin: 0, ops: 0 } });
    await system.ready();
    await expectValid();
    await system.published();
    expect(await auditAtRest(system)).toMatchObject({ problems: [] });
  });
});

describe.skipIf(softHsmModule === null)('a system whose online keystore is gone', () => {
  let folder: string;
  let system: RealSystem;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tally-lost-'));
    const hsm = SoftHsm.create(folder);
    const pinFile = join(folder, 'token.pin');
    writeFileSync(pinFile, `${hsm.pin}\n`, { mode: 0o600 });
    const token = { module: hsm.module, label: hsm.label, pinFile };
    system = await RealSystem.start({ token, algorithms: ['ed25519'] });
    await system.ready();
    await system.sellPro();
  });

  afterEach(async () => {
    await system[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('goes on with new keys, which the authority lists, and what the old ones signed stays good', async () => {
    const operator = new Operator(system);
    const { keys, secrets } = system.layout;
    const before = await operator.issue();
    const { keys: lost } = await operator.must<{ keys: { key: string }[] }>('keys', 'list');
    await system.down();
    renameSync(keys.online, `${keys.online}.lost`);
    rmSync(secrets.onlinePassphrase);
    const made: string[] = [];
    for (const usage of ['issuing', 'brake', 'lease']) {
      const more = usage === 'issuing' ? ['--count', '2', '--new-keystore'] : [];
      await operator.must('keys', 'generate', '--usage', usage, '--out', `${usage}.json`, ...more);
      made.push('--add-keys', `${usage}.json`);
    }
    await system.up();
    await system.ready();
    expect((await operator.tally('issue', '--plan', 'pro-yearly')).stderr).toMatch(/signer_refused/);
    expect(await operator.verdict(before)).toBe('VALID');
    const size = await system.size();
    const ends = lost.flatMap(({ key }) => ['--end-key', key]);
    const { offlineToken } = keys;
    const opening = { keystore: offlineToken, secret: join(folder, 'token.pin') };
    const from = ['--from', String(size + 1)];
    await operator.signRevision('revision.json', opening, ...made, ...from, ...ends, '--reason', 'lost');
    await operator.submit('revision.json');
    const after = await operator.issue();
    await operator.must('brake', 'tighten', '--lock', 'heightened');
    await system.published();
    for (const id of [before, after]) expect(await operator.verdict(id)).toBe('VALID');
    await system.down();
    expect((await operator.must<{ problems: unknown[] }>('fsck')).problems).toEqual([]);
    // Where the log key was in it, too, no other keystore can take its place.
    renameSync(keys.online, `${keys.online}.lost`);
    renameSync(keys.token, `${keys.token}.away`);
    const refused = await operator.tally('keys', 'generate', '--out', 'k.json', '--new-keystore');
    expect(refused.stderr).toMatch(/a log key was in the keystore that is lost/);
  });
});
