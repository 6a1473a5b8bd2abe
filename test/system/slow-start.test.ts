/** Processes of a system that do not come to listen after they were started again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { Supervisor } from '@tallystick/server';
import { createTestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const startTimeoutMs = 120_000;

/** Listens at its first start; from then on it says who it is, and no more than what stands in the file `says`. */
const program = (folder: string): string => `
  import { appendFileSync, existsSync, readFileSync } from 'node:fs';
  process.on('disconnect', () => process.exit(0));
  const isFirst = !existsSync('${folder}/starts');
  appendFileSync('${folder}/starts', process.pid + '\\n');
  if (isFirst) console.log(JSON.stringify({ listening: { public: 'http://p', admin: 'http://a', ops: 'http://o' } }));
  setInterval(() => existsSync('${folder}/says') && console.error(readFileSync('${folder}/says', 'utf8')), 20);
`;

let folder: string;
let supervisor: Supervisor;
let restarts: string[];
let lines: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tally-slow-'));
  restarts = [];
  lines = 0;
  const serverProgram = join(folder, 'server.mjs');
  writeFileSync(serverProgram, program(folder));
  const { root } = await createTestSystem(join(folder, 'system'));
  supervisor = await Supervisor.start(
    { directory: root, serverProgram },
    { onLine: () => (lines += 1), onRestart: (_name, cause) => restarts.push(cause) },
  );
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(async () => {
  vi.useRealTimers();
  await supervisor.stop();
  rmSync(folder, { recursive: true, force: true });
});

function started(): number[] {
  return readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (let waited = 0; !isSo(); waited += 10) {
    if (waited > 20_000) throw new Error('it did not come about');
    await after(10);
  }
}

/** Kills the server, has it started again, and resolves with the new process, which does not listen. */
async function startedAnew(): Promise<number> {
  const [first = 0] = started();
  process.kill(first, 'SIGKILL');
  await until(() => restarts.length === 1);
  vi.advanceTimersByTime(200);
  await until(() => started().length === 2);
  return started()[1] ?? 0;
}

describe('a process that was started again and does not listen in time', () => {
  it('is ended before the next one is started', async () => {
    const pid = await startedAnew();
    vi.advanceTimersByTime(startTimeoutMs);
    await until(() => restarts.length === 2);
    expect(restarts[1]).toMatch(/did not start in time/);
    expect(isAlive(pid)).toBe(false);
  });

  it('is waited for while it says how far it is', async () => {
    const pid = await startedAnew();
    writeFileSync(join(folder, 'says'), '{"progress":{"step":"log","done":1}}');
    for (let times = 0; times < 4; times++) {
      const before = lines;
      await until(() => lines > before + 1);
      vi.advanceTimersByTime(startTimeoutMs / 2);
    }
    expect(restarts).toHaveLength(1);
    expect(isAlive(pid)).toBe(true);
  });
});
