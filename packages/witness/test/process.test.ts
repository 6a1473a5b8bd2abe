import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { formatVerifierKey } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initState } from '../src/index.ts';
import {
  CosignerFolder,
  runCosigner,
  type ServingCosigner,
  serveCosigner,
} from './support/cosigner-process.ts';
import { plainLog } from './support/plain-log.ts';
import type { TestLog } from './support/test-log.ts';

let folder: CosignerFolder;
let log: TestLog;
const running: ServingCosigner[] = [];

/** These tests ask as fast as they can. */
const limits = { checkpointsPerSecond: 100_000 };

function configured({ origin, vkey }: TestLog): { origin: string; vkeys: string[] } {
  return { origin, vkeys: [formatVerifierKey(vkey)] };
}

beforeEach(() => {
  folder = new CosignerFolder();
  log = plainLog(4000);
  folder.configure({ logs: [configured(log)], limits });
});

afterEach(async () => {
  for (const each of running.splice(0)) if (each.child.exitCode === null) await each.end('SIGKILL');
  folder[Symbol.dispose]();
});

async function serve(): Promise<ServingCosigner> {
  const serving = await serveCosigner(folder, 'witness');
  running.push(serving);
  return serving;
}

async function post(url: string, old: number, size: number): Promise<{ status: number; text: string }> {
  const body = log.request(old, size) as BodyInit;
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  return { status: response.status, text: await response.text() };
}

/** The size that the cosigner has on record. */
async function recordedSize(url: string): Promise<number> {
  const { status, text } = await post(url, 0, log.size);
  if (status === 409) return Number(text);
  expect(status).toBe(200);
  return log.size;
}

