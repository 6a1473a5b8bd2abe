import {
  type AppendBatch,
  type Store,
  StoreConflict,
  type StoredCause,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLeaf,
} from './store.ts';

/** A store without a disk, for tests and the simulator. */
export class MemoryStore implements Store {
  readonly #entries: StoredEntry[] = [];
  readonly #causes = new Map<number, StoredCause>();
  readonly #checkpoints = new Map<number, StoredCheckpoint>();

  async size(): Promise<number> {
    return this.#entries.length;
  }

  async append(batch: AppendBatch): Promise<void> {
    if (batch.size !== this.#entries.length) {
      throw new StoreConflict(`log has ${this.#entries.length} entries, not ${batch.size}`);
    }
    // Copied as a whole before anything is kept: what fails half-way leaves nothing.
    const { entries, causes } = structuredClone({ entries: batch.entries, causes: batch.causes });
    this.#entries.push(...entries);
    for (const cause of causes) this.#causes.set(cause.index, cause);
  }

  async leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    return this.#entries
      .slice(from, from + limit)
      .map(({ index, leaf, subject, rev }) => ({ index, leaf, subject, rev }));
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    return this.#entries.slice(from, from + limit);
  }

  async entry(index: number): Promise<StoredEntry | undefined> {
    return this.#entries[index];
  }

  async entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    return this.#entries.slice(from, from + limit).map(({ entry }) => entry);
  }

  async cause(index: number): Promise<StoredCause | undefined> {
    return this.#causes.get(index);
  }

  async causes(from: number, to: number): Promise<StoredCause[]> {
    return [...this.#causes.values()]
      .filter((cause) => cause.index >= from && cause.index < to)
      .sort((a, b) => a.index - b.index);
  }

  async shred(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      const content = this.#entries[index]?.content;
      if (content === null || content === undefined) continue;
      Object.assign(content, { salt: null, document: null, companionSalt: null, companion: null });
      const cause = this.#causes.get(content.cause);
      if (cause !== undefined) this.#causes.set(cause.index, { ...cause, signed: null });
    }
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.#checkpoints.set(checkpoint.size, { ...checkpoint });
  }

  async checkpoint(size: number = Number.MAX_SAFE_INTEGER): Promise<StoredCheckpoint | undefined> {
    const sizes = [...this.#checkpoints.keys()].filter((known) => known <= size);
    return sizes.length === 0 ? undefined : this.#checkpoints.get(Math.max(...sizes));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
