/** Reads a journal line by line, in little memory. */
import { readSync } from 'node:fs';
import { lineLengthMax } from './lines.ts';

export interface RawLine {
  /** Where it begins in the file. */
  offset: number;
  /** Without its line feed; valid until the next line is asked for. */
  bytes: Uint8Array;
}

const chunkLength = 256 * 1024;
const lineFeed = 0x0a;

/** Where the lines end, and how many bytes of an unfinished one follow. */
export interface LinesEnd {
  end: number;
  torn: number;
}

/**
 * The complete lines from `offset` on, up to the first zero byte, with which room for more begins, or to `limit`. What
 * has no line feed there is being written, or was when its writer died. A line above the limit of its length ends in
 * pieces, which are no lines.
 */
export function* readLines(fd: number, offset: number, limit: number): Generator<RawLine, LinesEnd> {
  let held = Buffer.alloc(0);
  let at = offset;
  let next = offset;
  while (next < limit) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkLength, limit - next));
    const length = readSync(fd, chunk, 0, chunk.length, next);
    if (length === 0) break;
    next += length;
    held = Buffer.concat([held, chunk.subarray(0, length)]);
    const zero = held.indexOf(0);
    if (zero !== -1) held = held.subarray(0, zero);
    let from = 0;
    for (let found = held.indexOf(lineFeed); found !== -1; found = held.indexOf(lineFeed, from)) {
      yield { offset: at, bytes: held.subarray(from, found) };
      at += found + 1 - from;
      from = found + 1;
    }
    held = held.subarray(from);
    if (zero !== -1) break;
    if (held.length > lineLengthMax) {
      yield { offset: at, bytes: held };
      at += held.length;
      held = Buffer.alloc(0);
    }
  }
  return { end: at, torn: held.length };
}
