/**
 * Builds batches: decides commands on what is committed and in flight, and turns their changes into
 * records that wait for a signature.
 */
import { effectiveLock } from '@tallystick/core';
import {
  apply,
  type Change,
  type Current,
  type Decision,
  decide,
  type Environment,
  isSignedCommand,
} from '@tallystick/license';
import { type CauseInput, sealCause, sealChange } from '../content.ts';
import type { Governing } from '../governing.ts';
import type { LogState } from '../log-state.ts';
import { nameChanges } from '../names.ts';
import type { RandomPool } from '../random-pool.ts';
import type { RevisionReader } from '../read/revision-reader.ts';
import {
  type AppliedChange,
  type Batch,
  type Judge,
  notCommitted,
  type PendingRecord,
  type Submission,
} from './batch.ts';
import type { Overlay, OverlaySubject } from './overlay.ts';
import type { LookedUp, Outcome, Requests } from './requests.ts';
import { Missing, SequencingView, type ViewSources } from './view.ts';

/** A command that waits for its turn, with its caller. */
export interface Queued {
  submission: Submission;
  resolve(outcome: Outcome): void;
  reject(error: Error): void;
  /** True once the signer has refused a batch that it was in: the next one is its own. */
  isAlone?: boolean;
  /** True where what was signed elsewhere, and waited as this request, comes behind it in the same transaction. */
  isFollowed?: boolean;
}

export interface BatchBuilderParts {
  state: LogState;
  reader: RevisionReader;
  random: RandomPool;
  views: Omit<ViewSources, 'overlay' | 'durableBatch' | 'reader'>;
  /** Number of the newest durable batch. */
  durableBatch: () => number;
  overlay: Overlay;
  requests: Requests;
  /** What decisions may use besides the view and where in the log they are made. */
  environment: (at: string) => DecisionContext;
  governing: Governing;
  /** The time to write into the log now. */
  stamp: () => string;
  /** Resolves when leaf hashes of a batch in flight are known, or never will be. */
  whenSigned: (batch: number) => Promise<void> | undefined;
  /** Waits until nothing is in flight; returns the next log index. */
  drain: () => Promise<number>;
  /** Brings the projections up to everything committed. */
  settle: () => Promise<void>;
}

export type DecisionContext = Omit<Environment, 'lock' | 'epoch' | 'signedBrake' | 'index' | 'gate'>;

/** A decision, and what its cause says. */
interface Judged {
  decision: Decision;
  cause: CauseInput;
}

/** What is to become records. */
interface Decided {
  changes: readonly Change[];
  prior: ReadonlyMap<string, Prior>;
  at: string;
  cause: CauseInput;
}

/** The revision that a change continues. */
interface Prior {
  leaf: Uint8Array;
  current: Current;
}

/**
 * What waits goes together, and shares a flush of the disk, a promise and messages between threads; of more than the
 * least only half does, so that the rest is decided while the signer works on it.
 */
const commandsPerBatch = { min: 32, max: 128 } as const;
/**
 * Bytes of documents beyond which no further command joins a batch. One command has 8 MB at most (500 licenses of
 * 16 KiB), and the signer takes 16 MiB at once.
 */
const batchBytesMax = 2 * 1024 * 1024;

export class BatchBuilder {
  readonly #parts: BatchBuilderParts;

  constructor(parts: BatchBuilderParts) {
    this.#parts = parts;
  }

