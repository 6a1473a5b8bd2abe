/**
 * The store on PostgreSQL: durable when a quorum of its nodes has a commit, and fenced, so that of two servers only the
 * one that came last writes.
 *
 * Every write is one statement that compares the fence and writes only where this store still holds it. A write that
 * was sent and not confirmed is neither done nor undone until a barrier has been passed (see `Fence`); reads end where
 * the acknowledged log does.
 */
import type { QueryConfig } from 'pg';
import {
  type AppendBatch,
  type MendableStore,
  type RestoredEntry,
  StoreConflict,
  type StoredCause,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLeaf,
  StoreFenced,
  StoreUnavailable,
} from '../store.ts';
import { appendValues } from './append-values.ts';
import { type Rows, type Target, writeFailure } from './connection.ts';
import { commitWeaknessOf, demandDurability } from './durability.ts';
import { Fence, fenced, type Held, settingsOf } from './fence.ts';
import { Guard } from './guard.ts';
import {
  type PostgresOptions,
  type PostgresTrouble,
  type PostgresWriterOptions,
  targetOf,
} from './options.ts';
import { PostgresReader } from './postgres-reader.ts';
import { restoreRows } from './restore.ts';
import { type PostgresStatements, statementsOf } from './schema.ts';
import { Session } from './session.ts';

/** SQLSTATE: there is a schema of this name. */
const duplicateSchema = '42P06';
/** SQLSTATE: a row of this index is there. */
const duplicateRow = '23505';

export class PostgresStore implements MendableStore {
  readonly #target: Target;
  readonly #statements: PostgresStatements;
  readonly #holder: string;
  readonly #fence: Fence;
  readonly #guard: Guard;
  readonly #reader: PostgresReader;
  readonly #onTrouble: (trouble: PostgresTrouble | null) => void;
  #held: Held;
  /** Set once and never again: the fence is somebody else's. */
  #fenced: StoreFenced | null = null;
  /** True while it is not known how an append ended. */
  #isUnknown = false;
  /** One barrier at a time. */
  #recovering: Promise<void> | null = null;
  readonly #closing = new AbortController();
  #trouble: PostgresTrouble | null = null;
  readonly #timer: NodeJS.Timeout;
  #isWatching = false;

  private constructor(
    options: PostgresWriterOptions,
    target: Target,
    { fence, guard }: { fence: Fence; guard: Guard },
    held: Held,
  ) {
    this.#target = target;
    this.#statements = statementsOf(target.place.schema);
    this.#holder = options.holder;
    this.#fence = fence;
    this.#guard = guard;
    this.#held = held;
    this.#onTrouble = options.onTrouble ?? (() => {});
    this.#reader = new PostgresReader(target, this.#statements, () => this.#held.size);
    this.#timer = setInterval(() => void this.#watch(), target.limits.watchMs);
    this.#timer.unref();
  }

  /** Makes an empty store in a schema of its own, which must not be there. Throws StoreUnavailable, PostgresUrlError. */
  static async create(options: PostgresWriterOptions): Promise<PostgresStore> {
    const target = targetOf(options);
    const { schema, durability } = target.place;
    const statements = statementsOf(schema);
    const session = await Session.connect(target);
    try {
      demandDurability(await settingsOf(session, statements), durability);
      await session.query(statements.create);
      session.needConfirmed();
      await session.end();
    } catch (error) {
      session.destroy();
      if ((error as { code?: string }).code !== duplicateSchema) throw writeFailure(error);
      const message = `there is a schema "${schema}" already: name another one with schema=… in the URL, or drop it if nobody needs it`;
      throw new StoreUnavailable(message, false);
    }
    return PostgresStore.open(options);
  }

  /**
   * Opens a store for writing. Throws StoreLocked where another process seems to have it open, StoreUnavailable and
   * PostgresUrlError.
   */
  static async open(options: PostgresWriterOptions): Promise<PostgresStore> {
    const target = targetOf(options);
    const statements = statementsOf(target.place.schema);
    const { holder, takeOver = false, address = null } = options;
    const from = typeof takeOver === 'object' ? takeOver.epoch : null;
    const fence = new Fence({ target, statements, holder, from, address });
    const guard = new Guard(target, statements);
    if (takeOver === false || (takeOver !== true && takeOver.isLeft)) await guard.take();
    try {
      const store = new PostgresStore(options, target, { fence, guard }, await fence.barrier());
      guard.keep();
      return store;
    } catch (error) {
      guard.close();
      throw error;
    }
  }

