/**
 * The SQLite store with a thread that writes and waits for the disk, so that whoever decides and hashes
 * does not. Reads have a connection of their own on the calling thread and see every write that returned.
 */
import { Thread, ThreadError } from '../thread/thread.ts';
import { encodeAppend } from './append-codec.ts';
import type { SqliteStoreOptions } from './open-sqlite.ts';
import { SqliteStore } from './sqlite-store.ts';
import {
  type AppendBatch,
  type Store,
  StoreConflict,
  type StoredCause,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLeaf,
  StoreLocked,
} from './store.ts';

export class ThreadedStore implements Store {
  readonly #writer: Thread;
  readonly #reader: SqliteStore;

  private constructor(writer: Thread, reader: SqliteStore) {
    this.#writer = writer;
    this.#reader = reader;
  }

  /** As `SqliteStore.open`. */
  static async open(file: string, options: SqliteStoreOptions = {}): Promise<ThreadedStore> {
    const script = new URL('./store.worker.ts', import.meta.url);
    const writer = await Thread.start(script, { file, options }).catch(rethrow);
    return new ThreadedStore(writer, SqliteStore.open(file, { readOnly: true }));
  }

  async append(batch: AppendBatch): Promise<void> {
    const bytes = encodeAppend(batch);
    await this.#writer.call('append', bytes, [bytes.buffer]).catch(rethrow);
  }

  async shred(indexes: readonly number[]): Promise<void> {
    await this.#writer.call('shred', indexes).catch(rethrow);
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    await this.#writer.call('saveCheckpoint', checkpoint).catch(rethrow);
  }

  /** Of the writer, which counts anew: this is asked after a write whose outcome is not known. */
  async size(): Promise<number> {
    return (await this.#writer.call('size', null).catch(rethrow)) as number;
  }

  leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    return this.#reader.leaves(from, limit);
  }

  entries(from: number, limit: number): Promise<StoredEntry[]> {
    return this.#reader.entries(from, limit);
  }

  entry(index: number): Promise<StoredEntry | undefined> {
    return this.#reader.entry(index);
  }

  entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    return this.#reader.entryBytes(from, limit);
  }

  cause(index: number): Promise<StoredCause | undefined> {
    return this.#reader.cause(index);
  }

  causes(from: number, to: number): Promise<StoredCause[]> {
    return this.#reader.causes(from, to);
  }

  checkpoint(size?: number): Promise<StoredCheckpoint | undefined> {
    return this.#reader.checkpoint(size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
    await this.#writer[Symbol.asyncDispose]();
  }
}

/** What a store may throw by its contract keeps its type across threads. */
function rethrow(error: unknown): never {
  if (error instanceof ThreadError) {
    if (error.original === 'StoreConflict') throw new StoreConflict(error.message);
    if (error.original === 'StoreLocked') throw new StoreLocked(error.message);
  }
  throw error;
}
