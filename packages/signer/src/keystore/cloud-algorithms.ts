/** The two algorithms that services sign with, and how these write keys and signatures. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { checkPublicKey, messageOf } from '@tallystick/core';
import { KeystoreError } from './keystore-error.ts';

export type CloudAlgorithm = 'ed25519' | 'ecdsa-p256-sha256';

export interface CloudPublicKey {
  alg: CloudAlgorithm;
  key: Uint8Array;
}

/** Throws KeystoreError for an algorithm that no service is asked for. */
export function cloudAlgorithm(name: string): CloudAlgorithm {
  if (name === 'ed25519' || name === 'ecdsa-p256-sha256') return name;
  throw new KeystoreError(`keys in a service are ed25519 or ecdsa-p256-sha256, not ${name}`);
}

/** A public key from SubjectPublicKeyInfo (DER or PEM). Throws KeystoreError for one of another algorithm. */
export function publicKeyFromSpki(spki: Uint8Array | string): CloudPublicKey {
  const key = importSpki(spki);
  const { crv, x = '', y = '' } = key.export({ format: 'jwk' });
  const part = (text: string): Buffer => Buffer.from(text, 'base64url');
  if (crv === 'Ed25519') return checkedKey('ed25519', part(x));
  if (crv === 'P-256')
    return checkedKey('ecdsa-p256-sha256', Buffer.concat([Buffer.from([4]), part(x), part(y)]));
  throw new KeystoreError(
    `the key is of type ${crv ?? key.asymmetricKeyType}: make one of Ed25519 or P-256, for signing`,
  );
}

/** Throws KeystoreError for a key that nobody may use. */
export function checkedKey(alg: CloudAlgorithm, raw: Uint8Array): CloudPublicKey {
  const key = new Uint8Array(raw);
  try {
    checkPublicKey(alg, key);
  } catch (error) {
    throw new KeystoreError(`the service shows a public key that nobody may use: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return { alg, key };
}

function importSpki(spki: Uint8Array | string): KeyObject {
  try {
    if (typeof spki === 'string') return createPublicKey(spki);
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (error) {
    throw new KeystoreError(`the service shows no public key: ${messageOf(error)}`, { cause: error });
  }
}

const scalarLength = 32;

/** `r || s` of an ECDSA signature in DER (RFC 3279: SEQUENCE of two INTEGERs). Throws KeystoreError for anything else. */
export function rawFromDer(der: Uint8Array): Uint8Array {
  const [tag, length, ...content] = der;
  const [r, afterR] = readScalar(content);
  const [s, afterS] = readScalar(afterR);
  if (tag !== 0x30 || length !== content.length || afterS.length > 0) throw unknownForm();
  return new Uint8Array([...r, ...s]);
}

/** An INTEGER as 32 bytes, and what comes behind it. */
function readScalar([tag, length = 0, ...rest]: readonly number[]): [number[], number[]] {
  const digits = rest.slice(0, length);
  const isShort = digits.length === length && length >= 1 && length <= scalarLength + 1;
  // A positive number begins with a zero byte exactly where its sign bit would be set without.
  const [first = 0x80, second = 0] = digits;
  const isPositive = first < 0x80 && (first !== 0 || second >= 0x80);
  const significant = first === 0 ? digits.slice(1) : digits;
  if (tag !== 0x02 || !isShort || !isPositive || significant.length > scalarLength) throw unknownForm();
  const padding = Array.from({ length: scalarLength - significant.length }, () => 0);
  return [[...padding, ...significant], rest.slice(length)];
}

function unknownForm(): KeystoreError {
  return new KeystoreError('the service answered with a signature of an unknown form');
}
