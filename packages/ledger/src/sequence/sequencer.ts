/**
 * The sequencer: the one writer of the log.
 *
 * Commands are decided in small batches on a view that includes everything in flight; a batch is
 * signed, committed and promised while the next ones are already being decided. The commit is the point of no
 * return: before it nothing has happened, after it nothing can be lost. When a batch fails, it and every later
 * one are taken back, because they were decided on top of it.
 */
import type { Current } from '@tallystick/license';
import { asError, LedgerError } from '../errors.ts';
import type { Governing } from '../governing.ts';
import type { LogState } from '../log-state.ts';
import type { PlacedRevision } from '../place-revision.ts';
import { revisionRows } from '../projections/rows.ts';
import type { RandomPool } from '../random-pool.ts';
import type { RevisionReader } from '../read/revision-reader.ts';
import type { Store, StoredEntry } from '../store/store.ts';
import { type AbandonCause, Abandonment, type AbandonSigner } from './abandonment.ts';
import { Appender } from './appender.ts';
import { ApprovedBatches } from './approved-batches.ts';
import {
  assemble,
  type Batch,
  type BatchToSign,
  batchPromise,
  type Committed,
  committedOf,
  notCommitted,
  recordToSign,
  type SignedBatch,
  type Submission,
} from './batch.ts';
import { BatchBuilder, type DecisionContext, type Queued } from './batch-builder.ts';
import { LogTime } from './log-time.ts';
import { Overlay } from './overlay.ts';
import { type Outcome, Requests } from './requests.ts';
import type { ViewSources } from './view.ts';

/** What the sequencer asks of the signer. */
export interface BatchSigner extends AbandonSigner {
  signBatch(batch: BatchToSign): Promise<SignedBatch>;
}

export interface SequencerParts {
  store: Store;
  state: LogState;
  reader: RevisionReader;
  signer: BatchSigner;
  random: RandomPool;
  views: Omit<ViewSources, 'overlay' | 'durableBatch' | 'reader'>;
  /** Milliseconds. */
  now: () => number;
  /** What decisions may use besides the view and where in the log they are made. */
  environment: (at: string) => DecisionContext;
  governing: Governing;
  /** The instant that promises made now name. */
  publishBy: () => string;
  /** Told of every batch once it is durable, in log order. */
  onCommitted: (committed: Committed) => void;
  /** Told of the log's size after an entry that is not a record. */
  onAppended: (size: number) => void;
  /** Brings the projections up to everything committed. */
  settle: () => Promise<void>;
  /** Told when the log cannot go on: from here on every command is refused with this. */
  onHalted: (error: LedgerError) => void;
}

const batchesInFlightMax = 3;
const queueMax = 20_000;

export class Sequencer {
  readonly #parts: SequencerParts;
  readonly #overlay = new Overlay();
  readonly #requests: Requests;
  readonly #builder: BatchBuilder;
  readonly #queue: Queued[] = [];
  /** Commands of batches that were taken back, to be decided before all others. */
  readonly #again: Queued[] = [];
  /** Resolves the loop's sleep: there may be something to do. */
  #wake: () => void = () => {};
  #inFlight = 0;
  /** Batches commit in the order in which they were built. */
  #commits: Promise<void> = Promise.resolve();
  /** Settles, per batch in flight, when its leaf hashes are known or never will be. */
  readonly #signed = new Map<number, Promise<void>>();
  #nextBatch = 1;
  #nextIndex: number;
  readonly #time: LogTime;
  #committedBatch = 0;
  /** Batches from here on were decided on something that failed. */
  #failedFrom: number | null = null;
  /** Why. Where it was a refusal of the signer, nothing is wrong with what was decided after it. */
  #failure: AbandonCause = 'commit_failed';
  readonly #abandonment: Abandonment;
  readonly #appender: Appender;
  readonly #approved: ApprovedBatches;
  #halted: LedgerError | null = null;
  #isStopping = false;
  /** True once nothing is carried out any more. */
  #hasEnded = false;
  /** Work that needs the log to stand still. */
  readonly #quiet: (() => Promise<void>)[] = [];
  readonly #loop: Promise<void>;

