/**
 * How the two algorithms are asked of a token: Ed25519 by PKCS#11 3.0 (CKM_EDDSA), P-256 by 2.40 (CKM_ECDSA over a
 * SHA-256 that is made here, because not every token makes it).
 */
import { createHash } from 'node:crypto';
import { KeystoreError } from './keystore-error.ts';

export type TokenAlgorithm = 'ed25519' | 'ecdsa-p256-sha256';

interface Pkcs11Algorithm {
  keyType: number;
  generate: number;
  sign: number;
  /** DER of CKA_EC_PARAMS: what a token may call the curve, the commonest first. */
  curves: readonly Buffer[];
  /** Bytes of a public key. */
  keyLength: number;
  /** What the mechanism signs of a message. */
  digest: (message: Uint8Array) => Buffer;
}

const algorithms: Readonly<Record<TokenAlgorithm, Pkcs11Algorithm>> = {
  ed25519: {
    keyType: 0x40, // CKK_EC_EDWARDS
    generate: 0x1055, // CKM_EC_EDWARDS_KEY_PAIR_GEN
    sign: 0x1057, // CKM_EDDSA
    curves: [
      Buffer.concat([Buffer.from([0x13, 12]), Buffer.from('edwards25519')]),
      Buffer.from('06032b6570', 'hex'), // id-Ed25519 (RFC 8410)
      Buffer.from('06092b06010401da470f01', 'hex'), // what was used before RFC 8410
    ],
    keyLength: 32,
    digest: (message) => Buffer.from(message),
  },
  'ecdsa-p256-sha256': {
    keyType: 0x03, // CKK_EC
    generate: 0x1040, // CKM_EC_KEY_PAIR_GEN
    sign: 0x1041, // CKM_ECDSA
    curves: [Buffer.from('06082a8648ce3d030107', 'hex')], // prime256v1
    keyLength: 65,
    digest: (message) => createHash('sha256').update(message).digest(),
  },
};

/** Throws KeystoreError for an algorithm that no token is asked for. */
export function pkcs11Algorithm(name: string): Pkcs11Algorithm {
  if (name !== 'ed25519' && name !== 'ecdsa-p256-sha256')
    throw new KeystoreError(`keys in a token are ed25519 or ecdsa-p256-sha256, not ${name}`);
  return algorithms[name];
}

/** The raw key in CKA_EC_POINT: an OCTET STRING by the standard, bare in some tokens. Throws KeystoreError. */
export function publicKeyOf(point: Buffer, keyLength: number): Uint8Array {
  if (point.length === keyLength) return new Uint8Array(point);
  const isWrapped = point.length === keyLength + 2 && point[0] === 0x04 && point[1] === keyLength;
  if (!isWrapped) throw new KeystoreError('the token shows a public key of an unknown form');
  return new Uint8Array(point.subarray(2));
}
