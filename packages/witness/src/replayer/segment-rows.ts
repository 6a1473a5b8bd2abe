/**
 * The narrow copy of the log from which tree and map are rebuilt at a start: per entry
 *
 *     leaf hash (32) || subject K, zero where there is none (32) || u32be revision || u16be kind of subject
 *
 * packed into segments of many entries, because a database row per entry would cost more to read than the
 * hashing that follows.
 */
import { hashLength } from '@tallystick/core';

const rowLength = 2 * hashLength + 6;
const revisionAt = 2 * hashLength;
const kindAt = revisionAt + 4;

export interface SegmentRow {
  leaf: Uint8Array;
  /** null where the entry is not a record. */
  subject: Uint8Array | null;
  rev: number;
  /** 0 where the entry is not a record. */
  kind: number;
}

/** Rows that are not persisted yet, in log order. */
export class SegmentRows {
  #bytes = new Uint8Array(rowLength * 1024);
  #length = 0;

  append(row: SegmentRow): void {
    if (this.#length + rowLength > this.#bytes.length) this.#grow();
    const at = this.#length;
    const bytes = this.#bytes;
    bytes.set(row.leaf, at);
    if (row.subject === null) bytes.fill(0, at + hashLength, at + revisionAt);
    else bytes.set(row.subject, at + hashLength);
    const { rev, kind } = row;
    bytes[at + revisionAt] = rev >>> 24;
    bytes[at + revisionAt + 1] = rev >>> 16;
    bytes[at + revisionAt + 2] = rev >>> 8;
    bytes[at + revisionAt + 3] = rev;
    bytes[at + kindAt] = kind >>> 8;
    bytes[at + kindAt + 1] = kind;
    this.#length += rowLength;
  }

  get count(): number {
    return this.#length / rowLength;
  }

  /** The rows in pieces of at most `countMax`, as views that are valid until the next append. */
  *pieces(countMax: number): Generator<{ first: number; rows: Uint8Array }> {
    for (let first = 0; first < this.count; first += countMax) {
      const end = Math.min(this.#length, (first + countMax) * rowLength);
      yield { first, rows: this.#bytes.subarray(first * rowLength, end) };
    }
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Calls `each` for every row of a segment; the arrays are views. */
export function readSegment(rows: Uint8Array, each: (row: SegmentRow) => void): void {
  if (rows.length % rowLength !== 0) throw new RangeError('segment of a broken length');
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  for (let at = 0; at < rows.length; at += rowLength) {
    const kind = view.getUint16(at + kindAt);
    each({
      leaf: rows.subarray(at, at + hashLength),
      subject: kind === 0 ? null : rows.subarray(at + hashLength, at + revisionAt),
      rev: view.getUint32(at + revisionAt),
      kind,
    });
  }
}
