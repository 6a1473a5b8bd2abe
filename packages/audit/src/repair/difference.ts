/** Where a store differs from the log that a checkpoint commits to. */
import {
  equalBytes,
  IntegrityError,
  isPlainEntry,
  type LogRecord,
  type LogTree,
  leafHash,
  parseRecordEntry,
  SubjectMap,
} from '@tallystick/core';
import type { Store, StoredEntry } from '@tallystick/ledger';
import { checkNarrowRow } from '../narrow-row.ts';
import { ContentDifference, type LackingRecord } from './content-difference.ts';
import { ErasedSubjects } from './erased-subjects.ts';
import type { Repaired } from './report.ts';

export interface Difference {
  /** Log indexes whose entry is not in the store, or is another one. */
  entries: number[];
  /** Entries that are there, with a narrow row beside them that does not say what they say. */
  rows: StoredEntry[];
  /** All of those, in order of what is wrong with them. */
  found: Repaired[];
  /**
   * Records whose document, companion or cause is not there, or another one, where that was looked at; and commands beside which
   * something signed is against the log.
   */
  lacking: LackingRecord[];
  /** What the store's entries erase. */
  erased: ErasedSubjects;
  /** Where the subjects of the store's records stand, by its narrow rows. */
  subjects: SubjectMap;
}

const entriesPerRead = 1000;

/**
 * Compares the store's entries up to `to` with the leaves of `tree`, which has as many; where `contents` are wanted their
 * documents as well, with what the entries commit to.
 */
export async function differenceOf(
  store: Store,
  tree: LogTree,
  { to, genesis, contents: isComplete }: { to: number; genesis: Uint8Array; contents: boolean },
  onProgress: (entries: number) => void,
): Promise<Difference> {
  const contents = new ContentDifference(genesis, isComplete);
  const difference: Difference = {
    entries: [],
    rows: [],
    found: [],
    lacking: [],
    erased: new ErasedSubjects(),
    subjects: new SubjectMap(Number.POSITIVE_INFINITY),
  };
  for (let from = 0; from < to; from += entriesPerRead) {
    const end = Math.min(to, from + entriesPerRead);
    const stored = new Map((await store.entries(from, end - from)).map((entry) => [entry.index, entry]));
    const causeAt = new Map((await store.causes(from, end)).map((cause) => [cause.index, cause]));
    for (let index = from; index < end; index++) {
      const entry = stored.get(index);
      const isThere = compare(difference, tree, index, entry);
      const record = isThere && entry !== undefined ? recordIn(entry) : null;
      const first = difference.erased.take(index, record);
      if (record !== null && entry !== undefined) contents.take(entry, record, first, causeAt.get(index));
    }
    onProgress(end);
  }
  difference.lacking = contents.lacking(difference.erased);
  return difference;
}

function recordIn({ entry }: StoredEntry): LogRecord | null {
  return isPlainEntry(entry) ? null : parseRecordEntry(entry).record;
}

/** Returns whether the entry is the one that was logged. */
function compare(
  difference: Difference,
  tree: LogTree,
  index: number,
  stored: StoredEntry | undefined,
): boolean {
  const leaf = tree.leaf(index);
  if (stored === undefined) {
    difference.entries.push(index);
    difference.found.push({ index, table: 'leaves', message: 'the row was missing' });
    return false;
  }
  const { subject, rev } = stored;
  if (subject !== null) difference.subjects.set({ key: subject, index, leaf, rev });
  if (!equalBytes(leafHash(stored.entry), leaf)) {
    difference.entries.push(index);
    difference.found.push({ index, table: 'entries', message: 'the entry was not the one that was logged' });
    return false;
  }
  const message = narrowProblem(stored, leaf);
  if (message === null) return true;
  difference.rows.push(stored);
  difference.found.push({ index, table: 'leaves', message });
  return true;
}

/** What the narrow row says wrongly of the entry beside it, which is the one logged. */
function narrowProblem(stored: StoredEntry, leaf: Uint8Array): string | null {
  if (!equalBytes(stored.leaf, leaf)) return 'the leaf hash was not the one that was logged';
  if (isPlainEntry(stored.entry)) {
    return stored.subject === null && stored.rev === 0 ? null : 'the row named a subject';
  }
  return checkNarrowRow(stored, parseRecordEntry(stored.entry).record)?.message ?? null;
}

/** The narrow row of an entry that was logged. */
export function rowOf(index: number, entry: Uint8Array): Omit<StoredEntry, 'content'> {
  const leaf = leafHash(entry);
  if (isPlainEntry(entry)) return { index, leaf, subject: null, rev: 0, entry };
  try {
    const { subject, rev } = parseRecordEntry(entry).record;
    return { index, leaf, subject, rev, entry };
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    throw new Error(`entry ${index} is of a kind that this version does not know`, { cause: error });
  }
}
