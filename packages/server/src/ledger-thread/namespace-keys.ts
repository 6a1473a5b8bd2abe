import type { PublicKey } from '@tallystick/core';
import type { SignerClient, SignerHello } from '@tallystick/signer';

/** The public keys that the signer has for a namespace: those that sign, that will, and that did. */
export class NamespaceKeys {
  readonly #signer: SignerClient;
  readonly #ns: string;
  #all: readonly PublicKey[];

  constructor(signer: SignerClient, ns: string, hello: SignerHello) {
    this.#signer = signer;
    this.#ns = ns;
    this.#all = keysOf(hello, ns);
  }

  get all(): readonly PublicKey[] {
    return this.#all;
  }

  /** Asks the signer anew: keys may have been generated since. What it no longer has stays known. */
  async refresh(): Promise<void> {
    const found = keysOf(await this.#signer.hello(), this.#ns);
    const gone = this.#all.filter((known) => !found.some((key) => isSame(key, known)));
    this.#all = [...found, ...gone];
  }
}

function keysOf({ keys, destroyed }: SignerHello, ns: string): PublicKey[] {
  return [...keys, ...destroyed].filter((key) => key.ns === ns).map(({ alg, key }) => ({ alg, key }));
}

function isSame(a: PublicKey, b: PublicKey): boolean {
  return a.alg === b.alg && Buffer.compare(a.key, b.key) === 0;
}
