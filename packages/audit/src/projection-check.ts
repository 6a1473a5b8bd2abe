/** The projections against what the log says: derived again beside them, and compared row by row. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, parseRecordEntry } from '@tallystick/core';
import { type IndexLicenseKey, IntegrityAlarm, type Store } from '@tallystick/ledger';
import { compareProjections, ProjectionSnapshot } from './compare-projections.ts';
import { deriveProjections } from './derive-projections.ts';
import { entriesFrom } from './entries-from.ts';
import { PrefixStore } from './prefix-store.ts';
import type { ProjectionSums } from './projection-sums.ts';
import {
  type FsckCounts,
  type FsckProblem,
  type OnProgress,
  type Problems,
  problemAt,
  problemsMax,
} from './report.ts';
import type { ScanPool } from './scan/scan-pool.ts';

export interface ProjectionParts {
  store: Store;
  genesis: Uint8Array;
  ns: string;
  indexKey: IndexLicenseKey;
  /** The projections' file. */
  file: string;
  /** Folder for the file that they are derived into; that of the system where left out. */
  scratch?: string | undefined;
  /** What the walk and its threads know of the rows; null derives them anew in any case. */
  summed: Summed | null;
}

export interface Summed {
  sums: ProjectionSums;
  pool: ScanPool;
  /** The commands that erased a customer. */
  erasing: readonly { from: number; to: number }[];
}

interface Findings {
  problems: Problems;
  counts: FsckCounts;
  onProgress: OnProgress;
}

/**
 * Compares the projections as they are now with the log as far as they have taken it in, of at most `size` entries.
 * Returns why they were not compared, or null.
 */
export async function checkProjections(
  parts: ProjectionParts,
  size: number,
  findings: Findings,
): Promise<string | null> {
  const { problems } = findings;
  let snapshot: ProjectionSnapshot;
  try {
    snapshot = new ProjectionSnapshot(parts.file);
  } catch (error) {
    return `The projections cannot be opened (${messageOf(error)}): tally rebuild makes them anew.`;
  }
  using found = snapshot;
  const cursor = found.size;
  if (cursor > (await parts.store.size())) {
    const compared = { expected: `at most ${size}`, found: String(cursor) };
    problems.add({
      ...problemAt(0, 'cursor', 'size', 'the projections know more than the log holds', compared),
      index: null,
    });
    return null;
  }
  // The log may have grown since, and the projections with it: what was not checked is not derived from.
  if (cursor > size)
    return 'The projections have moved on since the check began: run it again to compare them.';
  const isBehind = await hasRecords(parts.store, cursor, size);
  const agreed = isBehind || parts.summed === null ? null : await agreedRows(parts, parts.summed, found);
  if (agreed !== null) {
    findings.counts.rows += agreed;
    findings.onProgress({ step: 'projections', done: cursor, total: cursor });
    return null;
  }
  const differences = await compareAt(parts, found, cursor, findings);
  // An erasure takes away what the projections of before it were derived from.
  const erasure = differences.length > 0 ? await erasureAfter(parts.store, cursor) : null;
  if (erasure !== null && erasure >= size)
    return 'A customer was erased while the projections were compared: run it again to compare them.';
  if (erasure !== null)
    return (
      `The projections have taken in ${cursor} of ${size} entries, and not the erasure at entry ${erasure}: start the ` +
      'server, or run tally rebuild, and run this again to compare them.'
    );
  problems.add(...differences);
  // A server's projections take note of a map root with the next record.
  if (!isBehind) return null;
  return `The projections have taken in ${cursor} of ${size} entries, and were compared up to there.`;
}

async function agreedRows(
  { store }: ProjectionParts,
  { sums, pool, erasing }: Summed,
  found: ProjectionSnapshot,
): Promise<number | null> {
  return sums.agreedRows(await pool.tables(), found, store, erasing);
}

/** Returns the differences, as many as the report may list. */
async function compareAt(
  parts: ProjectionParts,
  found: ProjectionSnapshot,
  cursor: number,
  findings: Findings,
): Promise<FsckProblem[]> {
  const { problems, counts, onProgress } = findings;
  const prefix = new PrefixStore(parts.store, cursor);
  const folder = mkdtempSync(join(parts.scratch ?? tmpdir(), 'tally-fsck-'));
  try {
    const file = join(folder, 'projections.db');
    await deriveProjections({ ...parts, store: prefix }, file, (done) =>
      onProgress({ step: 'projections', done, total: cursor }),
    );
    await checkErased(prefix, parts.store, problems);
    using expected = new ProjectionSnapshot(file);
    const differences: FsckProblem[] = [];
    counts.rows += compareProjections(expected, found, (problem) => differences.push(problem) < problemsMax);
    return differences;
  } catch (error) {
    if (!(error instanceof IntegrityAlarm)) throw error;
    return [problemAt(error.index, 'contents', 'document', error.message)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What an erasure covers must be gone by the time the projections have passed it. */
async function checkErased({ erased }: PrefixStore, store: Store, problems: Problems): Promise<void> {
  for (const index of erased) {
    const stored = await store.entry(index);
    if (stored?.content == null || stored.content.document === null) continue;
    problems.add(
      problemAt(index, 'contents', 'document', 'a later erasure covers it, and it was not removed'),
    );
    if (problems.isFull) return;
  }
}

/** Where the log erased a customer after its first `size` entries; null where it did not. */
async function erasureAfter(store: Store, size: number): Promise<number | null> {
  for await (const { index, entry, subject } of entriesFrom(store, size)) {
    if (subject !== null && parseRecordEntry(entry).record.type === 'customer.erased') return index;
  }
  return null;
}

async function hasRecords(store: Store, from: number, to: number): Promise<boolean> {
  for await (const { subject } of entriesFrom(store, from, to)) if (subject !== null) return true;
  return false;
}
