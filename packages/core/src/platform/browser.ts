import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 as nobleSha256, sha512 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import type { SignatureAlgorithm } from './node.ts';

export type { SignatureAlgorithm } from './node.ts';

export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

export function sha256Into(data: Uint8Array, target: Uint8Array, offset: number): void {
  target.set(nobleSha256(data), offset);
}

const encoder = new TextEncoder();

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One character a byte, so that equal bytes give equal texts. */
export function bytesAsText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

export function encodeBase64(bytes: Uint8Array): string {
  return btoa(bytesAsText(bytes));
}

/** Decodes what it can; strictness is the caller's (re-encode and compare). */
export function decodeBase64Loosely(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}

/** Checks a signature by a raw public key. Never throws: an unusable key verifies nothing. */
export async function verifySignature(
  algorithm: SignatureAlgorithm,
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  try {
    if (algorithm === 'ed25519') return await verifyEd25519(key, message, signature);
    if (algorithm === 'ml-dsa-44') return ml_dsa44.verify(signature, message, key);
    return await verifyP256(key, message, signature);
  } catch {
    return false;
  }
}

async function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const imported = await importEd25519(key);
  if (imported === 'not supported') return verifyEd25519Strictly(key, message, signature);
  return crypto.subtle.verify('Ed25519', imported, copy(signature), copy(message));
}

async function importEd25519(key: Uint8Array): Promise<CryptoKey | 'not supported'> {
  // Pages that were not loaded over a secure channel have no WebCrypto at all.
  if (crypto.subtle === undefined) return 'not supported';
  try {
    return await crypto.subtle.importKey('raw', copy(key), 'Ed25519', false, ['verify']);
  } catch (error) {
    // Only a platform without the algorithm may fall back: a bad key must stay a bad key.
    if (error instanceof DOMException && error.name === 'NotSupportedError') return 'not supported';
    throw error;
  }
}

/**
 * RFC 8032 §5.1.7 without cofactor: encode(S·B − k·A) must equal R byte for byte. The library's own
 * `verify` multiplies by the cofactor and so accepts a few signatures that OpenSSL and BoringSSL
 * refuse; two verifiers of one license must never disagree.
 */
export function verifyEd25519Strictly(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) return false;
  const { Point } = ed25519;
  const order = Point.Fn.ORDER;
  const s = littleEndian(signature.subarray(32));
  if (s >= order) return false;
  const input = new Uint8Array(64 + message.length);
  input.set(signature.subarray(0, 32), 0);
  input.set(key, 32);
  input.set(message, 64);
  const k = littleEndian(sha512(input)) % order;
  const a = Point.fromBytes(key);
  const left = s === 0n ? Point.ZERO : Point.BASE.multiplyUnsafe(s);
  const r = left.subtract(k === 0n ? Point.ZERO : a.multiplyUnsafe(k)).toBytes();
  return r.every((byte, at) => byte === signature[at]);
}

async function verifyP256(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const imported = await crypto.subtle.importKey('raw', copy(key), algorithm, false, ['verify']);
  return crypto.subtle.verify(algorithm, imported, copy(signature), copy(message));
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  return value;
}

/** WebCrypto wants bytes that own an ArrayBuffer. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
