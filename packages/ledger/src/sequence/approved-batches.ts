/** Requests that others approved, about what was signed elsewhere: the record that says so, and that, in one transaction. */
import { asError, LedgerError } from '../errors.ts';
import type { PlacedRevision } from '../place-revision.ts';
import type { StoredCause, StoredEntry } from '../store/store.ts';
import { type Batch, notCommitted, type Submission } from './batch.ts';
import type { Queued } from './batch-builder.ts';
import type { Overlay } from './overlay.ts';
import type { Outcome, Requests } from './requests.ts';

/** What was signed elsewhere, at its place in the log. */
export interface Placed {
  entries: readonly StoredEntry[];
  revision: PlacedRevision | null;
  /** The last step before it is appended. */
  prepare?: () => Promise<void>;
}

/** What became of a request; `placed` is null where nothing was put behind it. */
export interface ExecutedQuietly {
  outcome: Outcome;
  placed: Placed | null;
}

export interface ApprovedBatchParts {
  requests: Requests;
  overlay: Overlay;
  /** What was just signed is not used. */
  abandon: () => void;
  build: (queued: Queued) => Promise<Batch>;
  sign: (batch: Batch) => Promise<void>;
  append: (entries: readonly StoredEntry[], causes: readonly StoredCause[]) => Promise<void>;
  /** Both are durable. */
  committed: (batch: Batch, revision: PlacedRevision | null) => void;
}

export class ApprovedBatches {
  readonly #parts: ApprovedBatchParts;

  constructor(parts: ApprovedBatchParts) {
    this.#parts = parts;
  }

  /**
   * Carries out a request that others approved, while nothing is in flight. Its record comes before what it is about: the
   * keys that sign it are those from before. Rejects with what `place` throws and as a submission does, with nothing changed.
   *
   * @param place checks what comes behind, from the log index on that it is given
   */
  async execute(submission: Submission, place: (index: number) => Promise<Placed>): Promise<ExecutedQuietly> {
    const { requests, build } = this.#parts;
    const earlier = requests.earlier(submission);
    if (earlier !== null) return { outcome: await earlier, placed: null };
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    requests.track(submission, promise);
    const batch = await build({ submission, resolve, reject, isFollowed: true });
    const end = batch.base + batch.records.length;
    if (batch.records.length > 0) {
      const placed = await this.#commit(batch, () => place(end));
      return { outcome: await promise, placed };
    }
    const outcome = await promise;
    const isChecked = submission.dryRun && !('refused' in outcome);
    return { outcome, placed: isChecked ? await place(end + outcome.changes.length) : null };
  }

  /** Answers the caller either way; null where nothing was committed. */
  async #commit(batch: Batch, place: () => Promise<Placed>): Promise<Placed | null> {
    const { sign, append, committed, overlay, abandon } = this.#parts;
    let isSigned = false;
    try {
      const placed = await place();
      isSigned = true;
      await sign(batch);
      await placed.prepare?.();
      const { entries, revision } = placed;
      await append([...batch.stored, ...entries], [...batch.causes, ...(revision ? [revision.cause] : [])]);
      committed(batch, revision);
      return placed;
    } catch (error) {
      overlay.dropFrom(batch.number);
      if (isSigned) abandon();
      const failure = error instanceof LedgerError ? error : notCommitted(asError(error));
      for (const answer of batch.answers) answer.reject(failure);
      return null;
    }
  }
}
