/** Looks records up: by time, and by who asked, what for, or which request it was. */
import { parseInstant, parseSignedCheckpoint, utf8 } from '@tallystick/core';
import { AccessLogError } from './errors.ts';
import { type AccessRecord, parseAccessRecord } from './record.ts';
import { isDropped, openSegment, parseLeaf } from './segment.ts';
import type { SegmentReader, StoredSegment } from './segment-reader.ts';
import { checked, type SegmentStore } from './segment-store.ts';

export interface AccessQuery {
  /** Instants: not before, and before. */
  from: string;
  to: string;
  /** Id of who asked. */
  principal?: string;
  /** Id of what was asked for. */
  resource?: string;
  requestId?: string;
  /** Instant: segments from before then were dropped, and are passed over; null where none were. */
  droppedBefore?: string | null;
}

export interface FoundRecord {
  /** Its number, counted from the log's beginning. */
  n: number;
  /** Index of the leaf that commits to it; null while its segment is open. */
  leaf: number | null;
  record: AccessRecord;
}

/** Where to go on. */
export interface FoundPage {
  records: FoundRecord[];
  /** Number of the record to go on with; null where there are no more. */
  next: number | null;
}

/** What proves records to somebody who has the trust root: whole segments, and the way of their leaves to the root. */
export interface LeavesProof {
  /** The first leaf, and its inclusion. */
  identity: Uint8Array;
  path: Uint8Array[];
  /** The signed and cosigned note. */
  checkpoint: string;
  segments: (StoredSegment & { index: number; leaf: Uint8Array; path: Uint8Array[] })[];
}

/** Segments that one call opens at most, each a few milliseconds of work, and leaves that it looks at. */
const openedMax = 64;
const seenMax = 20_000;

/**
 * Up to `limit` records from number `start` on, oldest first, each segment held against its leaf. A page may be short, or
 * empty, and not be the last. Throws AccessLogError for what does not fit.
 */
export function findRecords(
  reader: SegmentReader,
  query: AccessQuery,
  { start, limit }: { start: number; limit: number },
): FoundPage {
  const [from, to] = [parseInstant(query.from), parseInstant(query.to)];
  const records: FoundRecord[] = [];
  const begin = leafWith(reader, start);
  let opened = 0;
  for (const { index, leaf: bytes } of reader.leaves(begin)) {
    const leaf = checked('leaf', `leaf ${index}`, () => parseLeaf(bytes));
    if (opened === openedMax || index - begin === seenMax) return { records, next: leaf.first };
    if (parseInstant(leaf.to) < from || parseInstant(leaf.from) >= to) continue;
    if (isDropped(leaf, query.droppedBefore ?? null)) continue;
    opened += 1;
    for (const [nth, line] of linesOf(reader, index, leaf).entries()) {
      const n = leaf.first + nth;
      if (n < start) continue;
      if (records.length === limit) return { records, next: n };
      const record = parseAccessRecord(line);
      if (fits(record, query, from, to)) records.push({ n, leaf: index, record });
    }
  }
  for (const { n, line } of reader.pending()) {
    if (n < start) continue;
    if (records.length === limit) return { records, next: n };
    const record = checked('record', `record ${n}`, () => parseAccessRecord(line));
    if (fits(record, query, from, to)) records.push({ n, leaf: null, record });
  }
  return { records, next: null };
}

/**
 * Proves segments, in the order of the log, under the newest checkpoint; those that it does not cover yet are left out. null
 * where there is no checkpoint. Throws AccessLogError for what does not fit.
 */
export function proveLeaves(store: SegmentStore, indexes: readonly number[]): LeavesProof | null {
  const [identity, saved] = [store.leaf(0), store.checkpoint()];
  if (identity === undefined || saved === undefined) return null;
  const { size } = parseSignedCheckpoint(utf8(saved.note));
  const covered = indexes.filter((index) => index < size).sort((a, b) => a - b);
  const segments = covered.map((index) => {
    const [leaf, segment] = [store.leaf(index), store.segment(index)];
    if (leaf === undefined || segment === undefined)
      throw new AccessLogError('segment', `there is no segment ${index}`);
    checked('segment', `segment ${index}`, () => openSegment(parseLeaf(leaf), segment.salt, segment.bytes));
    return { ...segment, index, leaf, path: store.tree.inclusionProof(index, size) };
  });
  return { identity, path: store.tree.inclusionProof(0, size), checkpoint: saved.note, segments };
}

/** Index of the leaf whose segment has a record of this number, or behind the last one. */
function leafWith(reader: SegmentReader, n: number): number {
  let [low, high] = [1, Math.max(1, reader.size)];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const bytes = reader.leaf(middle) ?? new Uint8Array(0);
    const { first, count } = checked('leaf', `leaf ${middle}`, () => parseLeaf(bytes));
    if (first + count <= n) low = middle + 1;
    else high = middle;
  }
  return low;
}

function linesOf(reader: SegmentReader, index: number, leaf: ReturnType<typeof parseLeaf>): string[] {
  const segment = reader.segment(index);
  if (segment === undefined) throw new AccessLogError('segment', `the segment of leaf ${index} is missing`);
  return checked('segment', `the segment of leaf ${index}`, () =>
    openSegment(leaf, segment.salt, segment.bytes),
  );
}

function fits(record: AccessRecord, query: AccessQuery, from: number, to: number): boolean {
  const at = parseInstant(record.at);
  if (at < from || at >= to) return false;
  const { principal, resource, requestId } = query;
  if (principal !== undefined && record.who?.id !== principal) return false;
  if (resource !== undefined && record.resource?.id !== resource) return false;
  return requestId === undefined || record.requestId === requestId;
}
