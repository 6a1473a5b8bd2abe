/** The raw keys of one namespace, and who of them may sign what. */
import {
  type BrakeDocument,
  base64,
  decodeBase64,
  entitledKey,
  hex,
  keyFingerprint,
  keyIdOf,
  type NamespaceDocument,
  nextKeyBoundary,
  type PublicKey,
} from '@tallystick/core';

/**
 * Entitlement is decided by core and remembered between the log indexes at which it can change: asking anew for
 * every record would hash every listed key every time.
 */
export class KeyRing {
  /** By DSSE key id. The id is a hint of 64 bits, so two keys may share one. */
  readonly #known = new Map<string, PublicKey[]>();
  #namespace: NamespaceDocument;
  #brake: BrakeDocument | null = null;
  /** By `usage keyid`; holds for indexes from the last reset up to `#entitledUntil`. */
  readonly #entitled = new Map<string, readonly PublicKey[]>();
  #entitledUntil = 0;

  constructor(namespace: NamespaceDocument) {
    this.#namespace = namespace;
  }

  /** From now on these documents say who may sign. */
  adopt(namespace: NamespaceDocument, brake: BrakeDocument | null): void {
    this.#namespace = namespace;
    this.#brake = brake;
    this.#forget();
  }

  /** Takes the keys whose fingerprint the namespace lists; others are nobody's. */
  learn(keys: readonly PublicKey[]): void {
    for (const key of keys) {
      const id = base64(keyFingerprint(key));
      if (!this.#namespace.keys.some((listed) => listed.id === id && listed.alg === key.alg)) continue;
      const keyid = keyIdOf(key);
      const known = this.#known.get(keyid) ?? [];
      if (!known.some((other) => base64(keyFingerprint(other)) === id))
        this.#known.set(keyid, [...known, key]);
    }
    this.#forget();
  }

  /** Every key that was learned. */
  keys(): PublicKey[] {
    return [...this.#known.values()].flat();
  }

  /** True where the namespace lists a key of this id whose bytes are not known here. */
  isMissing(keyid: string): boolean {
    if (this.#known.has(keyid)) return false;
    return this.#namespace.keys.some((listed) => hex(decodeBase64(listed.id).subarray(0, 8)) === keyid);
  }

  /** True where the bytes of some listed key are not known here. */
  isIncomplete(): boolean {
    const known = new Set(this.keys().map((key) => base64(keyFingerprint(key))));
    return this.#namespace.keys.some((listed) => !known.has(listed.id));
  }

  /**
   * The keys of this id that may sign records of `usage` at log `index`. Indexes are asked for in rising order.
   * A brake record is judged by the namespace alone.
   */
  entitled(keyid: string, usage: string, index: number): readonly PublicKey[] {
    if (index >= this.#entitledUntil) {
      this.#forget();
      this.#entitledUntil = nextKeyBoundary(this.#namespace, this.#brake, index);
    }
    const name = `${usage} ${keyid}`;
    const remembered = this.#entitled.get(name);
    if (remembered !== undefined) return remembered;
    const brake = usage === 'brake' ? null : this.#brake;
    const keys = (this.#known.get(keyid) ?? []).filter(
      (key) => entitledKey(this.#namespace, brake, key, usage, index) !== undefined,
    );
    // Key ids come from whoever wrote the entry: what is unknown is not worth remembering.
    if (keys.length > 0) this.#entitled.set(name, keys);
    return keys;
  }

  #forget(): void {
    this.#entitled.clear();
    this.#entitledUntil = 0;
  }
}
