/** Entries that are no records: map roots, and trust roots. */
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { isMapRoot } from '../map/map-root.ts';
import { payloadTypes } from './dsse.ts';

const opening = utf8('{"payload":"');
const marker = utf8(`,"payloadType":"${payloadTypes.trustRoot}"`);
const quote = 0x22;

/** True for entries that claim to be no record; they may still be malformed. */
export function isPlainEntry(entry: Uint8Array): boolean {
  return isMapRoot(entry) || isTrustRootEntry(entry);
}

/**
 * True where an entry claims to be a trust root; it may still be malformed. Base64 has no quotes, so the type
 * follows the first one after the payload.
 */
export function isTrustRootEntry(entry: Uint8Array): boolean {
  const end = entry.indexOf(quote, opening.length);
  return end >= 0 && equalBytes(entry.subarray(end + 1, end + 1 + marker.length), marker);
}
