/**
 * Makes the projections anew from the log. They are derived into a fresh file, which takes the place of the old one
 * at the end: whatever happens before, the old ones are as they were.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import type { IndexLicenseKey, Store } from '@tallystick/ledger';
import { compareProjections, ProjectionSnapshot } from './compare-projections.ts';
import { deriveProjections } from './derive-projections.ts';
import { PrefixStore } from './prefix-store.ts';
import type { FsckProblem } from './report.ts';

export interface RebuildParts {
  /** Held for writing, which keeps every server away until the new file is in its place. */
  store: Store;
  projectionsFile: string;
  genesis: Uint8Array;
  ns: string;
  indexKey: IndexLicenseKey;
}

export interface RebuildReport {
  /** Number of log entries that the projections have taken in. */
  size: number;
  rows: number;
  /** Rows in which the old projections differed; null where they could not be read, or had taken in another size. */
  differences: number | null;
  /** The first of them. */
  first: FsckProblem | null;
}

/** Throws IntegrityAlarm where the log holds something that it does not commit to: see `fsck`. */
export async function rebuildProjections(
  parts: RebuildParts,
  onProgress: (progress: { done: number; total: number }) => void = () => {},
): Promise<RebuildReport> {
  const { store, projectionsFile } = parts;
  const total = await store.size();
  const fresh = `${projectionsFile}.rebuild`;
  removeDatabase(fresh);
  await deriveProjections({ ...parts, store: new PrefixStore(store, total, true) }, fresh, (done) =>
    onProgress({ done, total }),
  );
  const report = compareWithOld(fresh, projectionsFile);
  removeSideFiles(projectionsFile);
  renameSync(fresh, projectionsFile);
  removeSideFiles(fresh);
  return { ...report, size: sizeOf(projectionsFile, total) };
}

function compareWithOld(fresh: string, old: string): Omit<RebuildReport, 'size'> {
  using expected = new ProjectionSnapshot(fresh);
  let differences = 0;
  let first: FsckProblem | null = null;
  const count = (problem: FsckProblem): boolean => {
    differences += 1;
    first ??= problem;
    return true;
  };
  try {
    using found = new ProjectionSnapshot(old);
    if (found.size === expected.size)
      return { rows: compareProjections(expected, found, count), differences, first };
  } catch {
    // What cannot be read is what this command is for.
  }
  return { rows: compareProjections(expected, expected, () => true), differences: null, first: null };
}

/** Reads the file in its new place, as the next server will. */
function sizeOf(file: string, total: number): number {
  using found = new ProjectionSnapshot(file);
  if (found.size !== total) throw new Error(`${file} has taken in ${found.size} of ${total} entries`);
  return found.size;
}

function removeDatabase(file: string): void {
  if (existsSync(file)) rmSync(file);
  removeSideFiles(file);
}

/** What SQLite keeps beside a file belongs to that file alone. */
function removeSideFiles(file: string): void {
  for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
}
