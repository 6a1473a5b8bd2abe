import { encodeUtf8 } from '#platform';
import { malformed } from '../errors.ts';

/** `ignoreBOM` keeps a leading byte order mark as text, so that decoding loses no byte. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lone surrogates become U+FFFD. The bytes may share a buffer with others. */
export function utf8(text: string): Uint8Array {
  return encodeUtf8(text);
}

/** Throws MALFORMED where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed('not valid UTF-8');
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Not constant time: everything compared here is public. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

const hexDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at++) text += hexDigits[bytes[at] as number] as string;
  return text;
}

/** Lower-case hexadecimal, two digits a byte. */
export function decodeHex(text: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw malformed('not lower-case hexadecimal');
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A safe non-negative integer as eight big-endian bytes. */
export function u64be(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value >>> 0);
  return bytes;
}

/** Eight big-endian bytes at `offset` as a safe integer; throws MALFORMED above 2^53−1. */
export function readU64be(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
  if (!Number.isSafeInteger(value)) throw malformed('integer above 2^53-1');
  return value;
}

/** `0` or `[1-9][0-9]*` up to 2^53−1; throws MALFORMED otherwise. */
export function parseDecimal(text: string): number {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) throw malformed('not a decimal integer');
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw malformed('integer above 2^53-1');
  return value;
}
