import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';

/** Signature algorithms that keys of this protocol can have; one per key, for ever. */
export type SignatureAlgorithm = 'ed25519' | 'ml-dsa-44' | 'ecdsa-p256-sha256';

const hashBytes = 32;

/** Node's Buffers have these methods, which work on any Uint8Array; its type declarations leave them out. */
interface BufferMethods {
  latin1Write: (this: Uint8Array, text: string, offset: number, length: number) => number;
  latin1Slice: (this: Uint8Array, start: number, end: number) => string;
  base64Write: (this: Uint8Array, text: string, offset: number, length: number) => number;
  base64Slice: (this: Uint8Array, start: number, end: number) => string;
}
const { latin1Write, latin1Slice, base64Write, base64Slice } = Buffer.prototype as unknown as BufferMethods;

export function sha256(data: Uint8Array): Uint8Array {
  const digest = Buffer.allocUnsafe(hashBytes);
  latin1Write.call(digest, hash('sha256', data, 'binary'), 0, hashBytes);
  return digest;
}

/**
 * Writes SHA-256 of `data` to `target` at `offset`. Asking for a latin1 string and writing that is
 * about three times as fast as letting `hash` allocate a Buffer per digest (Node 24).
 */
export function sha256Into(data: Uint8Array, target: Uint8Array, offset: number): void {
  latin1Write.call(target, hash('sha256', data, 'binary'), offset, hashBytes);
}

/** Many times as fast as TextEncoder for the short texts of this protocol. */
export function encodeUtf8(text: string): Uint8Array {
  const encoded = Buffer.from(text, 'utf8');
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}

/** One character a byte, so that equal bytes give equal texts. */
export function bytesAsText(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

export function encodeBase64(bytes: Uint8Array): string {
  return base64Slice.call(bytes, 0, bytes.length);
}

/** Short byte strings are cut from one buffer: a buffer for each costs more than what is done with it. */
const poolBytes = 16 * 1024;
let pool = new Uint8Array(poolBytes);
let poolUsed = 0;

/** Decodes what it can; strictness is the caller's (re-encode and compare). */
export function decodeBase64Loosely(text: string): Uint8Array {
  const room = Math.ceil(text.length / 4) * 3;
  if (room > poolBytes / 4) {
    const decoded = Buffer.from(text, 'base64');
    return new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength);
  }
  if (poolUsed + room > poolBytes) {
    pool = new Uint8Array(poolBytes);
    poolUsed = 0;
  }
  const from = poolUsed;
  const length = base64Write.call(pool, text, from, room);
  poolUsed += length;
  return new Uint8Array(pool.buffer, from, length);
}

/** Checks a signature by a raw public key. Never throws: an unusable key verifies nothing. */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const imported = importedKey(algorithm, key);
  if (imported === undefined) return false;
  if (algorithm === 'ecdsa-p256-sha256') {
    return verify('sha256', message, { key: imported, dsaEncoding: 'ieee-p1363' }, signature);
  }
  return verify(null, message, imported, signature);
}

/** SubjectPublicKeyInfo up to the raw key: RFC 8410, RFC 9881 and RFC 5480. */
const spkiPrefix: Record<SignatureAlgorithm, Buffer> = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  'ml-dsa-44': Buffer.from('30820532300b06096086480165030403110382052100', 'hex'),
  'ecdsa-p256-sha256': Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
};

/** Importing a key costs more than a signature check's set-up; a process meets few keys. */
const importedKeys = new Map<string, KeyObject>();
const importedKeysMax = 1024;

function importedKey(algorithm: SignatureAlgorithm, key: Uint8Array): KeyObject | undefined {
  const name = algorithm + encodeBase64(key);
  const known = importedKeys.get(name);
  if (known !== undefined) return known;
  try {
    const der = Buffer.concat([spkiPrefix[algorithm], key]);
    const imported = createPublicKey({ key: der, format: 'der', type: 'spki' });
    if (importedKeys.size >= importedKeysMax) importedKeys.clear();
    importedKeys.set(name, imported);
    return imported;
  } catch {
    return undefined;
  }
}
