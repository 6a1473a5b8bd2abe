/** Processes that die in the middle of work on keys: the same command again finishes it, and nothing is half done. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

const cli = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const licenses = 240;

let system: RealSystem;
let operator: Operator;
/** Version 1 of the trust root. */
let pin: string;

beforeAll(async () => {
  system = await RealSystem.start();
  operator = new Operator(system);
  await system.ready();
  await system.sellPro();
  pin = operator.path('pin.json');
  copyFileSync(system.layout.trustRoot, pin);
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

async function issue(): Promise<{ id: string; index: number }> {
  const made = await system.must<{ document: { id: string }; changes: { index: number }[] }>(
    'POST',
    '/v1/licenses',
    { plan: 'pro-yearly' },
  );
  return { id: made.document.id, index: made.changes[0]!.index };
}

async function revisionOf(id: string): Promise<number> {
  return (await system.must<{ rev: number }>('GET', `/v1/licenses/${id}`)).rev;
}

describe('tally keys reissue', () => {
  it('killed twice signs each license anew exactly once', async () => {
    const issued = await Promise.all(Array.from({ length: licenses }, () => issue()));
    const { keys } = await operator.must<{ keys: { key: string; state: string }[] }>('keys', 'list');
    const stolen = keys.find(({ state }) => state === 'signs')!.key;
    const from = String(Math.min(...issued.map(({ index }) => index)));
    await operator.must('keys', 'revoke', stolen, '--from-index', from);
    await operator.must('keys', 'affected', stolen, '--from-index', from, '--out', 'affected.txt');
    for (let kills = 0; kills < 2; kills++) {
      const some = (await system.size()) + 3 + Math.floor(Math.random() * 20);
      const env = { ...process.env, TALLY_DATA: system.layout.root };
      const command = spawn(process.execPath, [cli, 'keys', 'reissue', operator.path('affected.txt')], {
        env,
      });
      const ended = once(command, 'exit');
      await eventually('some are signed anew', async () => {
        return (await system.admin('GET', `/v1/log/entries/${some}`)).status === 200;
      });
      command.kill('SIGKILL');
      const [, signal] = (await ended) as [number | null, string | null];
      expect(signal).toBe('SIGKILL');
    }
    const counts = await operator.must<{ reissued: number; before: number }>(
      'keys',
      'reissue',
      'affected.txt',
    );
    expect(counts.reissued + counts.before).toBe(licenses);
    expect(counts.before).toBeGreaterThan(5);
    expect(counts.reissued).toBeGreaterThan(0);
    expect(new Set(await Promise.all(issued.map(({ id }) => revisionOf(id))))).toEqual(new Set([1]));
    expect(await operator.verdict(issued[0]!.id)).toBe('VALID');
  });
});

describe('server and signer, killed around a hand-over,', () => {
  const victims = [['server'], ['signer'], ['server', 'signer']];

  /** Sends work off, lets some of it happen, and kills; resolves when everything runs again. */
  async function killDuring(work: () => Promise<unknown>, names: readonly string[]): Promise<void> {
    const working = work().catch(() => null);
    await sleep(Math.random() * 25);
    for (const name of names) system.kill(name);
    await working;
    await eventually('it issues again', () => issue().catch(() => null));
  }

  async function newestTrust(): Promise<{
    namespace: { document: { rev: number } };
    brake: { index: number };
  }> {
    return (await system.public('GET', '/trust/acme')).json as Awaited<ReturnType<typeof newestTrust>>;
  }

  it.each(victims.map((names, nth) => [names.join(' and '), names, nth + 2] as const))(
    'leave a new authority wholly in force, or not at all: %s',
    async (_what, names, version) => {
      const { keys, secrets } = system.layout;
      const root = { keystore: keys.offline, secret: secrets.offlinePassphrase };
      const before = (await newestTrust()).namespace.document.rev;
      const [line] = await operator.makeKeys(`office-${version}`, '--authority', 'acme');
      const known = await authorityId(version - 1, root);
      const changes = `authority:\n  acme:\n    add:\n      - ${line}\n    remove:\n      - ${known}\n`;
      const made = await operator.ceremony(system.layout.trustRoot, version, changes, [root]);
      await operator.signRevision('anew.json', operator.holder(`office-${version}`), '--sign-anew');
      const publish = (): Promise<object> =>
        operator.must('root', 'publish', made, '--namespace', 'anew.json');
      await killDuring(publish, names);
      expect(await publish()).toMatchObject({ version });
      expect((await newestTrust()).namespace.document.rev).toBe(before + 1);
      // Whoever signed before is not heard any more, and the new one is.
      await operator.signRevision(
        'old.json',
        version === 2 ? root : operator.holder(`office-${version - 1}`),
        '--min-epoch',
        '0',
        '--sign-anew',
      );
      expect((await operator.tally('namespace', 'submit', 'old.json')).stderr).toMatch(/namespace_refused/);
      expect(await operator.verdict((await issue()).id, pin)).toBe('VALID');
    },
  );

  /** Key id of the authority that version `version` names. */
  async function authorityId(version: number, root: { keystore: string; secret: string }): Promise<string> {
    if (version > 1)
      return readFileSync(operator.path(`office-${version}.sealed.pub`), 'utf8')
        .trim()
        .split(' ')
        .at(-1)!;
    const opening = ['--of', root.keystore, '--name', 'x', '--passphrase-file', root.secret];
    const { keys } = await operator.must<{ keys: { role: string; line: string }[] }>(
      'root',
      'key',
      ...opening,
    );
    return keys
      .find(({ role }) => role === 'authority')!
      .line.split(' ')
      .at(-1)!;
  }

  it('leave a rotation whole, and the log fits', async () => {
    await operator.must('keys', 'generate', '--count', '2', '--out', 'more.json');
    const from = (await system.size()) + 3;
    await operator.signRevision(
      'more-revision.json',
      operator.holder('office-4'),
      '--add-keys',
      'more.json',
      '--from',
      String(from),
    );
    await operator.submit('more-revision.json');
    while ((await system.size()) < from) await issue();
    for (const names of [['server'], ['server', 'signer']]) {
      const states = async (): Promise<string[]> => {
        const { keys } = await operator.must<{ keys: { state: string; usages: string[] }[] }>('keys', 'list');
        return keys.filter(({ usages }) => usages.includes('license')).map(({ state }) => state);
      };
      const ended = (await states()).filter((state) => state === 'ended').length;
      const load = Array.from({ length: 20 }, () => issue().catch(() => null));
      const { keys } = await operator.must<{ keys: { key: string; state: string }[] }>('keys', 'list');
      const { key } = keys.find(({ state }) => state === 'signs')!;
      const rotate = (): ReturnType<RealSystem['admin']> =>
        system.admin('POST', '/v1/brake/tighten', { until: [{ key }] });
      await killDuring(rotate, names);
      await Promise.all(load);
      const again = await rotate();
      const outcome = again.status === 200 ? 'rotated' : (again.json as { code: string }).code;
      expect(['rotated', 'no_change']).toContain(outcome);
      expect((await states()).filter((state) => state === 'ended')).toHaveLength(ended + 1);
      expect(await operator.verdict((await issue()).id, pin)).toBe('VALID');
    }
    await system.published();
    expect(await auditAtRest(system)).toMatchObject({ problems: [] });
  });
});
