/**
 * The store under watch: what its disk does to it, in words for callers and operators.
 *
 * A write that fails for want of room has changed nothing. One that the disk took and did not confirm is different: its
 * pages are in the write-ahead log, and a restart may find them there as committed. Nobody may be told then that
 * nothing was changed; who asks again under the same idempotency key learns how it ended.
 */
import {
  type AppendBatch,
  type Store,
  type StoredCause,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLeaf,
  StoreUnavailable,
} from '@tallystick/ledger';

/** Result codes of SQLite: https://sqlite.org/rescode.html. The low byte is the primary one. */
const sqliteFull = 13;
const sqliteReadOnly = 8;
const sqliteIoError = 10;
const sqliteIoErrorWrite = 778;

/** The disk, or the database, did not do what it was asked to. The message is safe to show to callers. */
export class StoreTrouble extends Error {
  override readonly name = 'StoreTrouble';
  /** True where what was written may turn out to be committed. */
  readonly isOutcomeUnknown: boolean;

  constructor(message: string, isOutcomeUnknown: boolean, options: ErrorOptions) {
    super(message, options);
    this.isOutcomeUnknown = isOutcomeUnknown;
  }
}

export class WatchedStore implements Store {
  readonly #inner: Store;
  readonly #onTrouble: (trouble: StoreTrouble | null) => void;
  #trouble: StoreTrouble | null = null;

  /** @param onTrouble told when writing begins to fail and, with null, when it works again */
  constructor(inner: Store, onTrouble: (trouble: StoreTrouble | null) => void) {
    this.#inner = inner;
    this.#onTrouble = onTrouble;
  }

  /** Why the newest write failed; null where it did not. */
  get trouble(): StoreTrouble | null {
    return this.#trouble;
  }

  size(): Promise<number> {
    return this.#inner.size();
  }

  append(batch: AppendBatch): Promise<void> {
    return this.#watch(this.#inner.append(batch));
  }

  leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    return this.#inner.leaves(from, limit);
  }

  entries(from: number, limit: number): Promise<StoredEntry[]> {
    return this.#inner.entries(from, limit);
  }

  entry(index: number): Promise<StoredEntry | undefined> {
    return this.#inner.entry(index);
  }

  entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    return this.#inner.entryBytes(from, limit);
  }

  cause(index: number): Promise<StoredCause | undefined> {
    return this.#inner.cause(index);
  }

  causes(from: number, to: number): Promise<StoredCause[]> {
    return this.#inner.causes(from, to);
  }

  shred(indexes: readonly number[]): Promise<void> {
    return this.#watch(this.#inner.shred(indexes));
  }

  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    return this.#watch(this.#inner.saveCheckpoint(checkpoint));
  }

  checkpoint(size?: number): Promise<StoredCheckpoint | undefined> {
    return this.#inner.checkpoint(size);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  async #watch(writing: Promise<void>): Promise<void> {
    try {
      await writing;
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble === null) throw error;
      this.report(trouble);
      throw trouble;
    }
    this.report(null);
  }

  /** Takes note of what the store noticed while nothing was written. */
  report(trouble: StoreTrouble | null): void {
    const isNews = this.#trouble?.message !== trouble?.message;
    this.#trouble = trouble;
    if (isNews) this.#onTrouble(trouble);
  }
}

/** What an error says about disk or database; null where it is about something else. */
export function troubleOf(error: unknown): StoreTrouble | null {
  if (error instanceof StoreUnavailable)
    return new StoreTrouble(error.message, error.isOutcomeUnknown, { cause: error });
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return null;
  const cause = { cause: error };
  const said = error instanceof Error ? error.message : String(error);
  const goesOn = 'no change is taken until it has room again, and then it goes on by itself';
  if (code === sqliteFull) return new StoreTrouble(`the disk of the ledger is full: ${goesOn}`, false, cause);
  if (code === sqliteIoErrorWrite || (code & 0xff) === sqliteReadOnly) {
    const message = `the disk of the ledger takes no more data (${said}), so it is full or failing: ${goesOn}`;
    return new StoreTrouble(message, false, cause);
  }
  if ((code & 0xff) !== sqliteIoError) return null;
  // Mostly a sync that failed. Also where the index of the write-ahead log cannot grow, after the commit is in it.
  const message =
    `the disk of the ledger did not confirm what was written (${said}), so that nobody knows whether it is: see ` +
    'whether it is failing, and ask again under the same idempotency key';
  return new StoreTrouble(message, true, cause);
}
