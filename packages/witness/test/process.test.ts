import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { formatVerifierKey } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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

beforeEach(() => {
  folder = new CosignerFolder();
  log = plainLog(4000);
  folder.configure({ logs: [{ origin: log.origin, vkeys: [formatVerifierKey(log.vkey)] }] });
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
    folder.configure({
      logs: [log, other].map(({ origin, vkey }) => ({ origin, vkeys: [formatVerifierKey(vkey)] })),
    });
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