  /** @param lastAt the newest time written into the log, in milliseconds */
  constructor(parts: SequencerParts, lastAt: number) {
    this.#parts = parts;
    this.#abandonment = new Abandonment(parts);
    this.#appender = new Appender(parts, (error) => this.halt(error));
    this.#requests = new Requests({
      store: parts.store,
      reader: parts.reader,
      projections: parts.views.projections,
    });
    this.#builder = new BatchBuilder({
      ...parts,
      durableBatch: () => this.#committedBatch,
      overlay: this.#overlay,
      requests: this.#requests,
      stamp: () => this.#time.stamp(),
      whenSigned: (batch) => this.#signed.get(batch),
      drain: () => this.#drain(),
    });
    this.#approved = new ApprovedBatches({
      requests: this.#requests,
      overlay: this.#overlay,
      abandon: () => {
        if (this.#halted === null) this.#abandonment.note('commit_failed');
      },
      build: (queued) => this.#builder.build(this.#nextBatch++, this.#nextIndex, [queued]),
      sign: (batch) => this.#sign(batch),
      append: (entries, causes) => this.#appender.append(entries, causes),
      committed: (batch, revision) => {
        this.#settle(batch);
        this.#appended(revision);
      },
    });
    this.#nextIndex = parts.state.size;
    this.#time = new LogTime(lastAt, parts.now);
    this.#loop = this.#run();
  }

  /** The newest time that was written into the log, in milliseconds. */
  get lastAt(): number {
    return this.#time.writtenAt;
  }

  /** True once it was told to stop. */
  get isStopping(): boolean {
    return this.#isStopping;
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
    const closed =
      this.#halted ?? (this.#isStopping ? new LedgerError('stopping', 'the server is stopping') : null);
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
    if (this.#hasEnded) return Promise.reject(new LedgerError('stopping', 'the server is stopping'));
    return new Promise((resolve, reject) => {
      this.#quiet.push(() => this.#abandonment.before(work).then(resolve, reject));
      this.#wake();
    });
  }

  /**
   * Appends at once what is not the work of a command: entries that are no records (map.root, trust.root), and `revision`
   * where it is among them, which was signed elsewhere. Only inside `whileQuiet`.
   */
  async appendQuietly(
    entries: readonly StoredEntry[],
    revision: PlacedRevision | null = null,
  ): Promise<void> {
    await this.#appender.append(entries, revision === null ? [] : [revision.cause]);
    this.#appended(revision);
  }

  #appended(revision: PlacedRevision | null): void {
    this.#time.wroteAll();
    const { size } = this.#parts.state;
    this.#nextIndex = size;
    if (revision === null) {
      this.#parts.onAppended(size);
      return;
    }
    const { applied, stored } = revision;
    // The authority's clock may be ahead of ours: nothing that follows may be earlier.
    this.#time.wrote(applied.at);
    const { document, rev } = applied.current;
    const { index } = stored;
    const rows = revisionRows({ index, id: document.id, rev, document, names: new Map() });
    this.#parts.governing.committed(document);
    this.#parts.onCommitted({
      batch: this.#committedBatch,
      size,
      entries: [stored],
      revisions: [{ ...rows, type: applied.change.type, cause: index }],
      requests: [],
      changes: [applied],
    });
  }

  /** Has what was signed elsewhere judged; see BatchBuilder.judge. Only inside `whileQuiet`. */
  judgeQuietly(...asked: Parameters<BatchBuilder['judge']>): Promise<void> {
    return this.#builder.judge(...asked);
  }

  /** See ApprovedBatches.execute. Only inside `whileQuiet`. */
  executeQuietly(...asked: Parameters<ApprovedBatches['execute']>): ReturnType<ApprovedBatches['execute']> {
    return this.#approved.execute(...asked);
  }

  /** The time to write into the log now: never before anything written earlier. */
  stamp(): string {
    return this.#time.stamp();
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
        this.#time.forget();
        await quiet();
      } else if (this.#queue.length > 0 && this.#inFlight < batchesInFlightMax) {
        await this.#launch();
      } else if (this.#again.length > 0 && this.#inFlight === 0) {
        await this.#drain();
      } else if (this.#isStopping && this.#inFlight === 0 && this.#queue.length === 0) {
        this.#hasEnded = true;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Waits until nothing is in flight, and takes back what failed; a halted log cannot say what did. Returns the next index. */
  async #drain(): Promise<number> {
    await this.#commits;
    if (this.#failedFrom !== null) {
      this.#overlay.dropFrom(this.#failedFrom);
      if (this.#halted === null) this.#abandonment.note(this.#failure);
      this.#failedFrom = null;
      this.#nextIndex = this.#parts.state.size;
      this.#queue.unshift(...this.#again.splice(0));
    }
    return this.#nextIndex;
  }

  /** Builds a batch from the queue and sends it on its way. */
  async #launch(): Promise<void> {
    if (this.#failedFrom !== null) await this.#drain();
    if (this.#inFlight === 0) this.#time.forget();
    const batch = await this.#builder.build(this.#nextBatch++, this.#nextIndex, this.#queue);
    this.#nextIndex = batch.base + batch.records.length;
    if (batch.records.length === 0) return;
    this.#inFlight += 1;
    const signing = this.#sign(batch);
    this.#signed.set(
      batch.number,
      signing.catch(() => {}),
    );
    this.#commits = this.#commits.then(() => this.#finish(batch, signing));
  }

  async #sign(batch: Batch): Promise<void> {
    const { signer, publishBy, governing } = this.#parts;
    for (const { applied } of batch.records) governing.signing(applied.current.document);
    const records = batch.records.map(recordToSign);
    await this.#abandonment.tell();
    assemble(batch, await signer.signBatch({ records, index: batch.base, publishBy: publishBy() }));
  }

  /** Commits a signed batch and answers its callers, or fails it and everything decided after it. */
  async #finish(batch: Batch, signing: Promise<void>): Promise<void> {
    try {
      const refusal = await signing.then(() => null, asError);
      if (this.#failedFrom !== null || refusal !== null) {
        if (refusal !== null) await this.#parts.governing.learn();
        this.#takeBack(batch, refusal);
        return;
      }
      await this.#appender.append(batch.stored, batch.causes);
      this.#settle(batch);
    } catch (error) {
      this.#failedFrom ??= batch.number;
      this.#failure = 'commit_failed';
      const failure = error instanceof LedgerError ? error : notCommitted(error);
      for (const answer of batch.answers) answer.reject(failure);
    } finally {
      this.#signed.delete(batch.number);
      this.#inFlight -= 1;
      this.#wake();
    }
  }

  /** Tells of a batch that is durable, and answers its callers. */
  #settle(batch: Batch): void {
    this.#committedBatch = batch.number;
    this.#overlay.commit(batch.number);
    this.#requests.commit(batch.number, batch.requests);
    this.#remember(batch);
    this.#parts.onCommitted(committedOf(batch));
    const leaves = batch.stored.map(({ leaf }) => leaf);
    const promise = batchPromise(batch.promise, batch.base, leaves);
    for (const answer of batch.answers) answer.resolve(promise);
  }

  /** What was just issued is seldom changed next; what was changed, and what licenses refer to, is. */
  #remember({ records }: Batch): void {
    for (const { index, applied } of records) {
      const { current, change } = applied;
      this.#time.wrote(applied.at);
      this.#parts.governing.committed(current.document);
      if (change.type !== 'license.issued') this.#parts.reader.remember(index, { ...current, index });
    }
  }

  /**
   * Nothing of the batch was committed. Where the signer refused it, each command is tried on its own, so that
   * only the one that it will not sign fails; where an earlier batch was refused, this one is decided anew.
   */
  #takeBack(batch: Batch, refusal: Error | null): void {
    const isRefused = refusal !== null && refusal.name !== 'SignerUnavailable';
    if (this.#failedFrom === null) {
      this.#failedFrom = batch.number;
      this.#failure = isRefused ? 'signer_refused' : 'signer_lost';
    }
    if (isRefused && batch.answers.length > 1) {
      this.#again.push(...batch.answers.map((answer) => answer.again(true)));
    } else if (refusal === null && this.#failure === 'signer_refused' && this.#halted === null) {
      this.#again.push(...batch.answers.map((answer) => answer.again(false)));
    } else {
      for (const answer of batch.answers) answer.reject(notCommitted(refusal));
    }
  }

  /** Refuses what waits for its turn. */
  refuseQueued(error: LedgerError): void {
    // Emptied in place: a batch may be in the building from it.
    for (const queued of [...this.#again.splice(0), ...this.#queue.splice(0)]) queued.reject(error);
  }

  /** From here on every command is refused with this. */
  halt(error: LedgerError): void {
    this.#halted = error;
    this.refuseQueued(error);
    this.#parts.onHalted(error);
  }
}