describe('the witness process', () => {
  it('says where it listens and stops within a second', async () => {
    const init = await runCosigner(folder, 'witness', 'init');
    expect(init.code).toBe(0);
    expect(init.stdout).toMatch(
      /^\{"vkeys":\["witness\.example\/w1\+[^"]+","witness\.example\/w1\+[^"]+"\],"began":\["log\.example\/test"\]\}\n$/,
    );
    const serving = await serve();
    expect((await post(serving.url, 0, 10)).status).toBe(200);
    const start = performance.now();
    expect(await serving.end('SIGTERM')).toBe(0);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  it('begins nothing anew when init runs again', async () => {
    await runCosigner(folder, 'witness', 'init');
    const serving = await serve();
    await post(serving.url, 0, 10);
    await serving.end('SIGTERM');
    expect(JSON.parse((await runCosigner(folder, 'witness', 'init')).stdout)).toMatchObject({ began: [] });
    expect((await post((await serve()).url, 0, 20)).text).toBe('10\n');
  });

  it('never goes back, killed twenty times between requests and answers', async () => {
    await runCosigner(folder, 'witness', 'init');
    let cosignedMax = 0;
    for (let kill = 0; kill < 20; kill++) {
      const serving = await serve();
      let old = kill === 0 ? 0 : await recordedSizeWithoutMoving(serving.url);
      expect(old).toBeGreaterThanOrEqual(cosignedMax);
      const killAt = performance.now() + 5 + 10 * kill;
      const timer = setTimeout(() => serving.child.kill('SIGKILL'), killAt - performance.now());
      // One checkpoint after the other until the process dies under a request.
      for (let size = old + 1; size < log.size; size++) {
        const answer = await post(serving.url, old, size).catch(() => null);
        if (answer === null) break;
        expect(answer.status).toBe(200);
        cosignedMax = size;
        old = size;
      }
      clearTimeout(timer);
      await serving.end('SIGKILL');
    }
    expect(cosignedMax).toBeGreaterThan(20);
    const { url } = await serve();
    expect(await recordedSize(url)).toBeGreaterThanOrEqual(cosignedMax);
  });

  /** Asks with an old size that cannot be right, so that nothing is cosigned. */
  async function recordedSizeWithoutMoving(url: string): Promise<number> {
    const { status, text } = await post(url, log.size, log.size);
    expect(status).toBe(409);
    return Number(text);
  }

  it('refuses to start without the state that it had', async () => {
    await runCosigner(folder, 'witness', 'init');
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${folder.file('state.db')}${suffix}`, { force: true });
    const { code, stdout, stderr } = await runCosigner(folder, 'witness', 'serve');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^the state file .* is missing.*\n$/);
    expect(existsSync(folder.file('state.db'))).toBe(false);
  });

  it('is not begun again by init where its state is lost, unless that is said', async () => {
    await runCosigner(folder, 'witness', 'init');
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${folder.file('state.db')}${suffix}`, { force: true });
    const refused = await runCosigner(folder, 'witness', 'init');
    expect([refused.code, existsSync(folder.file('state.db'))]).toEqual([1, false]);
    expect(refused.stderr).toMatch(/begins again cosigns a second history/);
    const known = await runCosigner(folder, 'witness', 'init', '--begin-again');
    expect(JSON.parse(known.stdout)).toMatchObject({ began: [log.origin] });
  });

  it('begins nothing, by init, by another log or by serving, where its state holds nothing any more', async () => {
    await runCosigner(folder, 'witness', 'init');
    const stateFile = folder.file('state.db');
    for (const suffix of ['-wal', '-shm']) rmSync(stateFile + suffix, { force: true });
    truncateSync(stateFile, 0);
    const lost = /state\.db holds nothing.*give up this key/;
    for (const verb of ['init', 'serve'])
      expect(await runCosigner(folder, 'witness', verb)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(lost),
      });
    const added = {
      kind: 'witness',
      name: 'witness.example/w1',
      origins: [log.origin],
      mustExist: true,
    } as const;
    expect(() => initState({ stateFile, ...added })).toThrow(lost);
    writeFileSync(stateFile, 'not what it was');
    const damaged = await runCosigner(folder, 'witness', 'serve');
    expect([damaged.code, damaged.stderr]).toEqual([
      1,
      expect.stringMatching(/is damaged.*give up this key/),
    ]);
    truncateSync(stateFile, 0);
    const known = await runCosigner(folder, 'witness', 'init', '--begin-again');
    expect(JSON.parse(known.stdout)).toMatchObject({ began: [log.origin] });
  });

  it('takes up and gives up logs while it runs, and forgets none', async () => {
    await runCosigner(folder, 'witness', 'init');
    folder.configure({ logs: [configured(log)], limits, metrics: { host: '127.0.0.1', port: 0 } });
    const serving = await serve();
    const other = plainLog(30, 'log.example/other');
    const postOther = async (old: number, size: number): Promise<number> => {
      const body = other.request(old, size) as BodyInit;
      return (await fetch(`${serving.url}/add-checkpoint`, { method: 'POST', body })).status;
    };
    const follow = async (...logs: TestLog[]): Promise<void> => {
      folder.configure({ logs: logs.map(configured), limits, metrics: { host: '127.0.0.1', port: 0 } });
      serving.child.kill('SIGHUP');
    };
    expect(await postOther(0, 10)).toBe(404);
    await follow(log, other);
    await expect.poll(() => postOther(0, 10), { timeout: 5000 }).toBe(200);
    writeFileSync(folder.file('config.json'), '{');
    serving.child.kill('SIGHUP');
    await expect
      .poll(() => serving.stderr())
      .toMatch(/\{"event":"not_reloaded","message":"the configuration is not JSON/);
    await follow(log);
    await expect.poll(() => postOther(0, 20), { timeout: 5000 }).toBe(404);
    await follow(log, other);
    await expect.poll(() => postOther(0, 20), { timeout: 5000 }).toBe(409);
    expect(await postOther(10, 20)).toBe(200);
    expect((await post(serving.url, 0, 10)).status).toBe(200);
    const metrics = await (await fetch(`${serving.said.metrics}/metrics`)).text();
    for (const line of [
      'tally_cosigner_size{origin="log.example/test"} 10',
      'tally_cosigner_requests_total{origin="log.example/other",status="409"} 1',
      'tally_cosigner_strangers_total{status="404"}',
    ])
      expect(metrics).toContain(line);
  });

  it('refuses a state that another process holds, and gets it when that one was killed', async () => {
    await runCosigner(folder, 'witness', 'init');
    const holder = await serve();
    for (const verb of ['serve', 'init']) {
      const { code, stderr } = await runCosigner(folder, 'witness', verb);
      expect(code).toBe(1);
      expect(stderr).toMatch(/another process holds it\n$/);
    }
    await holder.end('SIGKILL');
    await serve();
  });

  it('refuses a log that was never begun', async () => {
    await runCosigner(folder, 'witness', 'init');
    const other = plainLog(1, 'log.example/other');
    folder.configure({ logs: [log, other].map(configured) });
    expect((await runCosigner(folder, 'witness', 'serve')).stderr).toMatch(
      /log.example\/other is not in the state/,
    );
  });

  it('refuses the state of another cosigner', async () => {
    await runCosigner(folder, 'witness', 'init');
    rmSync(folder.file('cosigner.key'));
    folder.configure({ name: 'w2', logs: [{ origin: log.origin, vkeys: [formatVerifierKey(log.vkey)] }] });
    const { code, stderr } = await runCosigner(folder, 'witness', 'init');
    expect(code).toBe(1);
    expect(stderr).toMatch(/belongs to the witness witness.example\/w1/);
  });

  it.each<[string, RegExp]>([
    ['{', /not JSON/],
    ['[]', /not an object/],
    ['{"nam":"w"}', /nam: unknown member/],
    ['{"name":"a b","listen":{"host":"::1","port":1},"stateFile":"s","keyFile":"k","logs":[]}', /name/],
    [
      '{"name":"w","listen":{"host":"::1","port":70000},"stateFile":"s","keyFile":"k","logs":[]}',
      /listen\.port/,
    ],
    ['{"name":"w","listen":{"host":"::1","port":1},"stateFile":"s","keyFile":"k","logs":[]}', /logs/],
    [
      '{"name":"w","listen":{"host":"::1","port":1},"stateFile":"s","keyFile":"k","logs":[{"origin":"a","vkeys":["b"]}]}',
      /logs\[0\]\.vkeys/,
    ],
  ])('ends with one line about the configuration %s', async (text, message) => {
    writeFileSync(folder.file('config.json'), text);
    const { code, stdout, stderr } = await runCosigner(folder, 'witness', 'serve');
    expect([code, stdout, stderr.split('\n').length]).toEqual([1, '', 2]);
    expect(stderr).toMatch(message);
  });
});
