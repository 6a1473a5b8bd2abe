import { sha256, sha256Into } from '#platform';
import { utf8 } from './encoding/bytes.ts';

export { sha256, sha256Into };

/** Bytes of a SHA-256 digest. */
export const hashLength = 32;

/** Longer inputs are rare, and keeping a buffer for them would keep their memory. */
const scratchMax = 64 * 1024;
/** One buffer for the inputs of all hashes: a new one for each costs more than hashing what is in it. */
const scratch = new Uint8Array(scratchMax);

/** `H(parts…)`, the parts one after the other. */
export function hashOf(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const input = length <= scratchMax ? scratch : new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    input.set(part, at);
    at += part.length;
  }
  return sha256(input.subarray(0, length));
}

/** Domains are few, and written in the source. */
const prefixes = new Map<string, Uint8Array>();

/** `H(domain || 00 || parts…)`: no two uses of the hash can be mistaken for each other. */
export function domainHash(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  let prefix = prefixes.get(domain);
  if (prefix === undefined) {
    prefix = utf8(`${domain}\0`);
    prefixes.set(domain, prefix);
  }
  return hashOf(prefix, ...parts);
}
