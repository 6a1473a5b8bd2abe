/**
 * Preloaded into a process that is to die: kills it with SIGKILL before the write to disk of the number in
 * TALLY_TEST_KILL_AT, counted from 0. Opening for writing, writing, syncing, linking, renaming and removing count.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Call = (...args: unknown[]) => unknown;

const killAt = Number(process.env['TALLY_TEST_KILL_AT']);
const calls = fs as unknown as Record<string, Call>;
let count = 0;

for (const name of [
  'openSync',
  'writeSync',
  'writeFileSync',
  'fsyncSync',
  'linkSync',
  'renameSync',
  'rmSync',
]) {
  const original = calls[name] as Call;
  calls[name] = (...args) => {
    const isReading = name === 'openSync' && (args[1] === undefined || args[1] === 'r');
    if (!isReading && count++ === killAt) process.kill(process.pid, 'SIGKILL');
    return original(...args);
  };
}
syncBuiltinESMExports();
