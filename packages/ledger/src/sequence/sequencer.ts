/**
 * The sequencer: the one writer of the log.
 *
 * Commands are decided in small batches on a view that includes everything in flight; a batch is
 * signed, committed and promised while the next ones are already being decided. The commit is the point of no
 * return: before it nothing has happened, after it nothing can be lost. When a batch fails, it and every later
 * one are taken back, because they were decided on top of it.
 */
import { equalBytes, formatInstant } from '@tallystick/core';
import { apply, type Change, type Current, type Decision, decide, type Environment } from '@tallystick/license';
import { sealCause, sealChange } from '../content.ts';
import { LedgerError } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import { nameChanges } from '../names.ts';
import type { RandomPool } from '../random-pool.ts';
import type { RevisionReader } from '../read/revision-reader.ts';
import type { Store, StoredCause, StoredEntry } from '../store/store.ts';
import {
  type AppliedChange,
  type Batch,
  type BatchPromise,
  type Committed,
  assemble,
  committedOf,
  type PendingRecord,
  type RecordSignature,
  type Submission,
} from './batch.ts';
import { Overlay, type OverlaySubject } from './overlay.ts';
import { type Outcome, Requests } from './requests.ts';
import { Missing, SequencingView, type ViewSources } from './view.ts';

/** What the sequencer asks of the signer: signatures on each record, in order. */
export interface RecordSigner {
  signRecords(records: readonly RecordToSign[]): Promise<RecordSignature[][]>;
}

interface RecordToSign {
  record: PendingRecord['record'];
  /** The document that a license record commits to. */
  content: { salt: Uint8Array; document: Uint8Array } | null;
}

export interface SequencerParts {
  store: Store;
  state: LogState;
  reader: RevisionReader;
  signer: RecordSigner;
  random: RandomPool;
  views: Omit<ViewSources, 'overlay'>;
  /** Milliseconds. */
  now(): number;
  /** What decisions may use besides the view. */
  environment(at: string): Environment;
  /** A signed promise for a batch that is durable; null where the signer cannot give one. */
  promise(batch: Batch): Promise<BatchPromise | null>;
  /** Told of every batch once it is durable, in log order. */
  onCommitted(committed: Committed): void;
  /** Brings the projections up to everything committed. */
  settle(): Promise<void>;
  /** Told when the log cannot go on: from here on every command is refused with this. */
  onHalted(error: LedgerError): void;
}

interface Queued {
  submission: Submission;
  resolve(outcome: Outcome): void;
  reject(error: Error): void;
}

/** The revision that a change continues. */
interface Prior {
  leaf: Uint8Array;
  current: Current;
}

const commandsPerBatch = 24;
const batchesInFlightMax = 3;
const queueMax = 20_000;

export class Sequencer {
  readonly #parts: SequencerParts;
  readonly #overlay = new Overlay();
  readonly #requests: Requests;
  #queue: Queued[] = [];
  /** Resolves the loop's sleep: there may be something to do. */
  #wake: () => void = () => {};
  #inFlight = 0;
  /** Batches commit in the order in which they were built. */
  #commits: Promise<void> = Promise.resolve();
  /** Settles, per batch in flight, when its leaf hashes are known or never will be. */
  readonly #signed = new Map<number, Promise<void>>();
  #nextBatch = 1;
  #nextIndex: number;
  #lastAt: number;
  #committedBatch = 0;
  /** Batches from here on were decided on something that failed. */
  #failedFrom: number | null = null;
  #halted: LedgerError | null = null;
  #isStopping = false;
  /** Work that needs the log to stand still. */
  readonly #quiet: (() => Promise<void>)[] = [];
  readonly #loop: Promise<void>;

  /** @param lastAt the newest time written into the log, in milliseconds */
  constructor(parts: SequencerParts, lastAt: number) {
    this.#parts = parts;
    this.#requests = new Requests({ store: parts.store, reader: parts.reader, projections: parts.views.projections });
    this.#nextIndex = parts.state.size;
    this.#lastAt = lastAt;
    this.#loop = this.#run();
  }

