/**
 * Between the replay of one log and the entries that are kept of it.
 *
 * What the replay takes in is kept in its order: first in memory, then, so that a long log does not fill that, on disk
 * ahead of the cosigned head. Only the transaction that moves the head makes it part of what is held. A process that
 * died on the way finds there what it had fetched, judges it like anything else, and throws it away where it turns out
 * not to be what the checkpoint commits to.
 */

import { messageOf } from '../errors.ts';
import type { EntryRun } from '../replayer/entry-tiles.ts';
import { Unavailable } from '../replayer/violation.ts';
import type { EntryStore } from './entry-store.ts';

/** Bytes of entries that wait in memory at most. */
const pendingMax = 1024 * 1024;
const entriesPerRead = 256;

/** Entries `from` up to `to` from elsewhere, in order. */
export type FetchEntries = (from: number, to: number) => AsyncIterable<EntryRun>;

export class EntryKeeper {
  readonly #store: EntryStore;
  readonly #fetch: FetchEntries;
  #pending: EntryRun[] = [];
  #pendingLength = 0;
  /** The first index that is neither on disk nor waiting. */
  #end = 0;
  #usedDisk = false;

  constructor(store: EntryStore, fetch: FetchEntries) {
    this.#store = store;
    this.#fetch = fetch;
  }

  /** True where entries handed out since `beginAt` came from the disk, and the log may have others by now. */
  get usedDisk(): boolean {
    return this.#usedDisk;
  }

  /** A replay begins at the cosigned size, knowing nothing beyond it. */
  beginAt(size: number): void {
    this.#pending = [];
    this.#pendingLength = 0;
    this.#usedDisk = false;
    this.#end = this.#store.endFrom(size);
  }

  /** Entries `from` up to `to`: those that are on disk already, then the log's. */
  async *entries(from: number, to: number): AsyncGenerator<EntryRun> {
    const onDisk = Math.min(this.#store.endFrom(from), to);
    let at = from;
    while (at < onDisk) {
      const end = Math.min(onDisk, (Math.floor(at / entriesPerRead) + 1) * entriesPerRead);
      const entries = this.#store.read(at, end);
      if (entries === null) {
        this.discardFrom(at);
        break;
      }
      this.#usedDisk = true;
      yield { start: at, entries };
      at = end;
    }
    yield* this.#fetch(at, to);
  }

  /** Keeps the first `count` entries of a run, which the replay has taken in. Throws Unavailable on a full disk. */
  keep({ start, entries }: EntryRun, count: number): void {
    const skipped = Math.max(0, this.#end - start);
    if (skipped >= count) return;
    if (start > this.#end) throw new Error(`entries ${this.#end} to ${start - 1} were not kept`);
    const kept = entries.slice(skipped, count);
    this.#pending.push({ start: start + skipped, entries: kept });
    this.#pendingLength += kept.reduce((sum, entry) => sum + entry.length, 0);
    this.#end = start + count;
    if (this.#pendingLength > pendingMax) this.#flush();
  }

  /** Writes what waits; runs inside the transaction that moves the head. */
  persist(): void {
    this.#store.write(this.#pending);
  }

  /** That transaction is durable. */
  persisted(): void {
    this.#store.written(this.#pending);
    this.#pending = [];
    this.#pendingLength = 0;
  }

  /** Throws away what was kept from `size` on. */
  discardFrom(size: number): void {
    this.#store.truncate(size);
    this.beginAt(size);
  }

  #flush(): void {
    try {
      this.#store.save(this.#pending);
    } catch (error) {
      const why = `the entries could not be made durable (${messageOf(error)}): see whether the disk is full`;
      throw new Unavailable(why, { cause: error });
    }
    this.#pending = [];
    this.#pendingLength = 0;
  }
}
