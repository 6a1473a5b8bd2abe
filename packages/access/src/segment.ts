/**
 * A segment: the lines of consecutive records, each with its line feed, compressed with gzip, and the leaf of the access
 * log that commits to it:
 *
 *     {"v":1,"first","count","from","to","segment"}
 *
 * `first` is the number of its first record, counted from the log's beginning; `from` and `to` the earliest and latest
 * time in it; `segment` is base64 of H("tallystick/access/v1" || 00 || salt || compressed bytes). With salt and bytes gone
 * nobody can tell what was in it, and the log still verifies.
 */
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import {
  asCount,
  asString,
  base64,
  closedMembers,
  decodeBase64,
  decodeUtf8,
  domainHash,
  equalBytes,
  hashDomain,
  hashLength,
  IntegrityError,
  malformed,
  parseInstant,
  parseJson,
  requireVersion1,
  utf8,
} from '@tallystick/core';
import { lineLengthMax, parseAccessRecord } from './record.ts';

/** Records of a segment, and bytes of its lines in UTF-16 units before one more would be too many. */
export const recordsMax = 1000;
export const linesLengthMax: number = 1024 * 1024;

export interface SegmentLeaf {
  first: number;
  count: number;
  /** Instants. */
  from: string;
  to: string;
  /** Commitment to salt and bytes. */
  segment: Uint8Array;
}

const timeAt = '{"at":"'.length;
const instantLength = 24;
const segmentDomain = hashDomain('tallystick/access/v1');
/** What a segment may become when it is opened: a line more than fits, each of its characters in four bytes. */
const openedLengthMax = 4 * (linesLengthMax + lineLengthMax + recordsMax);

export function packLines(lines: readonly string[]): Uint8Array {
  return gzipSync(`${lines.join('\n')}\n`, { level: constants.Z_BEST_SPEED });
}

/** Throws MALFORMED. */
function unpackLines(bytes: Uint8Array): string[] {
  let text: string;
  try {
    text = decodeUtf8(gunzipSync(bytes, { maxOutputLength: openedLengthMax }));
  } catch (error) {
    throw malformed(`segment: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!text.endsWith('\n')) throw malformed('segment: its last line has no end');
  return text.slice(0, -1).split('\n');
}

function segmentCommitment(salt: Uint8Array, bytes: Uint8Array): Uint8Array {
  return domainHash(segmentDomain, salt, bytes);
}

/** The leaf of a segment of these lines, of which there is at least one. */
export function leafOf(
  first: number,
  lines: readonly string[],
  salt: Uint8Array,
  bytes: Uint8Array,
): SegmentLeaf {
  const times = lines.map(timeOf).sort();
  const [from = '', to = from] = [times[0], times.at(-1)];
  return { first, count: lines.length, from, to, segment: segmentCommitment(salt, bytes) };
}

/**
 * Whether a segment was dropped on purpose, where its content is not there: all of it is from before `droppedBefore`.
 *
 * @param droppedBefore instant; null where nothing was
 */
export function isDropped({ to }: Pick<SegmentLeaf, 'to'>, droppedBefore: string | null): boolean {
  return droppedBefore !== null && parseInstant(to) < parseInstant(droppedBefore);
}

/** Every record begins with its time. */
export function timeOf(line: string): string {
  return line.slice(timeAt, timeAt + instantLength);
}

export function encodeLeaf({ first, count, from, to, segment }: SegmentLeaf): Uint8Array {
  return utf8(JSON.stringify({ v: 1, first, count, from, to, segment: base64(segment) }));
}

/** Throws MALFORMED, or TOO_NEW for one of a newer version. */
export function parseLeaf(bytes: Uint8Array): SegmentLeaf {
  const json = closedMembers(parseJson(bytes), ['v', 'first', 'count', 'from', 'to', 'segment'], 'leaf');
  requireVersion1(json.v, 'leaf');
  const leaf = {
    first: asCount(json.first, 'first'),
    count: asCount(json.count, 'count'),
    from: asString(json.from, 'from'),
    to: asString(json.to, 'to'),
    segment: decodeBase64(asString(json.segment, 'segment'), hashLength),
  };
  if (leaf.count < 1 || parseInstant(leaf.from) > parseInstant(leaf.to))
    throw malformed('leaf: count or times');
  return leaf;
}

/**
 * The lines of a segment, checked against its leaf. Throws ALTERED where they are not the ones that it commits to, and
 * MALFORMED where what it commits to is none.
 */
export function openSegment(leaf: SegmentLeaf, salt: Uint8Array, bytes: Uint8Array): string[] {
  if (!equalBytes(segmentCommitment(salt, bytes), leaf.segment))
    throw new IntegrityError('ALTERED', 'the segment is not the one that its leaf commits to');
  const lines = unpackLines(bytes);
  if (lines.length !== leaf.count) throw malformed(`segment of ${lines.length} records, not ${leaf.count}`);
  for (const line of lines) parseAccessRecord(line);
  const times = lines.map(timeOf).sort();
  if (times[0] !== leaf.from || times.at(-1) !== leaf.to)
    throw malformed('segment: other times than its leaf');
  return lines;
}
