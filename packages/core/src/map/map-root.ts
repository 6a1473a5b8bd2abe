/**
 * The `map.root` entry: the last leaf under every published checkpoint.
 *
 *     tallystick/map.root/v1
 *     n, the number of entries before it: its own index
 *     base64 map root over entries 0..n−1
 *     base64 H(payload of the governing trust root)
 *     at, an instant
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { decodeUtf8, parseDecimal, utf8 } from '../encoding/bytes.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';

export interface MapRootEntry {
  index: number;
  root: Uint8Array;
  /** H(payload) of the trust root that governs every checkpoint ending in this entry. */
  trust: Uint8Array;
  at: string;
}

const family = 'tallystick/map.root/';
const header = `${family}v1`;

export function encodeMapRoot(entry: MapRootEntry): Uint8Array {
  return utf8(`${header}\n${entry.index}\n${base64(entry.root)}\n${base64(entry.trust)}\n${entry.at}\n`);
}

/** True where an entry claims to be a map root; it may still be malformed. */
export function isMapRoot(entry: Uint8Array): boolean {
  if (entry.length < family.length) return false;
  for (let at = 0; at < family.length; at++) if (entry[at] !== family.charCodeAt(at)) return false;
  return true;
}

export function parseMapRoot(entry: Uint8Array): MapRootEntry {
  const [first, index, root, trust, at, end, ...rest] = decodeUtf8(entry).split('\n');
  if (first !== header) {
    if (first?.startsWith(family)) throw new IntegrityError('TOO_NEW', `entry ${first}`);
    throw malformed('not a map.root entry');
  }
  if (at === undefined || end !== '' || rest.length > 0) throw malformed('map.root entry is not five lines');
  parseInstant(at);
  return {
    index: parseDecimal(index ?? ''),
    root: decodeBase64(root ?? '', hashLength),
    trust: decodeBase64(trust ?? '', hashLength),
    at,
  };
}
