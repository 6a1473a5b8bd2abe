import { decodeBase64Loosely, encodeBase64 } from '#platform';
import { malformed } from '../errors.ts';

/** RFC 4648 §4, with padding. */
export function base64(bytes: Uint8Array): string {
  return encodeBase64(bytes);
}

/**
 * Strict RFC 4648 §4: the one text that `base64` would have produced. Throws MALFORMED for anything
 * else, also for the wrong `length` in bytes where one is given.
 */
export function decodeBase64(text: string, length?: number): Uint8Array {
  const bytes = decodeBase64Loosely(text);
  if (encodeBase64(bytes) !== text) throw malformed('not strict base64');
  if (length !== undefined && bytes.length !== length) {
    throw malformed(`expected ${length} bytes, found ${bytes.length}`);
  }
  return bytes;
}
