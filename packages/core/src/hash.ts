import { sha256, sha256Into } from '#platform';
import { concatBytes, utf8 } from './encoding/bytes.ts';

export { sha256, sha256Into };

/** Bytes of a SHA-256 digest. */
export const hashLength = 32;

/** Several per record are computed everywhere: the input is laid out in one buffer that is used again. */
const scratch = new Uint8Array(32 * 1024);

/** A use of the hash: `domain || 00`, which no other use begins with. */
export function hashDomain(domain: string): Uint8Array {
  return utf8(`${domain}\0`);
}

/** `H(domain || 00 || parts…)`: no two uses of the hash can be mistaken for each other. */
export function domainHash(domain: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = domain.length;
  for (const part of parts) length += part.length;
  if (length > scratch.length) return sha256(concatBytes(domain, ...parts));
  scratch.set(domain);
  let at = domain.length;
  for (const part of parts) {
    scratch.set(part, at);
    at += part.length;
  }
  return sha256(scratch.subarray(0, length));
}
