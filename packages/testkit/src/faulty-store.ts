/**
 * A store that fails on command, around one that works. Faults come in pairs, because a caller cannot tell
 * them apart: the operation failed and did nothing, or it failed after everything was done.
 */
import type {
  AppendBatch,
  Store,
  StoredCause,
  StoredCheckpoint,
  StoredEntry,
  StoredLeaf,
} from '@tallystick/ledger';

export type StoreOperation = Exclude<keyof Store, symbol>;

/** What becomes of an operation that fails. */
export type FaultKind = 'did nothing' | 'did everything';

interface Fault {
  kind: FaultKind;
  /** Calls that still succeed before it. */
  skip: number;
  /** Calls that fail from then on. */
  times: number;
}

/** The error of every fault. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';
}

export class FaultyStore implements Store {
  readonly inner: Store;
  readonly #faults = new Map<StoreOperation, Fault[]>();
  readonly #gates = new Map<StoreOperation, { open: Promise<void>; release(): void }>();
  #isDead = false;
  /** Alters entries on their way out: what somebody with access to the disk may do. */
  tamper: ((entry: StoredEntry) => StoredEntry) | null = null;
  /** Told of every operation that was carried out. */
  onDone: ((operation: StoreOperation) => void) | null = null;

  constructor(inner: Store) {
    this.inner = inner;
  }

  /** The call after the next `skip` ones fails, and `times - 1` after it. */
  fail(
    operation: StoreOperation,
    kind: FaultKind,
    { skip = 0, times = 1 }: { skip?: number; times?: number } = {},
  ): void {
    const faults = this.#faults.get(operation) ?? [];
    faults.push({ kind, skip, times });
    this.#faults.set(operation, faults);
  }

  /** Forgets faults that have not happened. */
  mend(): void {
    this.#faults.clear();
  }

  /** Calls of an operation wait until the returned function is called. */
  hold(operation: StoreOperation): () => void {
    let release = (): void => {};
    const open = new Promise<void>((resolve) => {
      release = () => {
        this.#gates.delete(operation);
        resolve();
      };
    });
    this.#gates.set(operation, { open, release });
    return release;
  }

  /** From here on nothing reaches the store any more, as from a process that has died. */
  kill(): void {
    this.#isDead = true;
    for (const gate of this.#gates.values()) gate.release();
  }

  size(): Promise<number> {
    return this.#carryOut('size', () => this.inner.size());
  }

  append(batch: AppendBatch): Promise<void> {
    return this.#carryOut('append', () => this.inner.append(batch));
  }

  leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    return this.#carryOut('leaves', () => this.inner.leaves(from, limit));
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    const entries = await this.#carryOut('entries', () => this.inner.entries(from, limit));
    return this.tamper === null ? entries : entries.map(this.tamper);
  }

  async entry(index: number): Promise<StoredEntry | undefined> {
    const entry = await this.#carryOut('entry', () => this.inner.entry(index));
    return entry === undefined || this.tamper === null ? entry : this.tamper(entry);
  }

  async entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    const { tamper } = this;
    if (tamper === null) return this.#carryOut('entryBytes', () => this.inner.entryBytes(from, limit));
    return (await this.entries(from, limit)).map(({ entry }) => entry);
  }

  cause(index: number): Promise<StoredCause | undefined> {
    return this.#carryOut('cause', () => this.inner.cause(index));
  }

  causes(from: number, to: number): Promise<StoredCause[]> {
    return this.#carryOut('causes', () => this.inner.causes(from, to));
  }

  shred(indexes: readonly number[]): Promise<void> {
    return this.#carryOut('shred', () => this.inner.shred(indexes));
  }

  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    return this.#carryOut('saveCheckpoint', () => this.inner.saveCheckpoint(checkpoint));
  }

  checkpoint(size?: number): Promise<StoredCheckpoint | undefined> {
    return this.#carryOut('checkpoint', () => this.inner.checkpoint(size));
  }

  /** The store inside outlives this one: whoever made it ends it. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #carryOut<T>(operation: StoreOperation, act: () => Promise<T>): Promise<T> {
    await this.#gates.get(operation)?.open;
    if (this.#isDead) throw new StoreFault('the process is dead');
    const kind = this.#fault(operation);
    if (kind === 'did nothing') throw new StoreFault(`${operation} failed`);
    const result = await act();
    this.onDone?.(operation);
    if (kind === 'did everything') throw new StoreFault(`${operation} failed after it was done`);
    return result;
  }

  #fault(operation: StoreOperation): FaultKind | null {
    const faults = this.#faults.get(operation);
    const [fault] = faults ?? [];
    if (fault === undefined) return null;
    if (fault.skip > 0) {
      fault.skip -= 1;
      return null;
    }
    fault.times -= 1;
    if (fault.times <= 0) faults?.shift();
    return fault.kind;
  }
}