  /** Commands that wait for their turn. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Number of the newest durable batch, for `retire`. */
  get committedBatch(): number {
    return this.#committedBatch;
  }

  /**
   * Decides and records a command. Resolves when it is durable, refused by the model, or, for a dry
   * run, decided. Rejects with LedgerError where nothing was recorded.
   */
  submit(submission: Submission): Promise<Outcome> {
    const closed = this.#halted ?? (this.#isStopping ? new LedgerError('stopping', 'the server is stopping') : null);
    if (closed !== null) return Promise.reject(closed);
    const earlier = this.#requests.earlier(submission);
    if (earlier !== null) return earlier;
    if (this.#queue.length >= queueMax) {
      return Promise.reject(new LedgerError('overloaded', 'too many changes are waiting: try again shortly'));
    }
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#queue.push({ submission, resolve, reject });
    });
    this.#requests.track(submission, outcome);
    this.#wake();
    return outcome;
  }

  /** Runs `work` while nothing is in flight; commands wait meanwhile. */
  whileQuiet<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#quiet.push(() => work().then(resolve, reject));
      this.#wake();
    });
  }

  /** Appends an entry that is not a record (map.root, trust.root); only inside `whileQuiet`. */
  async appendQuietly(entry: StoredEntry): Promise<void> {
    await this.#append([entry], []);
    this.#nextIndex = this.#parts.state.size;
  }

  /** The time to write into the log now: never before anything written earlier. */
  stamp(): string {
    this.#lastAt = Math.max(this.#parts.now(), this.#lastAt);
    return formatInstant(this.#lastAt);
  }

  /** The newest durable state of a subject, waiting for what is in flight about it. */
  async current(id: string): Promise<Current | undefined> {
    const overlaid = this.#overlay.get(id);
    if (overlaid !== undefined && overlaid.batch > this.#committedBatch) await this.#commits;
    return this.#parts.reader.current(id);
  }

  /** Forgets committed batches that the projections have taken in. */
  retire(upToBatch: number): void {
    this.#overlay.retireUpTo(upToBatch);
    this.#requests.retire(upToBatch);
  }

  /** Finishes what is queued and in flight, and refuses everything else. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    for (;;) {
      const quiet = this.#quiet.shift();
      if (quiet !== undefined) {
        await this.#drain();
        await quiet();
      } else if (this.#queue.length > 0 && this.#inFlight < batchesInFlightMax) {
        await this.#launch();
      } else if (this.#isStopping && this.#inFlight === 0 && this.#queue.length === 0) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Waits until nothing is in flight, and takes back what failed. */
  async #drain(): Promise<void> {
    await this.#commits;
    if (this.#failedFrom === null) return;
    this.#overlay.dropFrom(this.#failedFrom);
    this.#failedFrom = null;
    this.#nextIndex = this.#parts.state.size;
  }

  /** Builds a batch from the queue and sends it on its way. */
  async #launch(): Promise<void> {
    if (this.#failedFrom !== null) await this.#drain();
    const batch = await this.#build();
    if (batch.records.length === 0) return;
    this.#inFlight += 1;
    const signing = this.#sign(batch);
    this.#signed.set(
      batch.number,
      signing.catch(() => {}),
    );
    this.#commits = this.#commits.then(() => this.#finish(batch, signing));
  }

  async #build(): Promise<Batch> {
    const number = this.#nextBatch++;
    const batch: Batch = { number, base: this.#nextIndex, records: [], causes: [], answers: [], stored: [] };
    this.#overlay.begin(number);
    for (let taken = 0; taken < commandsPerBatch; taken++) {
      const queued = this.#queue.shift();
      if (queued === undefined) break;
      try {
        if (!(await this.#include(batch, queued))) {
          this.#queue.unshift(queued);
          break;
        }
      } catch (error) {
        this.#requests.forget(queued.submission);
        queued.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.#nextIndex = batch.base + batch.records.length;
    return batch;
  }

  /** Decides one command into a batch; false where the batch must be sent off first. */
  async #include(batch: Batch, queued: Queued): Promise<boolean> {
    const { submission } = queued;
    const recalled = await this.#requests.recall(submission);
    if (recalled !== null) {
      queued.resolve(recalled);
      return true;
    }
    const at = this.stamp();
    const decision = await this.#decide(batch, submission, at);
    if (decision === 'after this batch') return false;
    if (!decision.ok) {
      this.#requests.forget(submission);
      queued.resolve({ refused: decision.refusal });
      return true;
    }
    if (submission.dryRun) {
      queued.resolve({ changes: decision.changes.map((change) => dryChange(change, at)), promise: null, repeated: false });
      return true;
    }
    const prior = await this.#priorRevisions(batch, decision.changes);
    if (prior === 'after this batch') return false;
    this.#addRecords(batch, queued, decision.changes, prior, at);
    return true;
  }

  async #decide(batch: Batch, submission: Submission, at: string): Promise<Decision | 'after this batch'> {
    const view = new SequencingView({ overlay: this.#overlay, ...this.#parts.views });
    const environment = this.#parts.environment(at);
    for (;;) {
      try {
        return decide(view, submission.command, environment);
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        if (error.what !== 'settled projections') {
          view.loaded.set(error.what.subject, await this.#parts.reader.current(error.what.subject));
          continue;
        }
        if (batch.records.length > 0) return 'after this batch';
        await this.#drain();
        this.#overlay.begin(batch.number);
        batch.base = this.#nextIndex;
        await this.#parts.settle();
        view.isSettled = true;
      }
    }
  }

  /** The revisions that the changes continue, each with its leaf hash known. */
  async #priorRevisions(batch: Batch, changes: readonly Change[]): Promise<Map<string, Prior> | 'after this batch'> {
    const { state, reader } = this.#parts;
    const prior = new Map<string, Prior>();
    for (const { subject, rev } of changes) {
      const overlaid = this.#overlay.get(subject.id);
      if (overlaid !== undefined) {
        if (overlaid.batch === batch.number) return 'after this batch';
        prior.set(subject.id, { leaf: await this.#leafOf(overlaid), current: overlaid.current });
      } else if (rev > 0) {
        const head = state.head(state.keyOf(subject.id));
        const current = await reader.current(subject.id);
        if (head !== undefined && current !== undefined) prior.set(subject.id, { leaf: head.leaf, current });
      }
    }
    return prior;
  }

  async #leafOf(overlaid: OverlaySubject): Promise<Uint8Array> {
    if (overlaid.leaf === null) await this.#signed.get(overlaid.batch);
    if (overlaid.leaf === null) throw notCommitted();
    return overlaid.leaf;
  }

  #addRecords(
    batch: Batch,
    queued: Queued,
    changes: readonly Change[],
    prior: ReadonlyMap<string, Prior>,
    at: string,
  ): void {
    const { submission } = queued;
    const first = batch.base + batch.records.length;
    const n = changes.length;
    const cause = sealCause({ v: 1, command: submission.command.type, n, at, ...submission.cause }, this.#parts.random);
    // Everything that can fail happens before the first of these records is visible to later decisions.
    const sealed = changes.map((change) => this.#seal(change, prior.get(change.subject.id), first));
    const added = sealed.map(({ change, current, content, commitment, before }, nth): PendingRecord => {
      const index = first + nth;
      const names = nameChanges(before?.current, current, this.#parts.views.indexKey);
      const overlaid = this.#overlay.add({ current, index, rev: change.rev }, names);
      const record = {
        ns: this.#parts.state.ns,
        type: change.type,
        subject: this.#parts.state.keyOf(change.subject.id),
        rev: change.rev,
        prev: before?.leaf ?? null,
        doc: commitment,
        cause: cause.commitment,
        at,
      };
      return { index, record, content, applied: { change, current, at, index, leaf: null }, overlaid, names };
    });
    batch.records.push(...added);
    batch.causes.push({
      index: first,
      records: n,
      salt: cause.salt,
      document: cause.document,
      requestKey: submission.request?.key ?? null,
      requestHash: submission.request?.hash ?? null,
    });
    this.#requests.isIn(submission, batch.number);
    const applied = added.map((record) => record.applied);
    batch.answers.push({
      resolve: (promise) => queued.resolve({ changes: applied, promise, repeated: false }),
      reject: (error) => {
        this.#requests.forget(submission);
        queued.reject(error);
      },
    });
  }

  #seal(change: Change, before: Prior | undefined, first: number) {
    if (change.rev !== (before?.current.rev ?? -1) + 1) throw new Error(`${change.type} does not continue its subject`);
    const { document, content, commitment } = sealChange(change, first, this.#parts.random);
    const whole: Change = { ...change, document };
    return { change: whole, current: apply(before?.current, whole), content, commitment, before };
  }

  async #sign(batch: Batch): Promise<void> {
    assemble(batch, await this.#parts.signer.signRecords(batch.records.map(recordToSign)));
  }

  /** Commits a signed batch and answers its callers, or fails it and everything decided after it. */
  async #finish(batch: Batch, signing: Promise<void>): Promise<void> {
    try {
      await signing;
      if (this.#failedFrom !== null) throw notCommitted();
      await this.#append(batch.stored, batch.causes);
      this.#committedBatch = batch.number;
      for (const { index, applied } of batch.records) this.#parts.reader.remember(index, { ...applied.current, index });
      this.#parts.onCommitted(committedOf(batch));
      void this.#answer(batch);
    } catch (error) {
      this.#failedFrom ??= batch.number;
      const failure = error instanceof LedgerError ? error : notCommitted(error);
      for (const answer of batch.answers) answer.reject(failure);
    } finally {
      this.#signed.delete(batch.number);
      this.#inFlight -= 1;
      this.#wake();
    }
  }

  /** The promise is made while the next batch commits: callers wait for it, the log does not. */
  async #answer(batch: Batch): Promise<void> {
    const promise = await this.#parts.promise(batch);
    for (const answer of batch.answers) answer.resolve(promise);
  }

  /**
   * Appends to store and tree. A commit that failed may still have reached the disk: the store is asked
   * what it holds, and a store that holds something else stops the log.
   */
  async #append(entries: readonly StoredEntry[], causes: readonly StoredCause[]): Promise<void> {
    const { store, state } = this.#parts;
    const { size } = state;
    try {
      await store.append({ size, entries, causes });
    } catch (error) {
      if (!(await this.#isDurable(size, entries))) throw this.#halted ?? notCommitted(error);
    }
    for (const entry of entries) state.append(entry);
  }

  async #isDurable(size: number, entries: readonly StoredEntry[]): Promise<boolean> {
    const { store } = this.#parts;
    try {
      const now = await store.size();
      if (now === size) return false;
      const last = entries.at(-1);
      const found = last && (await store.entry(last.index));
      if (last && found && now === size + entries.length && equalBytes(found.leaf, last.leaf)) return true;
    } catch (error) {
      const message = 'the disk does not answer, so it is unknown what was written: restart when it does';
      this.#halt(new LedgerError('not_committed', message, { cause: error }));
      return false;
    }
    this.#halt(new LedgerError('integrity', 'the store holds entries that this server did not write'));
    return false;
  }

  #halt(error: LedgerError): void {
    this.#halted = error;
    const waiting = this.#queue;
    this.#queue = [];
    for (const queued of waiting) queued.reject(error);
    this.#parts.onHalted(error);
  }
}

function recordToSign({ record, content: { salt, document } }: PendingRecord): RecordToSign {
  const isLimited = record.type.startsWith('license.') && salt !== null && document !== null;
  return { record, content: isLimited ? { salt, document } : null };
}

function notCommitted(cause?: unknown): LedgerError {
  const why = cause instanceof Error ? cause.message : 'a change before it failed';
  return new LedgerError('not_committed', `nothing was changed: ${why}`, { cause });
}

function dryChange(change: Change, at: string): AppliedChange {
  const { document, companion, rev } = change;
  return { change, current: { document, companion, rev }, at, index: null, leaf: null };
}