  /** Decides commands from the front of `queue` into a batch that begins at log index `base`. */
  async build(number: number, base: number, queue: Queued[]): Promise<Batch> {
    const batch: Batch = {
      number,
      base,
      records: [],
      causes: [],
      requests: [],
      bytes: 0,
      answers: [],
      stored: [],
      promise: new Uint8Array(0),
    };
    this.#parts.overlay.begin(number);
    const { min, max } = commandsPerBatch;
    const wanted = Math.min(max, Math.max(min, Math.ceil(queue.length / 2)));
    const waiting = queue.slice(0, wanted).map(({ submission }) => submission);
    const lookedUp = this.#parts.requests.lookUp(waiting);
    for (let taken = 0; taken < wanted; taken++) {
      const queued = queue.shift();
      if (queued === undefined) break;
      if (queued.isAlone === true && batch.records.length > 0) {
        queue.unshift(queued);
        break;
      }
      try {
        if (!(await this.#include(batch, queued, lookedUp))) {
          queue.unshift(queued);
          break;
        }
      } catch (error) {
        this.#parts.requests.forget(queued.submission);
        queued.reject(error instanceof Error ? error : new Error(String(error)));
      }
      if (queued.isAlone === true && batch.records.length > 0) break;
      if (batch.bytes > batchBytesMax) break;
    }
    return batch;
  }

  /**
   * Has changes judged that were signed elsewhere, while nothing is in flight. Rejects with what `ask` throws.
   *
   * @param ask as for the command of a submission
   */
  async judge(ask: Judge, changes: readonly Change[]): Promise<void> {
    const { overlay, durableBatch, views, reader, stamp, settle } = this.#parts;
    const view = new SequencingView({ overlay, durableBatch, reader, ...views });
    for (;;) {
      try {
        const { lock, epoch } = this.#governed(view);
        ask(view, changes, { at: stamp(), lock, epoch });
        return;
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        if (error.what === 'settled projections') {
          await settle();
          view.isSettled = true;
        } else view.loaded.set(error.what.subject, await reader.current(error.what.subject));
      }
    }
  }

  /** Decides one command into a batch; false where the batch must be sent off first. */
  async #include(batch: Batch, queued: Queued, lookedUp: LookedUp): Promise<boolean> {
    const { submission } = queued;
    const recalled = await this.#parts.requests.recall(submission, lookedUp);
    if (recalled !== null) {
      this.#parts.requests.forget(submission);
      queued.resolve(recalled);
      return true;
    }
    const at = this.#parts.stamp();
    const judged = await this.#decide(batch, submission, at);
    if (judged === 'after this batch') return false;
    const { decision, cause } = judged;
    if (!decision.ok) {
      this.#parts.requests.forget(submission);
      queued.resolve({ refused: decision.refusal });
      return true;
    }
    if (queued.isFollowed !== true && decision.changes.some(endsSigned))
      throw new Error('what was signed elsewhere is not in the log with the record that says so');
    if (submission.dryRun) {
      queued.resolve({
        changes: decision.changes.map((change) => dryChange(change, at)),
        promise: null,
        repeated: false,
      });
      return true;
    }
    const prior = await this.#priorRevisions(batch, decision.changes);
    if (prior === 'after this batch') return false;
    this.#addRecords(batch, queued, { changes: decision.changes, prior, at, cause });
    return true;
  }

  async #decide(batch: Batch, submission: Submission, at: string): Promise<Judged | 'after this batch'> {
    const { overlay, durableBatch, views, reader, environment, settle } = this.#parts;
    const context = environment(at);
    let view = new SequencingView({ overlay, durableBatch, reader, ...views });
    for (;;) {
      try {
        const index = batch.base + batch.records.length;
        const judged = judge(view, submission, { ...context, ...this.#governed(view), index });
        if (judged !== null) return judged;
        // No refusal on the strength of a change that may yet fail: it waits until that is certain.
        if (batch.records.length > 0) return 'after this batch';
        await this.#waitForAll(batch);
        view = new SequencingView({ overlay, durableBatch, reader, ...views });
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        if (error.what !== 'settled projections') {
          view.loaded.set(error.what.subject, await reader.current(error.what.subject));
          continue;
        }
        if (batch.records.length > 0) return 'after this batch';
        await this.#waitForAll(batch);
        await settle();
        view.isSettled = true;
      }
    }
  }

  /** What the newest namespace and brake say. A brake in flight is read through the view, which takes note of that. */
  #governed(view: SequencingView): Pick<Environment, 'lock' | 'epoch' | 'signedBrake'> {
    const { namespace, brake, signedBrake } = this.#parts.governing;
    const isInFlight = this.#parts.overlay.get('brake') !== undefined;
    const newest = (isInFlight ? view.subject('brake', 'brake')?.document : undefined) ?? brake;
    return { lock: effectiveLock(namespace, newest), epoch: namespace.epoch, signedBrake };
  }

