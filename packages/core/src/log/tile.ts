/** Tiles and entry bundles as C2SP tlog-tiles has them: the paths, and the bytes of an entry bundle. */
import { parseDecimal } from '../encoding/bytes.ts';
import { malformed } from '../errors.ts';

export const tileWidth = 256;
/** Entries carry a 16-bit length in entry bundles. */
export const entryLengthMax = 65_535;

/** `level` is a number for hashes and 'entries' for an entry bundle; `width` is 1 to 256. */
export interface TileName {
  level: number | 'entries';
  index: number;
  width: number;
}

/** `tile/<L>/<N>[.p/<W>]` with N in groups of three digits: 1234067 is `x001/x234/067`. */
export function formatTilePath(tile: TileName): string {
  const digits = String(tile.index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g) ?? [];
  const path = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
  const partial = tile.width === tileWidth ? '' : `.p/${tile.width}`;
  return `tile/${tile.level}/${path}${partial}`;
}

const tilePathRule =
  /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Parses a tile path strictly: exactly what `formatTilePath` writes; throws MALFORMED otherwise. */
export function parseTilePath(path: string): TileName {
  const match = tilePathRule.exec(path);
  if (match === null) throw malformed('not a tile path');
  const level = match[1] === 'entries' ? 'entries' : parseDecimal(match[1] ?? '');
  const index = Number((match[2] ?? '').replaceAll(/[x/]/g, ''));
  const width = match[3] === undefined ? tileWidth : Number(match[3]);
  const tile: TileName = { level, index, width };
  if (!Number.isSafeInteger(index)) throw malformed('tile index above 2^53-1');
  if (level !== 'entries' && level > 63) throw malformed('tile level above 63');
  if ((match[3] !== undefined && width >= tileWidth) || formatTilePath(tile) !== path) {
    throw malformed('not a tile path');
  }
  return tile;
}

/** A sequence of entries, each behind its length as a big-endian uint16. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const entry of entries) length += 2 + entry.length;
  const bundle = new Uint8Array(length);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > entryLengthMax) throw new RangeError('entry too long for a bundle');
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length & 255;
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

/** The `count` entries of a bundle; throws MALFORMED where there are more or fewer. */
export function decodeEntryBundle(bundle: Uint8Array, count: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bundle.length) {
    if (at + 2 > bundle.length) throw malformed('entry bundle: cut short');
    const length = ((bundle[at] as number) << 8) | (bundle[at + 1] as number);
    at += 2;
    if (at + length > bundle.length) throw malformed('entry bundle: cut short');
    entries.push(bundle.subarray(at, at + length));
    at += length;
  }
  if (entries.length !== count) throw malformed(`entry bundle: ${entries.length} entries, not ${count}`);
  return entries;
}
