/** The entries of a log as tlog-tiles serves them, in order, some tiles ahead. */
import { decodeEntryBundle, entryLengthMax, formatTilePath, tileWidth } from '@tallystick/core';
import { fetchBytes, type HttpSource } from './http-source.ts';
import { ruled, Unavailable } from './violation.ts';

export interface EntryRun {
  /** Log index of the first entry. */
  start: number;
  entries: Uint8Array[];
}

const tileLengthMax = tileWidth * (2 + entryLengthMax);
const aheadMax = 8;

/** Entries `from` up to `to` in runs of at most one tile. Throws Unavailable, or a violation of `tile`. */
export async function* fetchEntries(source: HttpSource, from: number, to: number): AsyncGenerator<EntryRun> {
  if (from >= to) return;
  const last = Math.ceil(to / tileWidth);
  let next = Math.floor(from / tileWidth);
  const ahead: Promise<EntryRun>[] = [];
  const leaving = new AbortController();
  const bounded = { ...source, signal: AbortSignal.any([source.signal, leaving.signal]) };
  try {
    while (next < last || ahead.length > 0) {
      while (next < last && ahead.length < aheadMax) {
        const tile = fetchTile(bounded, next, from, to);
        // The run is awaited in its turn; a failure before that must not count as unhandled.
        tile.catch(ignore);
        ahead.push(tile);
        next += 1;
      }
      yield await (ahead.shift() as Promise<EntryRun>);
    }
  } finally {
    // A caller that has seen enough does not want the tiles ahead.
    leaving.abort();
  }
}

function ignore(): void {}

async function fetchTile(source: HttpSource, tile: number, from: number, to: number): Promise<EntryRun> {
  const first = tile * tileWidth;
  const width = Math.min(tileWidth, to - first);
  const entries = await fetchTileEntries(source, tile, width);
  const skipped = Math.max(0, from - first);
  return { start: first + skipped, entries: entries.slice(skipped, width) };
}

/** A partial tile may be gone once the full one exists: tlog-tiles says to ask for that one then. */
async function fetchTileEntries(source: HttpSource, index: number, width: number): Promise<Uint8Array[]> {
  for (const tryWidth of width === tileWidth ? [tileWidth] : [width, tileWidth]) {
    const path = formatTilePath({ level: 'entries', index, width: tryWidth });
    const bundle = await fetchBytes(source, path, tileLengthMax);
    if (bundle !== null) {
      return ruled('tile', index * tileWidth, () => decodeEntryBundle(bundle, tryWidth));
    }
  }
  throw new Unavailable(`the log does not serve entry tile ${index} of width ${width}`);
}