  /** Waits until nothing is in flight; what was taken back meanwhile moves the batch to another index. */
  async #waitForAll(batch: Batch): Promise<void> {
    batch.base = await this.#parts.drain();
    this.#parts.overlay.begin(batch.number);
  }

  /** The revisions that the changes continue, each with its leaf hash known. */
  async #priorRevisions(
    batch: Batch,
    changes: readonly Change[],
  ): Promise<Map<string, Prior> | 'after this batch'> {
    const { state, reader } = this.#parts;
    const prior = new Map<string, Prior>();
    for (const { subject, rev } of changes) {
      const overlaid = this.#parts.overlay.get(subject.id);
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
    if (overlaid.leaf === null) await this.#parts.whenSigned(overlaid.batch);
    if (overlaid.leaf === null) throw notCommitted();
    return overlaid.leaf;
  }

  #addRecords(
    batch: Batch,
    queued: Queued,
    { changes, prior, at, cause: { who, why, gate } }: Decided,
  ): void {
    const { submission } = queued;
    const { request } = submission;
    const first = batch.base + batch.records.length;
    const n = changes.length;
    // Everything that can fail happens before the first of these records is visible to later decisions.
    const sealed = changes.map((change) => this.#seal(change, prior.get(change.subject.id), first));
    const cause = sealCause(
      { command: submission.command.type, n, request, at, who, why, ...(gate && { gate }) },
      sealed,
      this.#parts.random,
    );
    const added = sealed.map(({ change, current, content, commitment, before }, nth): PendingRecord => {
      const index = first + nth;
      const names = nameChanges(before?.current, current, this.#parts.views.indexKey);
      const overlaid = this.#parts.overlay.add({ current, index, rev: change.rev }, names);
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
    for (const { content } of added) batch.bytes += content.document?.length ?? 0;
    batch.causes.push({
      index: first,
      records: n,
      salt: cause.salt,
      document: cause.document,
      signed: cause.signed,
    });
    if (request !== null) batch.requests.push({ key: request.key, index: first });
    const applied = added.map((record) => record.applied);
    batch.answers.push({
      again: (isAlone) => {
        queued.isAlone = isAlone || queued.isAlone === true;
        return queued;
      },
      resolve: (promise) => queued.resolve({ changes: applied, promise, repeated: false }),
      reject: (error) => {
        this.#parts.requests.forget(submission);
        queued.reject(error);
      },
    });
  }

  #seal(change: Change, before: Prior | undefined, first: number) {
    if (change.rev !== (before?.current.rev ?? -1) + 1)
      throw new Error(`${change.type} does not continue its subject`);
    const { document, content, commitment } = sealChange(change, first, this.#parts.random);
    const whole: Change = { ...change, document };
    return { change: whole, current: apply(before?.current, whole), document, content, commitment, before };
  }
}

/** Decides a command and judges it; null where that says no on the strength of a change that may yet fail. */
function judge(
  view: SequencingView,
  { command, cause, gate, judge: ask, see }: Submission,
  environment: Omit<Environment, 'gate'>,
): Judged | null {
  const { now: at, lock, epoch } = environment;
  try {
    const decision = decide(see?.(view, at) ?? view, command, { ...environment, gate: gate ?? null });
    const changes = decision.ok ? decision.changes : [];
    const judged = { decision, cause: ask?.(view, changes, { at, lock, epoch }) ?? cause };
    return decision.ok || !view.isProvisional ? judged : null;
  } catch (error) {
    if (error instanceof Missing || !view.isProvisional) throw error;
    return null;
  }
}

/** A request that was carried out, and whose command no decision makes. */
function endsSigned({ type, document }: Change): boolean {
  return type === 'approval.executed' && document.type === 'approval' && isSignedCommand(document.command);
}

function dryChange(change: Change, at: string): AppliedChange {
  const { document, companion, rev } = change;
  return { change, current: { document, companion, rev }, at, index: null, leaf: null };
}
