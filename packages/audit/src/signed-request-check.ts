/**
 * Requests as they were signed: a cause commits to its own, which may be gone only where a document of its command was erased,
 * or the command itself erased a customer. Whether those documents were erased lawfully is checked with them.
 */
import {
  base64,
  type CauseFacts,
  type LogRecord,
  parseRecordEntry,
  signedRequestCommitment,
} from '@tallystick/core';
import type { Store, StoredCause } from '@tallystick/ledger';
import { isErased } from './content-check.ts';
import { type FsckCounts, type FsckProblem, problemAt } from './report.ts';

/** `altered` where it is not what the cause commits to, or the cause commits to none. */
export type RequestState = 'none' | 'held' | 'gone' | 'altered';

export function requestState({ signed: committed }: CauseFacts, held: StoredCause['signed']): RequestState {
  if (held === null) return committed === null ? 'none' : 'gone';
  return committed === base64(signedRequestCommitment(held.salt, held.bytes)) ? 'held' : 'altered';
}

export class SignedRequestCheck {
  readonly #counts: FsckCounts;
  /** By the log index of the command; taken out when it ends. */
  readonly #states = new Map<number, RequestState>();
  /** Commands whose request is gone without a reason, or is there against it, as far as one look tells. */
  readonly #odd: number[] = [];
  #command = -1;
  #mayBeGone = false;

  constructor(counts: FsckCounts) {
    this.#counts = counts;
  }

  /** Takes note of what was found at the cause of a command that begins. */
  begin(index: number, state: RequestState): FsckProblem | null {
    if (state === 'held' || state === 'gone') this.#states.set(index, state);
    if (state === 'held') this.#counts.requests += 1;
    if (state !== 'altered') return null;
    const message = 'the signed request or its salt is not what the cause commits to';
    return problemAt(index, 'signed_requests', 'request', message);
  }

  /** Takes the next record. `cause` names its command. */
  take({ type }: LogRecord, cause: number, hasErasedContent: boolean): void {
    if (cause !== this.#command) this.endCommand();
    this.#command = cause;
    this.#mayBeGone ||= hasErasedContent || type === 'customer.erased';
  }

  endCommand(): void {
    const state = this.#states.get(this.#command);
    this.#states.delete(this.#command);
    if (state !== undefined && (state === 'gone') !== this.#mayBeGone) this.#odd.push(this.#command);
    else if (state === 'gone') this.#counts.erasedRequests += 1;
    this.#command = -1;
    this.#mayBeGone = false;
  }

  /** Looks again at what was odd: an erasure may have come between two reads. In log order. */
  async *problems(store: Store): AsyncGenerator<FsckProblem> {
    this.endCommand();
    for (const index of this.#odd) {
      const cause = await store.cause(index);
      const entries = await store.entries(index, cause?.records ?? 0);
      const mayBeGone = entries.some(
        ({ entry, content }) =>
          (content !== null && isErased(content)) ||
          parseRecordEntry(entry).record.type === 'customer.erased',
      );
      const isGone = cause?.signed == null;
      if (isGone === mayBeGone) this.#counts.erasedRequests += 1;
      else {
        const message = isGone
          ? 'the signed request of the command is gone, and no erasure explains it'
          : 'an erasure covers the signed request of the command, and it was not removed';
        yield problemAt(index, 'signed_requests', 'row', message);
      }
    }
  }
}
