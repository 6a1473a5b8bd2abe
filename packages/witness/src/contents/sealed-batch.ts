/**
 * Batches of sealed documents as they travel and lie: from a log's server to a mirror, and from a mirror to whoever
 * repairs a store. Byte strings of a body, one after the other, each
 *
 *     u32be length || header as JSON || for each part: u8 kind || u64be index || u32be length || bytes
 *
 * The header says from which index up to which the batch has everything, how large the log was, and whom it is sealed to.
 */
import {
  asCount,
  asString,
  base64,
  closedMembers,
  decodeBase64,
  type Opening,
  parseJson,
  utf8,
} from '@tallystick/core';
import type { ContentPublicKey } from './content-key.ts';
import { type Content, encodeCause, encodeContent, encodeRequest, type StoredCauseBytes } from './parts.ts';
import { newBatchKey, sealPart } from './seal.ts';

/**
 * `gone` and `causeGone` have no bytes: the log's server has not got what they stand for. A request that it has not got is left
 * out, as is the one of a cause that commits to none: that a cause commits to one is not for everybody to know.
 */
export const partKinds = { content: 1, cause: 2, gone: 3, causeGone: 4, request: 5 } as const;
export type PartKind = (typeof partKinds)[keyof typeof partKinds];

export interface SealedPart {
  kind: PartKind;
  /** Log index of the record, of a cause that of its command's first one. */
  index: number;
  sealed: Uint8Array;
}

export interface BatchHeader {
  /** Every record from index `from` up to and without `to` has its parts here. */
  from: number;
  to: number;
  /** Number of entries of the log when the batch was made. */
  size: number;
  /** Whom it is sealed to: id of a content key. */
  key: string;
  /** What the key of the batch is got from: 32 bytes. */
  enc: Uint8Array;
}

export interface SealedBatch {
  header: BatchHeader;
  parts: SealedPart[];
}

/** What a log's server has of one record, or of the cause of a command at its first record. */
export type PlainPart =
  | { index: number; content: Content | null }
  | { index: number; cause: StoredCauseBytes | null }
  | { index: number; request: Opening };

const headerLengthMax = 1024;
const partHeadLength = 13;

export function sealBatch(
  plain: readonly PlainPart[],
  range: Pick<BatchHeader, 'from' | 'to' | 'size'>,
  recipient: ContentPublicKey,
  genesis: Uint8Array,
): Uint8Array {
  const { key, enc } = newBatchKey(recipient, genesis);
  const parts = plain.map((part): SealedPart => {
    const { index } = part;
    const [kind, bytes] = encoded(part);
    return { kind, index, sealed: bytes === null ? noBytes : sealPart(key, kind, index, bytes) };
  });
  return encodeBatch({ header: { ...range, key: recipient.id, enc }, parts });
}

const noBytes = new Uint8Array(0);

function encoded(part: PlainPart): [PartKind, Uint8Array | null] {
  if ('content' in part) {
    return part.content === null ? [partKinds.gone, null] : [partKinds.content, encodeContent(part.content)];
  }
  if ('request' in part) return [partKinds.request, encodeRequest(part.request)];
  return part.cause === null ? [partKinds.causeGone, null] : [partKinds.cause, encodeCause(part.cause)];
}

export function encodeBatch({ header, parts }: SealedBatch): Uint8Array {
  const length = parts.reduce((sum, { sealed }) => sum + partHeadLength + sealed.length, 0);
  const { from, to, size, key, enc } = header;
  const head = utf8(JSON.stringify({ v: 1, from, to, size, key, enc: base64(enc), length }));
  const bytes = new Uint8Array(4 + head.length + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length);
  bytes.set(head, 4);
  let at = 4 + head.length;
  for (const { kind, index, sealed } of parts) {
    view.setUint8(at, kind);
    view.setBigUint64(at + 1, BigInt(index));
    view.setUint32(at + 9, sealed.length);
    bytes.set(sealed, at + partHeadLength);
    at += partHeadLength + sealed.length;
  }
  return bytes;
}

/** Reads a whole body; throws IntegrityError or RangeError where it is not made of batches. Opens nothing. */
export function parseBatches(bytes: Uint8Array): SealedBatch[] {
  const batches: SealedBatch[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const headLength = view.getUint32(at);
    if (headLength > headerLengthMax) throw new RangeError('the header of a batch is too long');
    const { header, length } = parseHeader(bytes.subarray(at + 4, at + 4 + headLength));
    at += 4 + headLength;
    if (at + length > bytes.length) throw new RangeError('a batch is cut off');
    batches.push({ header, parts: [...partsIn(bytes, view, at, at + length, header)] });
    at += length;
  }
  return batches;
}

function* partsIn(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  header: BatchHeader,
): Generator<SealedPart> {
  let last = -1;
  for (let at = from; at < end; ) {
    const kind = view.getUint8(at);
    const index = Number(view.getBigUint64(at + 1));
    const length = view.getUint32(at + 9);
    const start = at + partHeadLength;
    at = start + length;
    // In order, and nothing twice: a cause stands behind the content of its first record, and its request behind it.
    const place = 3 * index + (isPartKind(kind) ? ranks[kind] : 0);
    if (!isPartKind(kind) || index < header.from || index >= header.to || place <= last || at > end)
      throw new RangeError('the parts of a batch are not what its header says');
    last = place;
    yield { kind, index, sealed: bytes.slice(start, at) };
  }
}

function isPartKind(kind: number): kind is PartKind {
  return kind >= partKinds.content && kind <= partKinds.request;
}

const ranks: Readonly<Record<PartKind, number>> = { 1: 0, 3: 0, 2: 1, 4: 1, 5: 2 };

function parseHeader(bytes: Uint8Array): { header: BatchHeader; length: number } {
  const members = ['v', 'from', 'to', 'size', 'key', 'enc', 'length'] as const;
  const json = closedMembers(parseJson(bytes), members, 'batch');
  if (json.v !== 1) throw new RangeError('a batch of another version');
  const [from, to] = [asCount(json.from, 'batch.from'), asCount(json.to, 'batch.to')];
  if (from >= to) throw new RangeError('a batch of nothing');
  const header: BatchHeader = {
    from,
    to,
    size: asCount(json.size, 'batch.size'),
    key: asString(json.key, 'batch.key'),
    enc: decodeBase64(asString(json.enc, 'batch.enc'), 32),
  };
  return { header, length: asCount(json.length, 'batch.length') };
}
