/** A private key in memory. Issuing keys are always these: signing a batch of records must not wait for a token. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  base64,
  decodeBase64,
  type KeyLimits,
  type KeyPlace,
  keyIdOf,
  type PublicKey,
} from '@tallystick/core';
import { KeystoreError } from './keystore-error.ts';
import { type KeystoreKey, noLimits, type SigningUsage } from './keystore-key.ts';

/** Algorithms of keys in memory. */
export type SigningAlgorithm = 'ed25519' | 'ml-dsa-44';

/** A private key as a sealed file holds it. */
export interface KeySpec {
  alg: SigningAlgorithm;
  usages: SigningUsage[];
  /** Namespace that the key belongs to; null for root and log keys. */
  ns: string | null;
  /** 32 bytes, base64. Of ML-DSA it is `xi` of FIPS 204: PKCS#8 of such a key is not the same in Node 24 and 26. */
  seed: string;
  limits: KeyLimits;
}

/** A fresh key for the given usages. */
export function generateKeySpec(
  usages: SigningUsage[],
  ns: string | null,
  limits: KeyLimits = noLimits,
  alg: SigningAlgorithm = 'ed25519',
): KeySpec {
  return { alg, usages, ns, seed: base64(randomBytes(32)), limits };
}

interface Encoding {
  /** PKCS#8 up to the 32-byte seed. */
  pkcs8Prefix: Buffer;
  /** Bytes of the raw public key, with which its SPKI ends. */
  keyLength: number;
}

/** RFC 8410, and the seed-only form of RFC 9881. */
const encodings: ReadonlyMap<string, Encoding> = new Map([
  ['ed25519', { pkcs8Prefix: Buffer.from('302e020100300506032b657004220420', 'hex'), keyLength: 32 }],
  [
    'ml-dsa-44',
    { pkcs8Prefix: Buffer.from('3034020100300b060960864801650304031104228020', 'hex'), keyLength: 1312 },
  ],
]);

export class SigningKey implements KeystoreKey {
  readonly usages: readonly SigningUsage[];
  readonly ns: string | null;
  readonly limits: KeyLimits;
  readonly publicKey: PublicKey;
  readonly keyid: string;
  readonly place: KeyPlace = { kind: 'sealed-file' };
  readonly #privateKey: KeyObject;

  /**
   * Throws KeystoreError for an algorithm that this version does not know.
   *
   * @param seed 32 bytes that count instead of the specification's; they are zero afterwards
   */
  constructor(spec: KeySpec, seed: Uint8Array = decodeBase64(spec.seed, 32)) {
    const encoding = encodings.get(spec.alg);
    if (encoding === undefined)
      throw new KeystoreError(`this version knows no keys of the algorithm ${spec.alg}: use a newer one`);
    const der = Buffer.concat([encoding.pkcs8Prefix, seed]);
    this.#privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    der.fill(0);
    seed.fill(0);
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' });
    this.publicKey = { alg: spec.alg, key: new Uint8Array(spki.subarray(-encoding.keyLength)) };
    this.keyid = keyIdOf(this.publicKey);
    this.usages = spec.usages;
    this.ns = spec.ns;
    this.limits = spec.limits;
  }

  /** Raw signature of the key's algorithm over `message`. Those of ML-DSA are hedged: no two are the same. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#privateKey);
  }
}
