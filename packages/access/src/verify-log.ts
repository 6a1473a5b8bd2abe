/** Checks an access log from its first leaf to its last record, against itself and against what was signed. */
import {
  type Checkpoint,
  equalBytes,
  IntegrityError,
  LogTree,
  leafHash,
  parseSignedCheckpoint,
  type TrustRoot,
  utf8,
  type VerifierKey,
  verifyLogSignatures,
  verifyQuorum,
  witnessPolicy,
} from '@tallystick/core';
import { AccessLogError } from './errors.ts';
import { accessVerifierKeys } from './identity.ts';
import { parseAccessRecord } from './record.ts';
import { isDropped, openSegment, parseLeaf } from './segment.ts';
import type { SegmentReader, StoredAccessCheckpoint } from './segment-reader.ts';
import { checked, demandCheckpoint } from './segment-store.ts';

export interface AccessLogParts {
  /** Name of the access log. */
  origin: string;
  /** Every version of the trust root of the log that it belongs to, from 1 up. */
  chain: readonly TrustRoot[];
  /** The newest checkpoint that its signer's mark stands at; null where that cannot be read. */
  mark: Checkpoint | null;
  /** Instant: what is from before then was dropped on purpose, as the main log says; null where nothing was. */
  droppedBefore: string | null;
}

export interface AccessLogReport {
  origin: string;
  leaves: number;
  /** Records in segments, and those of the one that is open. */
  records: number;
  open: number;
  /** Those of `records` that were dropped, and when the last of them was, an instant; null where none were. */
  dropped: number;
  droppedUpTo: string | null;
  checkpoints: number;
  /** Leaves under the newest checkpoint. */
  published: number;
  /** When its cosigners signed that, in POSIX seconds; null where there is none. */
  asOf: number | null;
}

/** Throws AccessLogError for the first thing that does not fit. `onLeaf` is told of each leaf that does. */
export async function verifyAccessLog(
  reader: SegmentReader,
  { origin, chain, mark, droppedBefore }: AccessLogParts,
  onLeaf: (index: number) => void = () => {},
): Promise<AccessLogReport> {
  const tree = new LogTree();
  const identity = reader.leaf(0);
  if (identity === undefined) throw new AccessLogError('identity', 'leaf 0 is missing');
  const vkeys = await identified(identity, chain, origin);
  const told: Told = { records: 0, dropped: 0, droppedUpTo: null, droppedBefore };
  for (const { index, leaf } of reader.leaves()) {
    if (index !== tree.size) throw new AccessLogError('leaf', `leaf ${tree.size} is missing`);
    if (index > 0) checkSegment(reader, index, leaf, told);
    tree.append(leafHash(leaf));
    onLeaf(index);
  }
  const { records, dropped, droppedUpTo } = told;
  const open = checkPending(reader, records);
  const saved = reader.checkpoints();
  let asOf: number | null = null;
  for (const checkpoint of saved) {
    demandCheckpoint(checkpoint, tree);
    asOf = await checkSignatures(checkpoint, { origin, chain, vkeys });
  }
  if (mark !== null) demandMark(mark, tree);
  const published = saved.at(-1)?.size ?? 0;
  const counts = { leaves: tree.size, records, open, dropped, droppedUpTo, checkpoints: saved.length };
  return { origin, ...counts, published, asOf };
}

async function identified(
  identity: Uint8Array,
  chain: readonly TrustRoot[],
  origin: string,
): Promise<VerifierKey[]> {
  let failure: unknown = new AccessLogError('identity', 'there is no trust root');
  // The log's keys may have been others when it began.
  for (const trust of chain) {
    try {
      return await accessVerifierKeys(identity, trust, origin);
    } catch (error) {
      failure = error;
    }
  }
  const why = failure instanceof Error ? failure.message : String(failure);
  throw new AccessLogError('identity', `leaf 0 does not say whose log this is: ${why}`, { cause: failure });
}

interface Told extends Pick<AccessLogReport, 'records' | 'dropped' | 'droppedUpTo'> {
  droppedBefore: string | null;
}

function checkSegment(reader: SegmentReader, index: number, bytes: Uint8Array, told: Told): void {
  const leaf = checked('leaf', `leaf ${index}`, () => parseLeaf(bytes));
  if (leaf.first !== told.records)
    throw new AccessLogError('leaf', `leaf ${index} begins with record ${leaf.first}, not ${told.records}`);
  told.records += leaf.count;
  const segment = reader.segment(index);
  if (segment === undefined && isDropped(leaf, told.droppedBefore)) {
    told.dropped += leaf.count;
    told.droppedUpTo = leaf.to;
    return;
  }
  if (segment === undefined) throw new AccessLogError('segment', `the segment of leaf ${index} is missing`);
  checked('segment', `the segment of leaf ${index}`, () => openSegment(leaf, segment.salt, segment.bytes));
}

function checkPending(reader: SegmentReader, first: number): number {
  const pending = reader.pending();
  for (const [nth, { n, line }] of pending.entries()) {
    if (n !== first + nth)
      throw new AccessLogError('record', `record ${first + nth} is missing among those of the open segment`);
    checked('record', `record ${n} of the open segment`, () => parseAccessRecord(line));
  }
  return pending.length;
}

/** When the cosigners signed, in POSIX seconds. A checkpoint was signed under one of the versions of the trust root. */
async function checkSignatures(
  { size, note }: StoredAccessCheckpoint,
  { origin, chain, vkeys }: { origin: string; chain: readonly TrustRoot[]; vkeys: readonly VerifierKey[] },
): Promise<number> {
  const checkpoint = parseSignedCheckpoint(utf8(note));
  let failure: unknown;
  for (const { quorum } of chain.toReversed()) {
    try {
      if (checkpoint.origin !== origin) throw new IntegrityError('ALTERED', `it is of ${checkpoint.origin}`);
      await verifyLogSignatures(checkpoint, vkeys);
      return await verifyQuorum(checkpoint, witnessPolicy(quorum));
    } catch (error) {
      failure ??= error;
    }
  }
  const why = failure instanceof Error ? failure.message : String(failure);
  throw new AccessLogError('checkpoint', `the checkpoint of size ${size}: ${why}`, { cause: failure });
}

/** Throws AccessLogError (`tail`) where the log is not, or no longer, what its signer signed last. */
export function demandMark({ size, root }: Checkpoint, tree: LogTree): void {
  if (size > tree.size)
    throw new AccessLogError(
      'tail',
      `the signer signed ${size} leaves, and ${tree.size} are there: the end was cut off, or an older file put back`,
    );
  if (!equalBytes(tree.root(size), root))
    throw new AccessLogError('tail', `the first ${size} leaves are not the ones that the signer signed`);
}
