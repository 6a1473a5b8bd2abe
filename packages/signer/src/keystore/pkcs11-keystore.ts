/** Keys in a PKCS#11 token. The private halves never leave it; what is known of them here is their description. */
import { randomBytes } from 'node:crypto';
import type { Handle } from 'pkcs11js';
import { DescribedKey } from './described-key.ts';
import type { SigningUsage } from './keystore-key.ts';
import { pkcs11Algorithm, type TokenAlgorithm } from './pkcs11-algorithms.ts';
import { destroyKey, findKey, generateKey } from './pkcs11-objects.ts';
import { Pkcs11Token, type TokenAccess } from './pkcs11-token.ts';
import type { TokenDescription, TokenKeyDescription } from './token-description.ts';

export interface NewTokenKey {
  /** CKA_LABEL: for people, who see it in the token's own tools. */
  label: string;
  alg: TokenAlgorithm;
  usages: readonly SigningUsage[];
  ns: string | null;
}

/** Signatures of both algorithms. */
const signatureLength = 64;

export class Pkcs11Keystore {
  readonly #module: string;
  readonly #label: string;
  readonly #descriptions: TokenKeyDescription[];
  readonly #keys: DescribedKey[] = [];
  /** Private keys on the current connection, by CKA_ID. */
  readonly #handles = new Map<string, Handle>();
  #token: Pkcs11Token | null = null;

  private constructor({ module, token, keys }: TokenDescription) {
    this.#module = module;
    this.#label = token;
    this.#descriptions = [...keys];
    for (const description of keys) this.#keys.push(this.#keyOf(description));
  }

  /**
   * Logs in to the token of a description and finds its keys. Throws KeystoreError saying what to do:
   * TokenUnavailable where the token is not there, PinRefused where it does not take the PIN.
   */
  static async open(description: TokenDescription, pin: string): Promise<Pkcs11Keystore> {
    const keystore = new Pkcs11Keystore(description);
    const { module, token } = description;
    const prepare = (access: TokenAccess): void => keystore.#findKeys(access);
    keystore.#token = await Pkcs11Token.open({ module, token, pin, prepare });
    return keystore;
  }

  /** In the order of the description, and then as they were generated. */
  get keys(): readonly DescribedKey[] {
    return this.#keys;
  }

  /** What `open` takes to find these keys again. */
  describe(keys: readonly DescribedKey[] = this.#keys): TokenDescription {
    const descriptions = this.#descriptions.filter((_, at) => keys.includes(this.#keys[at] as DescribedKey));
    return { module: this.#module, token: this.#label, keys: descriptions };
  }

  /** Makes a key in the token that cannot be taken out of it. Throws KeystoreError. */
  async generateKey({ label, alg, usages, ns }: NewTokenKey): Promise<DescribedKey> {
    const id = randomBytes(16);
    const { key, handle } = await this.#connection().change((access) => generateKey(access, label, id, alg));
    const description = { label, id: id.toString('hex'), publicKey: { alg, key }, usages, ns };
    const made = this.#keyOf(description);
    this.#handles.set(description.id, handle);
    this.#descriptions.push(description);
    this.#keys.push(made);
    return made;
  }

  /** Destroys keys for ever, both halves: those that were generated for something that did not come about. */
  async destroyKeys(): Promise<void> {
    await this.#connection().change((access) => {
      for (const description of this.#descriptions) destroyKey(access, description);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#token?.[Symbol.asyncDispose]();
  }

  #connection(): Pkcs11Token {
    if (this.#token === null) throw new Error('the keystore is not open');
    return this.#token;
  }

  #keyOf(description: TokenKeyDescription): DescribedKey {
    const { sign, digest } = pkcs11Algorithm(description.publicKey.alg);
    // A key that the token would hand out is not found: see `findKey`.
    const at = { module: this.#module, token: this.#label, label: description.label };
    return new DescribedKey(description, { kind: 'token', ...at, extractable: false }, (message) =>
      this.#connection().use(async ({ module, session }) => {
        const handle = this.#handles.get(description.id);
        if (handle === undefined) throw new Error(`key ${description.label} was not found`);
        module.C_SignInit(session, { mechanism: sign }, handle);
        const signature = await module.C_SignAsync(session, digest(message), Buffer.alloc(signatureLength));
        return new Uint8Array(signature);
      }),
    );
  }

  #findKeys(access: TokenAccess): void {
    this.#handles.clear();
    for (const description of this.#descriptions)
      this.#handles.set(description.id, findKey(access, description));
  }
}
