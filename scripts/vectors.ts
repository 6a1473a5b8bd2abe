/** Writes the vectors of every package that has some; each package knows its own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const writers = ['packages/core/test/support/write-vectors.ts'];
const root = join(import.meta.dirname, '..');
const failed = writers.filter(
  (writer) => spawnSync(process.execPath, [join(root, writer)], { stdio: 'inherit' }).status !== 0,
);
if (failed.length > 0) process.exitCode = 1;
