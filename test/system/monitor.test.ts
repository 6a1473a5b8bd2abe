/** docs/operating/running-a-monitor.md, done: the command line, beside a running system. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
const license = { plan: 'pro-yearly', licensee: 'Contoso' };

interface RoundLine {
  event: string;
  logs: { size: number; replayed: number; alarms: unknown[] }[];
}

describe('a monitor of a running system', () => {
  let system: RealSystem;
  let operator: Operator;
  let folder: string;
  let init: string[];
  let watcher: ChildProcess | null = null;

  beforeAll(async () => {
    system = await RealSystem.start();
    operator = new Operator(system);
    await system.ready();
    await system.sellPro();
    folder = operator.path('monitor');
    const { quorum } = await system.must<{ quorum: { name: string; url: string }[] }>('GET', '/v1/log');
    const { layout, client } = system;
    // As somebody else has it: the server adds to its own.
    const pinned = operator.path('pinned.json');
    copyFileSync(layout.trustRoot, pinned);
    const log = ['--trust-root', pinned, '--log-url', `${client.publicUrl}/log`];
    const witnesses = quorum.flatMap(({ name, url }) => ['--witness', `${name}=${url}`]);
    init = [
      'monitor',
      'init',
      folder,
      ...log,
      '--mirror-token-file',
      layout.secrets.mirrorToken,
      ...witnesses,
    ];
  });

  afterAll(async () => {
    watcher?.kill('SIGKILL');
    await system[Symbol.asyncDispose]();
  });

  /** Looks once; the exit code and the line about the round. */
  async function look(): Promise<{ code: number; round: RoundLine; stdout: string }> {
    const { code, stdout } = await operator.tally('monitor', 'run', folder, '--once', '--json');
    return { code, stdout, round: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as RoundLine };
  }

  it('is made by one command, which changes nothing where it cannot be', async () => {
    expect(await operator.must(...init, '--dry-run')).toMatchObject({ dryRun: true, key: null });
    const stranger = await operator.tally(
      ...init,
      '--witness',
      'witness.example/stranger=http://127.0.0.1:1',
    );
    expect(stranger).toMatchObject({ code: 3, stderr: expect.stringMatching(/no cosigner of this log/) });
    const nowhere = await operator.tally(...init.with(6, 'nowhere/log'));
    expect(nowhere).toMatchObject({ code: 3, stderr: expect.stringMatching(/not an http address/) });
    expect(existsSync(folder)).toBe(false);
    const early = await operator.tally('monitor', 'run', folder);
    expect(early).toMatchObject({ code: 3, stderr: expect.stringMatching(/monitor init/) });
    expect(await operator.must(...init)).toMatchObject({ key: expect.stringMatching(/^[0-9a-f]{16}$/) });
    const again = await operator.tally(...init);
    expect(again).toMatchObject({ code: 3, stderr: expect.stringMatching(/listed twice/) });
  });

  it('replays everything, holds promises against the log, and is content', async () => {
    const issued = await system.must<{ promises: unknown[] }>('POST', '/v1/licenses', license);
    writeFileSync(join(folder, 'promises', 'contoso.json'), JSON.stringify(issued));
    await system.published();
    const size = await system.publishedSize();
    const { code, round } = await look();
    expect(round).toMatchObject({ event: 'round', logs: [{ size, replayed: size, alarms: [] }] });
    expect(code).toBe(0);
    const text = await operator.tally('monitor', 'run', folder, '--once');
    expect(text.stdout).toMatch(
      new RegExp(` ok tally.example/log: ${size} entries, ${size} entries obey every rule`),
    );
  });

  it('prints an alarm as a line of JSON, ends with 1 for it, and says when it is over', async () => {
    const file = join(folder, 'promises', 'none.json');
    writeFileSync(file, '{}');
    const raised = await look();
    expect(raised.code).toBe(1);
    expect(JSON.parse(raised.stdout.split('\n')[0] ?? '')).toMatchObject({
      event: 'alarm',
      origin: 'tally.example/log',
      kind: 'promise-file',
      subject: 'none.json',
      evidence: null,
      todo: expect.any(String),
    });
    rmSync(file);
    const cleared = await look();
    expect(cleared.code).toBe(0);
    expect(cleared.stdout).toMatch(/^\{"event":"cleared",.*"kind":"promise-file"/);
  });

  it('follows a new trust root from the log, without being told', async () => {
    const { layout } = system;
    const holder = { keystore: layout.keys.offline, secret: layout.secrets.offlinePassphrase };
    const expires = 'expires: 2031-01-01T00:00:00.000Z\n';
    await operator.must('root', 'publish', await operator.ceremony(layout.trustRoot, 2, expires, [holder]));
    await system.published();
    for (let rounds = 0; rounds < 2; rounds++) expect((await look()).code).toBe(0);
    using state = new DatabaseSync(join(folder, 'monitor.db'), { readOnly: true });
    expect(state.prepare('SELECT version FROM trust_roots').all()).toMatchObject([{ version: 2 }]);
  });

  it('goes on after it was killed, and raises nothing for that', async () => {
    const metrics = `127.0.0.1:${await freePort()}`;
    const watch = (): ChildProcess =>
      spawn(process.execPath, [main, 'monitor', 'run', folder, '--interval', '0', '--metrics', metrics], {
        stdio: 'ignore',
      });
    const sizeSeen = async (): Promise<number> => {
      const text = await fetch(`http://${metrics}/metrics`).then((answer) => answer.text());
      return Number(/tally_monitor_replayed_size\{[^}]*\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    const before = await system.publishedSize();
    watcher = watch();
    await eventually('the monitor', async () => (await sizeSeen().catch(() => 0)) >= before);
    await Promise.all(Array.from({ length: 40 }, () => system.must('POST', '/v1/licenses', license)));
    const ended = once(watcher, 'exit');
    watcher.kill('SIGKILL');
    await ended;
    await system.published();
    const size = await system.publishedSize();
    const { code, round } = await look();
    expect(round.logs).toMatchObject([{ size, replayed: size, alarms: [] }]);
    expect(code).toBe(0);
    expect(readdirSync(folder)).not.toContain('evidence');
  });
});
