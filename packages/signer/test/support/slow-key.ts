import type { KeyLimits, PublicKey } from '@tallystick/core';
import { type KeystoreKey, noLimits } from '../../src/keystore/keystore-key.ts';
import { generateKeySpec, SigningKey } from '../../src/keystore/signing-key.ts';

/** A log key that signs when it is told to, as a token may take its time. */
export class SlowLogKey implements KeystoreKey {
  readonly #key = new SigningKey(generateKeySpec(['log'], null));
  readonly #waiting: { message: Uint8Array; resolve: (signature: Uint8Array) => void }[] = [];
  readonly publicKey: PublicKey = this.#key.publicKey;
  readonly keyid: string = this.#key.keyid;
  readonly usages: KeystoreKey['usages'] = this.#key.usages;
  readonly ns = null;
  readonly limits: KeyLimits = noLimits;
  readonly place = { kind: 'token', module: 'm', token: 't', label: 'l', extractable: false } as const;

  get waitingCount(): number {
    return this.#waiting.length;
  }

  sign(message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve) => this.#waiting.push({ message, resolve }));
  }

  /** Signs the nth of what waits. */
  finish(nth = 0): void {
    for (const { message, resolve } of this.#waiting.splice(nth, 1)) resolve(this.#key.sign(message));
  }
}
