/**
 * The public keys of a namespace: those that sign, that will, and that did.
 *
 * The signer names those that it holds. What it once named is kept in a file beside the store, because license files
 * need the raw keys, and the log has their fingerprints alone: a lost keystore must not void what its keys signed.
 */
import { existsSync, readFileSync } from 'node:fs';
import {
  asArray,
  base64,
  closedMembers,
  type PublicKey,
  parseJsonText,
  parsePublicKey,
} from '@tallystick/core';
import type { SignerClient, SignerHello } from '@tallystick/signer/client';
import { writeWhole } from '../write-whole.ts';

const keysMax = 1000;

export class NamespaceKeys {
  readonly #signer: Pick<SignerClient, 'hello'>;
  readonly #ns: string;
  readonly #file: string;
  #all: readonly PublicKey[];

  private constructor(signer: Pick<SignerClient, 'hello'>, ns: string, file: string) {
    this.#signer = signer;
    this.#ns = ns;
    this.#file = file;
    this.#all = existsSync(file) ? readKeys(file) : [];
  }

  /** Throws with a sentence for the operator where the file is none. */
  static open(
    signer: Pick<SignerClient, 'hello'>,
    ns: string,
    hello: SignerHello,
    file: string,
  ): NamespaceKeys {
    const keys = new NamespaceKeys(signer, ns, file);
    keys.#take(hello);
    return keys;
  }

  get all(): readonly PublicKey[] {
    return this.#all;
  }

  /** Asks the signer anew: keys may have been generated since. What it no longer has stays known. */
  async refresh(): Promise<void> {
    this.#take(await this.#signer.hello());
  }

  #take({ keys, destroyed }: SignerHello): void {
    const found = [...keys, ...destroyed]
      .filter((key) => key.ns === this.#ns)
      .map(({ alg, key }) => ({ alg, key }));
    const gone = this.#all.filter((known) => !found.some((key) => isSame(key, known)));
    const all = [...found, ...gone];
    // In the file first: what is known here may be listed in the namespace a moment later.
    if (all.length > this.#all.length || !existsSync(this.#file)) {
      const listed = all.map(({ alg, key }) => ({ alg, key: base64(key) }));
      writeWhole(this.#file, `${JSON.stringify({ keys: listed })}\n`);
    }
    this.#all = all;
  }
}

function readKeys(file: string): PublicKey[] {
  try {
    const { keys } = closedMembers(parseJsonText(readFileSync(file, 'utf8').trimEnd()), ['keys'], 'keys');
    return asArray(keys, 'keys', keysMax).map((key) => parsePublicKey(key, 'key'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${file} holds no public keys (${why}): put back a copy of it`, { cause: error });
  }
}

function isSame(a: PublicKey, b: PublicKey): boolean {
  return a.alg === b.alg && Buffer.compare(a.key, b.key) === 0;
}
