/**
 * A map that keeps what was used last, in two generations: when the young one is full it becomes the old one, and
 * what was in the old one and not asked for since is gone. Nothing is moved or searched per entry.
 */
export class RecentMap<K, V> {
  readonly #perGeneration: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** @param sizeMax entries kept at most */
  constructor(sizeMax: number) {
    this.#perGeneration = Math.ceil(sizeMax / 2);
  }

  get(key: K): V | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const aged = this.#old.get(key);
    if (aged !== undefined) this.set(key, aged);
    return aged;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
