/** A system that begins with the quorum that its vendor chose: the witnesses of two other operators, and a replayer inside. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatVerifierKey, makeVerifierKey, noteSignatureType, parseNote, utf8 } from '@tallystick/core';
import { freePort, layoutOf, type SystemDescription } from '@tallystick/server';
import { loadConfig, type RunningCosigner, startCosigner } from '@tallystick/witness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const names = ['one.example/w', 'two.example/w'] as const;

const directory = mkdtempSync(join(tmpdir(), 'tally-policy-'));
const layout = layoutOf(join(directory, 'data'));
const system = RealSystem.in(directory, {
  server: { times: { retryMs: 100, refreshMs: 1000 }, cosignerTimeoutMs: 1000 },
});
const operator = new Operator({ layout, directory });
const policyFile = join(directory, 'policy.txt');
const running = new Map<string, RunningCosigner>();
const told: string[] = [];

const folderOf = (name: string): string => join(directory, name.replace('/', '-'));

async function serve(name: string): Promise<void> {
  const config = loadConfig(join(folderOf(name), 'witness.json'), 'witness');
  const now = (): number => Math.floor(Date.now() / 1000);
  running.set(name, await startCosigner(config, { now, report: (line) => told.push(JSON.stringify(line)) }));
}

async function stop(name: string): Promise<void> {
  await running.get(name)?.[Symbol.asyncDispose]();
  running.delete(name);
}

const begin = [
  'init',
  '--data',
  layout.root,
  '--origin',
  'tally.example/log',
  '--policy',
  policyFile,
  '--json',
];
const ports = ['--public-port', '0', '--admin-port', '0', '--ops-port', '0'];
const init = (...more: string[]) => operator.tally(...begin, ...ports, ...more);

beforeAll(async () => {
  const lines: string[] = [];
  for (const name of names) {
    const [listen, metrics] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const where = ['--folder', folderOf(name), '--listen', listen, '--metrics', metrics];
    const address = ['--address', `http://${listen}/w`];
    const made = await operator.must<{ policy: string[] }>(
      'witness',
      'init',
      '--name',
      name,
      ...where,
      ...address,
    );
    lines.push(...made.policy);
    // It watches the log of its own operator already.
    const origin = name.replace('/w', '/log');
    const vkey = formatVerifierKey(makeVerifierKey(origin, noteSignatureType.ed25519, randomBytes(32)));
    await operator.must('witness', 'add-log', '--folder', folderOf(name), '--vkey', vkey);
  }
  writeFileSync(policyFile, [...lines, `group both all ${names.join(' ')}`, 'quorum both', ''].join('\n'));
});

afterAll(async () => {
  await system.down();
  for (const name of names) await stop(name);
  await system[Symbol.asyncDispose]();
});

describe('tally init --policy', () => {
  it('makes nothing while nobody answers whom the policy names, nor in a dry run', async () => {
    const refused = await init();
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([4, { error: { code: 'unreachable' } }]);
    for (const name of names) expect(refused.stdout).toContain(name);
    const dry = await init('--dry-run', '--allow-unreachable');
    expect([dry.code, JSON.parse(dry.stdout)]).toMatchObject([
      0,
      { dryRun: true, cosigners: names.map((name) => ({ name, answers: false })) },
    ]);
    expect(() => readFileSync(layout.system)).toThrow('ENOENT');
  });

  it('says what the quorum tolerates, and makes a trust root and a system with it', async () => {
    await serve(names[0]);
    const { code, stdout } = await init();
    expect(code).toBe(0);
    const made = JSON.parse(stdout) as {
      accessLog: { vkey: string };
      cosigners: { name: string; answers: boolean }[];
      policy: { tolerance: { group: string; tolerates: object }[]; warnings: { code: string }[] };
    };
    await stop(names[0]);
    expect(made.cosigners.map(({ answers }) => answers)).toEqual([true, false]);
    const [whole, witnesses] = made.policy.tolerance;
    expect(whole?.tolerates).toMatchObject({ quorumMin: 3, absentMax: 0 });
    expect(witnesses).toMatchObject({
      group: 'witnesses',
      tolerates: { quorumMin: 2, splitMin: 2, absentMax: 0 },
    });
    expect(await operator.must('policy', 'show')).toMatchObject({ tolerance: made.policy.tolerance });
    const { cosigners } = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
    expect(cosigners).toEqual([
      { name: 'tally.example/log/replayer-1', folder: 'replayer-1', kind: 'replayer' },
    ]);
    for (const name of names) {
      const adding = ['witness', 'add-log', '--folder', folderOf(name)];
      await operator.must(...adding, '--from', layout.trustRoot);
      await operator.must(...adding, '--vkey', made.accessLog.vkey);
    }
  });

  it('publishes nothing without all of them, and everything with them', async () => {
    await serve(names[0]);
    await system.up();
    const { mutations } = (await system.ops('/readyz')).json as { mutations: { ready: boolean } };
    expect(mutations.ready).toBe(false);
    await serve(names[1]);
    await system.ready();
    await system.sellPro();
    await system.published();
    expect(await operator.verdict(await operator.issue())).toBe('VALID');
    const { text } = await system.public('GET', '/log/checkpoint');
    const signers = new Set(parseNote(utf8(text)).signatures.map(({ name }) => name));
    expect(signers).toEqual(new Set(['tally.example/log', ...names, 'tally.example/log/replayer-1']));
    await stop(names[1]);
    const waiting = await system.must<{ document: { id: string }; published: boolean }>(
      'POST',
      '/v1/licenses?wait=published&waitMs=600',
      { plan: 'pro-yearly', licensee: 'Contoso' },
    );
    expect(waiting.published).toBe(false);
    await serve(names[1]);
    await system.published();
    expect(await operator.verdict(waiting.document.id)).toBe('VALID');
    // The log of requests is theirs to watch as well.
    await eventually(
      'its checkpoint',
      async () => (await operator.must<{ published: number }>('access', 'log', 'verify')).published > 0,
    );
    expect(told.filter((line) => line.includes('"fork"'))).toEqual([]);
  });
});
