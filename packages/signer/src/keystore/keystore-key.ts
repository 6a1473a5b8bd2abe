/** A private key as whatever signs with it sees it, in memory or in a token. */
import type { KeyLimits, KeyPlace, PublicKey } from '@tallystick/core';

/**
 * `root` and `authority` keys live in a keystore that the server's signer never opens. A `rehearsal` key signs
 * rehearsals of a root ceremony, and nothing that counts.
 */
export const signingUsages = [
  'root',
  'authority',
  'rehearsal',
  'log',
  'access',
  'product',
  'plan',
  'customer',
  'license',
  'gate',
  'brake',
  'lease',
] as const;
export type SigningUsage = (typeof signingUsages)[number];

export const noLimits: KeyLimits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };

export interface KeystoreKey {
  readonly publicKey: PublicKey;
  readonly keyid: string;
  readonly usages: readonly SigningUsage[];
  /** Namespace that the key belongs to; null for root, log and access keys. */
  readonly ns: string | null;
  readonly limits: KeyLimits;
  readonly place: KeyPlace;
  /**
   * Raw signature of the key's algorithm over `message`, which has at least one byte (tokens sign no less): 64 bytes
   * for Ed25519 and for P-256 (`r || s`), 2,420 for ML-DSA-44. May be asked for many at the same time. Rejects with
   * TokenUnavailable while the key's token is away, and signs again once it is back; with PinRefused when the token no
   * longer takes the PIN; with KeystoreError for a message that is longer than its holder signs.
   */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}
