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
import { type KeystoreKey, noLimits, type SigningUsage } from './keystore-key.ts';

/** A private key as a sealed file holds it. */
export interface KeySpec {
  alg: 'ed25519';
  usages: SigningUsage[];
  /** Namespace that the key belongs to; null for root and log keys. */
  ns: string | null;
  /** 32 bytes, base64. */
  seed: string;
  limits: KeyLimits;
}

/** A fresh key for the given usages. */
export function generateKeySpec(
  usages: SigningUsage[],
  ns: string | null,
  limits: KeyLimits = noLimits,
): KeySpec {
  return { alg: 'ed25519', usages, ns, seed: base64(randomBytes(32)), limits };
}

/** PKCS#8 up to the 32-byte seed (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export class SigningKey implements KeystoreKey {
  readonly usages: readonly SigningUsage[];
  readonly ns: string | null;
  readonly limits: KeyLimits;
  readonly publicKey: PublicKey;
  readonly keyid: string;
  readonly place: KeyPlace = { kind: 'sealed-file' };
  readonly #privateKey: KeyObject;

  /** @param seed 32 bytes that count instead of the specification's; they are zero afterwards */
  constructor(spec: KeySpec, seed: Uint8Array = decodeBase64(spec.seed, 32)) {
    const der = Buffer.concat([pkcs8Prefix, seed]);
    this.#privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    der.fill(0);
    seed.fill(0);
    const spki = createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' });
    this.publicKey = { alg: spec.alg, key: new Uint8Array(spki.subarray(-32)) };
    this.keyid = keyIdOf(this.publicKey);
    this.usages = spec.usages;
    this.ns = spec.ns;
    this.limits = spec.limits;
  }

  /** Raw signature of the key's algorithm over `message`. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#privateKey);
  }
}