  /** Reads a store, also beside the server that writes it: what is not acknowledged yet may be among it. */
  static async read(options: PostgresOptions): Promise<MendableStore> {
    const target = targetOf(options);
    const reader = new PostgresReader(target, statementsOf(target.place.schema));
    try {
      await reader.check();
      return reader;
    } catch (error) {
      await reader[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Whether there is a store. Throws StoreUnavailable. */
  static async exists(options: PostgresOptions): Promise<boolean> {
    const target = targetOf(options);
    const [row] = await Session.runOnce(target, statementsOf(target.place.schema).exists);
    return row?.there === true;
  }

  /** Drops a store with everything in it: for one that was just made and is not needed. */
  static async drop(options: PostgresOptions): Promise<void> {
    const target = targetOf(options);
    await Session.runOnce(target, statementsOf(target.place.schema).drop);
  }

  async size(): Promise<number> {
    if (this.#fenced !== null) throw this.#fenced;
    if (this.#isUnknown) await this.#recover(true);
    return this.#held.size;
  }

  async append(batch: AppendBatch): Promise<void> {
    const values = appendValues(batch);
    await this.#ready();
    const { size } = this.#held;
    if (batch.size !== size) throw new StoreConflict(`log has ${size} entries, not ${batch.size}`);
    const count = batch.entries.length;
    try {
      if (!(await this.#tryAppend(count, values))) {
        await this.#learnWhy();
        if (!(await this.#tryAppend(count, values))) throw settingsChange();
      }
    } catch (error) {
      throw this.#appendFailed(error);
    }
    this.#held = { ...this.#held, size: size + count };
    this.#note(null);
  }

  async shred(indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    await this.#fencedWrite('shred', [indexes]);
    // It frees space, which PostgreSQL may also do by itself, and can take long: nobody waits for it.
    const { place, password, limits } = this.#target;
    const patient = { place, password, limits: { ...limits, statementMs: 0 } };
    Session.runOnce(patient, this.#statements.vacuum).catch(() => {});
  }

  async restore(entries: AsyncIterable<RestoredEntry>): Promise<void> {
    await this.#ready();
    const [held, holder, statements, list] = [this.#held, this.#holder, this.#statements, this.#demandedList];
    const { durability } = this.#target.place;
    const parts = { held, holder, statements, list, durability };
    const size = await restoreRows(parts, entries).catch((error: unknown) => {
      this.#isUnknown = true;
      throw error;
    });
    if (size === null) {
      await this.#learnWhy();
      throw settingsChange();
    }
    this.#held = { ...this.#held, size };
  }

  /** Keeps the newest checkpoint that the log signed: whoever takes over goes on from it. Durable on return. */
  async saveSigned({ size, note }: { size: number; note: string }): Promise<void> {
    await this.#fencedWrite('saveSigned', [size, note]);
  }

  /** What `saveSigned` kept last. */
  signed(): Promise<{ size: number; note: string } | undefined> {
    return this.#reader.signed();
  }

  async saveCheckpoint({ size, note, at }: StoredCheckpoint): Promise<void> {
    await this.#fencedWrite('saveCheckpoint', [size, note, at]);
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
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#guard.release();
    await this.#recovering?.catch(() => {});
    await this.#reader[Symbol.asyncDispose]();
    const { session } = this.#held;
    if (session.isSpent) session.destroy();
    else await session.end();
  }

  #appendFailed(error: unknown): Error {
    // Somebody else changed rows, and only a barrier counts them anew.
    if ((error as { code?: string }).code === duplicateRow) {
      this.#isUnknown = true;
      return new StoreConflict('there are entries behind the end of the log', { cause: error });
    }
    if (error instanceof StoreConflict) {
      this.#isUnknown = true;
      return error;
    }
    if (error instanceof StoreFenced) return error;
    const failure = this.#failed(error);
    this.#isUnknown ||= failure.isOutcomeUnknown;
    // Fenced while it was under way: nobody here will learn how it ended.
    return this.#fenced ?? failure;
  }

  /** False where the fence let nothing through. */
  async #tryAppend(count: number, values: readonly Buffer[]): Promise<boolean> {
    const { epoch, size } = this.#held;
    const fence = [epoch, this.#holder, size, count, this.#demandedList];
    return this.#write({ name: 'append', text: this.#statements.append, values: [...fence, ...values] });
  }

  /** Explains why the fence let no append through; returns where the list of standbys is merely another sound one. */
  async #learnWhy(): Promise<void> {
    const { session, epoch, size } = this.#held;
    const [row] = await session.query(this.#statements.fence);
    const found = row as { holder: string; epoch: number; size: number } | undefined;
    if (found?.holder !== this.#holder || found.epoch !== epoch)
      throw this.#stop(fenced(found?.holder ?? 'somebody who removed the fence', found?.epoch ?? 0));
    if (found.size !== size) throw new StoreConflict(`log has ${found.size} entries, not ${size}`);
    const settings = await settingsOf(session, this.#statements);
    demandDurability(settings, this.#target.place.durability);
    this.#held = { ...this.#held, list: settings.list };
  }

  async #fencedWrite(
    name: 'shred' | 'saveCheckpoint' | 'saveSigned',
    values: readonly unknown[],
  ): Promise<void> {
    await this.#ready();
    const fence = [this.#held.epoch, this.#holder];
    try {
      if (await this.#write({ name, text: this.#statements[name], values: [...fence, ...values] })) return;
      await this.#learnWhy();
    } catch (error) {
      if (error instanceof StoreFenced || error instanceof StoreConflict) throw error;
      throw this.#failed(error);
    }
    throw new StoreUnavailable('the fence of the store let nothing through', false);
  }

  /**
   * Carries out a write and looks, behind its commit, whether commits were waited for all the while: an emptied list of
   * standbys ends every wait with success. False where the fence let nothing through.
   */
  async #write(write: QueryConfig): Promise<boolean> {
    const { session } = this.#held;
    const writing = session.query(write);
    const looking = settingsOf(session, this.#statements);
    looking.catch(() => {});
    const rows: Rows = await writing;
    if (rows.length === 0) return false;
    session.needConfirmed();
    const weakness = commitWeaknessOf(await looking, this.#target.place.durability, this.#demandedList);
    if (weakness === null) return true;
    const message = `PostgreSQL may not have waited for its standbys, so that nobody knows whether a write is kept: ${weakness}`;
    throw new StoreUnavailable(message, true);
  }

  /** The standbys that every write is under; null where none are asked for. */
  get #demandedList(): string | null {
    return this.#target.place.durability === 'quorum' ? this.#held.list : null;
  }

  /** Sees to it that there is a session behind a barrier. */
  async #ready(): Promise<void> {
    if (this.#fenced !== null) throw this.#fenced;
    if (this.#held.session.isSpent) await this.#recover(false);
  }

  /** Passes a barrier on a new connection: in one try, or in as many as it takes (see `Fence`). */
  #recover(isPatient: boolean): Promise<void> {
    this.#recovering ??= this.#passBarrier(isPatient).finally(() => {
      this.#recovering = null;
    });
    return this.#recovering;
  }

  async #passBarrier(isPatient: boolean): Promise<void> {
    this.#held.session.destroy();
    try {
      const [fence, { recoverMs }] = [this.#fence, this.#target.limits];
      this.#held = await (isPatient ? fence.barrierWithin(recoverMs, this.#closing.signal) : fence.barrier());
      this.#isUnknown = false;
      this.#note(null);
      this.#guard.keep();
    } catch (error) {
      if (error instanceof StoreFenced) throw this.#stop(error);
      throw this.#failed(error);
    }
  }

  /** A session of which something is unknown writes nothing more. */
  #failed(error: unknown): StoreUnavailable {
    const failure = writeFailure(error);
    if (failure.isOutcomeUnknown) this.#held.session.destroy();
    this.#note(failure);
    return failure;
  }

  #stop(error: StoreFenced): StoreFenced {
    this.#fenced ??= error;
    this.#guard.close();
    this.#held.session.destroy();
    this.#note(this.#fenced);
    return this.#fenced;
  }

  #note(trouble: PostgresTrouble | null): void {
    if (this.#trouble?.message === trouble?.message) return;
    this.#trouble = trouble;
    this.#onTrouble(trouble);
  }

  /** Looks at settings and fence while nothing is written. */
  async #watch(): Promise<void> {
    if (this.#isWatching || this.#fenced !== null) return;
    this.#isWatching = true;
    this.#guard.keep();
    try {
      const { holder, epoch, settings } = await this.#reader.watch();
      if (holder !== this.#holder) {
        this.#stop(fenced(holder, epoch));
        return;
      }
      demandDurability(settings, this.#target.place.durability);
      if (!this.#isUnknown) this.#note(null);
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#note(error);
    } finally {
      this.#isWatching = false;
    }
  }
}

function settingsChange(): StoreUnavailable {
  return new StoreUnavailable('the settings of PostgreSQL change: nothing was written', false);
}
