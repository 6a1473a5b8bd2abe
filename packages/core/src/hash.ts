import { sha256, sha256Into } from '#platform';
import { concatBytes, utf8 } from './encoding/bytes.ts';

export { sha256, sha256Into };

/** Bytes of a SHA-256 digest. */
export const hashLength = 32;

const separator = new Uint8Array(1);

/** `H(domain || 00 || parts…)`: no two uses of the hash can be mistaken for each other. */
export function domainHash(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concatBytes(utf8(domain), separator, ...parts));
}
