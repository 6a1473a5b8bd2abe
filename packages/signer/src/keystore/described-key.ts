/** A key that something else holds and signs with. What is known of it here is its public half, from a file. */
import { type KeyLimits, type KeyPlace, keyIdOf, type PublicKey } from '@tallystick/core';
import { type KeystoreKey, noLimits, type SigningUsage } from './keystore-key.ts';

export interface KeyDescription {
  /** What the holder's key must have, so that no other key takes its place. */
  publicKey: PublicKey;
  usages: readonly SigningUsage[];
  ns: string | null;
}

export class DescribedKey implements KeystoreKey {
  readonly publicKey: PublicKey;
  readonly keyid: string;
  readonly usages: readonly SigningUsage[];
  readonly ns: string | null;
  /** Limits are of issuing keys, which are always in memory. */
  readonly limits: KeyLimits = noLimits;
  readonly place: KeyPlace;
  readonly #sign: (message: Uint8Array) => Promise<Uint8Array>;

  constructor(
    { publicKey, usages, ns }: KeyDescription,
    place: KeyPlace,
    sign: (message: Uint8Array) => Promise<Uint8Array>,
  ) {
    this.publicKey = publicKey;
    this.keyid = keyIdOf(publicKey);
    this.usages = usages;
    this.ns = ns;
    this.place = place;
    this.#sign = sign;
  }

  sign(message: Uint8Array): Promise<Uint8Array> {
    return this.#sign(message);
  }
}
