/** Leaf hashes of a log, from its tiles. What comes is believed when it makes the root of a checkpoint. */
import { formatTilePath, hashLength, tileWidth } from '@tallystick/core';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';

/** A tree of that size is not what the log has, or it hides it. */
export class NotServed extends Error {}

/** Leaves `from` up to `to`, in order. Throws NotServed, or Unavailable where the log does not answer. */
export async function* fetchLeaves(http: HttpSource, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let tile = Math.floor(from / tileWidth); tile * tileWidth < to; tile++) {
    const width = Math.min(tileWidth, to - tile * tileWidth);
    const hashes = await fetchTile(http, tile, width);
    for (let at = Math.max(0, from - tile * tileWidth); at < width; at++)
      yield hashes.subarray(at * hashLength, (at + 1) * hashLength);
  }
}

/** A partial tile may be gone once the full one exists: tlog-tiles says to ask for that one then. */
async function fetchTile(http: HttpSource, index: number, width: number): Promise<Uint8Array> {
  for (const tryWidth of new Set([width, tileWidth])) {
    const path = formatTilePath({ level: 0, index, width: tryWidth });
    const hashes = await fetchBytes(http, path, tileWidth * hashLength);
    if (hashes !== null && hashes.length === tryWidth * hashLength) return hashes;
  }
  throw new NotServed(`the log does not serve tile ${index} of width ${width}`);
}
