import { isMapRoot } from '@tallystick/core';
import { isTrustRootEntry } from '@tallystick/witness';

/** True for entries that are no records: map roots and trust roots. */
export function isPlainEntry(entry: Uint8Array): boolean {
  return isMapRoot(entry) || isTrustRootEntry(entry);
}
