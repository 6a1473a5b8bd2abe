import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

/** A fresh directory, removed after the test that asked for it. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tally-signer-'));
  directories.push(directory);
  return directory;
}

const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
