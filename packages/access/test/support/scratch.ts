/** A log whose first leaf nobody looks at, in a folder of the test's own. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@tallystick/core';
import { SegmentStore } from '../../src/segment-store.ts';

const directories: string[] = [];

/** Of all logs: for the end of each file that makes some. */
export function removeLogs(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
}

function scratchFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tally-access-'));
  directories.push(directory);
  return join(directory, 'access.db');
}

export function newLog(file: string = scratchFile()): string {
  SegmentStore.create(file, utf8('whose it is'));
  return file;
}

export function openToWrite(file: string): SegmentStore {
  return SegmentStore.openToWrite(file, { random: randomBytes });
}
