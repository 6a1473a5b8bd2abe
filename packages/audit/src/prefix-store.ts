/**
 * The first entries of a store, for deriving projections from them.
 *
 * The feeder of the projections looks up what a subject was called before in what it has written already. So a read of
 * entries ends before a second revision of a subject: between two reads the first one is written.
 */
import { bytesKey } from '@tallystick/core';
import type { Store, StoredCause, StoredCheckpoint, StoredEntry, StoredLeaf } from '@tallystick/ledger';

export class PrefixStore implements Store {
  readonly #store: Store;
  readonly #size: number;
  readonly #shreds: boolean;
  #ahead: StoredEntry[] = [];
  /** Log indexes whose content the log says must be gone. */
  readonly erased: Set<number> = new Set();

  /** @param shreds true removes what erasures cover; false takes note of it alone */
  constructor(store: Store, size: number, shreds = false) {
    this.#store = store;
    this.#size = size;
    this.#shreds = shreds;
  }

  async size(): Promise<number> {
    return this.#size;
  }

  leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    return this.#store.leaves(from, this.#limit(from, limit));
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    const entries = await this.#read(from, limit);
    const seen = new Set<string>();
    const end = entries.findIndex(({ subject }) => {
      if (subject === null) return false;
      const key = bytesKey(subject);
      const isSecond = seen.has(key);
      seen.add(key);
      return isSecond;
    });
    this.#ahead = end < 0 ? [] : entries.slice(end);
    return end < 0 ? entries : entries.slice(0, end);
  }

  /** What the last read left over comes first. */
  #read(from: number, limit: number): Promise<StoredEntry[]> | StoredEntry[] {
    if (this.#ahead[0]?.index === from && this.#ahead.length <= limit) return this.#ahead;
    return this.#store.entries(from, this.#limit(from, limit));
  }

  async entry(index: number): Promise<StoredEntry | undefined> {
    return index < this.#size ? this.#store.entry(index) : undefined;
  }

  entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    return this.#store.entryBytes(from, this.#limit(from, limit));
  }

  async cause(index: number): Promise<StoredCause | undefined> {
    return index < this.#size ? this.#store.cause(index) : undefined;
  }

  causes(from: number, to: number): Promise<StoredCause[]> {
    return this.#store.causes(from, Math.min(to, this.#size));
  }

  async shred(indexes: readonly number[]): Promise<void> {
    if (this.#shreds) return this.#store.shred(indexes);
    for (const index of indexes) this.erased.add(index);
  }

  checkpoint(size: number = this.#size): Promise<StoredCheckpoint | undefined> {
    return this.#store.checkpoint(Math.min(size, this.#size));
  }

  async append(): Promise<never> {
    throw new Error('a prefix of a log is for reading');
  }

  async saveCheckpoint(): Promise<never> {
    throw new Error('a prefix of a log is for reading');
  }

  /** The store belongs to whoever opened it. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #limit(from: number, limit: number): number {
    return Math.max(0, Math.min(limit, this.#size - from));
  }
}
