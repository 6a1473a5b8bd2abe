/**
 * Idempotency: what became of a request key, from the moment it is asked under until for ever.
 *
 * Keys in flight are here with what becomes of them, and just committed ones with where they stand; older ones are in
 * the causes, found through the projections.
 */
import { equalBytes } from '@tallystick/core';
import type { Change, Refusal } from '@tallystick/license';
import { type CheckedRevision, checkCause, isOfRequest } from '../content.ts';
import { LedgerError } from '../errors.ts';
import type { ProjectedRequest, Projections } from '../projections/projections.ts';
import type { RevisionReader } from '../read/revision-reader.ts';
import type { Store } from '../store/store.ts';
import type { AppliedChange, BatchPromise, Submission } from './batch.ts';
import { RequestKeys } from './request-keys.ts';

/** What became of a submission. */
export type Outcome =
  | { refused: Refusal }
  | {
      changes: AppliedChange[];
      /** null in a dry run, and where it was made before: then another one can be asked for. */
      promise: BatchPromise | null;
      /** True where an earlier request with the same key made the changes. */
      repeated: boolean;
    };

interface Tracked {
  submission: Submission;
  hash: Uint8Array;
  outcome: Promise<Outcome>;
}

/** Where what was done under a key stands. */
interface Committed {
  index: number;
  batch: number;
}

/** Log indexes of what was done under keys, null for nothing. */
export type LookedUp = ReadonlyMap<string, number | null>;

export class Requests {
  readonly #tracked = new Map<string, Tracked>();
  /** In the order of their batches, until the projections know them. */
  readonly #committed = new Map<string, Committed>();
  readonly #keys: RequestKeys;
  readonly #sources: { store: Store; reader: RevisionReader; projections: Projections };

  constructor(sources: { store: Store; reader: RevisionReader; projections: Projections }) {
    this.#sources = sources;
    this.#keys = new RequestKeys(sources.projections);
  }

  /** The outcome of a request under the same key that this process has seen; rejects if it asked for something else. */
  earlier({ request }: Submission): Promise<Outcome> | null {
    const tracked = request === null ? undefined : this.#tracked.get(request.key);
    if (request === null || tracked === undefined) return null;
    if (!equalBytes(tracked.hash, request.hash)) return Promise.reject(keyReused());
    return tracked.outcome.then((outcome) =>
      'changes' in outcome ? { ...outcome, repeated: true } : outcome,
    );
  }

  track(submission: Submission, outcome: Promise<Outcome>): void {
    const { request, dryRun } = submission;
    if (request === null || dryRun) return;
    this.#tracked.set(request.key, { submission, hash: request.hash, outcome });
  }

  /** What was done under these keys is durable, and read from the store when it is asked for again. */
  commit(batch: number, requests: readonly ProjectedRequest[]): void {
    for (const { key, index } of requests) {
      this.#keys.add(key);
      this.#committed.set(key, { index, batch });
      this.#tracked.delete(key);
    }
  }

  /** What was refused, failed or told from the store may be asked for again under the same key. */
  forget(submission: Submission): void {
    const { request } = submission;
    if (request === null || this.#tracked.get(request.key)?.submission !== submission) return;
    this.#tracked.delete(request.key);
  }

  /** Forgets what the projections know by now. */
  retire(upToBatch: number): void {
    for (const [key, { batch }] of this.#committed) {
      if (batch > upToBatch) break;
      this.#committed.delete(key);
    }
  }

  /** Looks up the keys of submissions in one go, for `recall`: what is found out of one that waits holds until its turn. */
  lookUp(submissions: readonly Submission[]): LookedUp {
    const keys = submissions.flatMap(({ request }) => request?.key ?? []);
    const used = keys.filter((key) => this.#keys.mayHold(key) && !this.#committed.has(key));
    const found = used.length === 0 ? new Map() : this.#sources.projections.indexesOfRequests(used);
    return new Map(keys.map((key) => [key, this.#committed.get(key)?.index ?? found.get(key) ?? null]));
  }

  /** The outcome of a request that was carried out before; null where the key is new. */
  async recall(submission: Submission, lookedUp: LookedUp): Promise<Outcome | null> {
    const { store } = this.#sources;
    const { request } = submission;
    if (request === null) return null;
    // What was taken back meanwhile comes before those that were looked up.
    const known = lookedUp.has(request.key) ? lookedUp : this.lookUp([submission]);
    const index = known.get(request.key) ?? null;
    if (index === null) return null;
    const first = await this.#revision(index);
    const cause = checkCause(first, await store.cause(index));
    // Carried out again, it would be done twice.
    if (cause.request?.key !== request.key)
      throw new LedgerError(
        'integrity',
        `the idempotency key of this request is filed under entry ${index}, which is of another: run tally rebuild`,
      );
    const isSame = isOfRequest(cause, request.hash, first.content);
    if (isSame === null) throw erasedSince();
    if (!isSame) throw keyReused();
    const changes: AppliedChange[] = [];
    for (let at = index; at < index + cause.n; at++) changes.push(await this.#pastChange(at));
    return { changes, promise: null, repeated: true };
  }

  async #revision(index: number): Promise<CheckedRevision> {
    const { store, reader } = this.#sources;
    const stored = await store.entry(index);
    return reader.revision(stored?.content?.id ?? '', index);
  }

  async #pastChange(index: number): Promise<AppliedChange> {
    const { record, current, leaf, content } = await this.#revision(index);
    const { id } = content;
    if (current === null) throw erasedSince();
    const { document, companion } = current;
    const { type, rev, at } = record.record;
    const change = { type, subject: { type: document.type, id }, rev, document, companion } as Change;
    return { change, current, at, index, leaf };
  }
}

function erasedSince(): LedgerError {
  return new LedgerError('idempotency_key_reused', 'what this request changed was erased since');
}

function keyReused(): LedgerError {
  return new LedgerError('idempotency_key_reused', 'this idempotency key was used for another request');
}
