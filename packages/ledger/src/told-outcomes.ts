/** What came of a submission as callers are told of it, with a promise for each change that waits for its checkpoint. */
import type { KeptPromise } from '@tallystick/core';
import type { SubmitResult } from './ledger-events.ts';
import type { LogState } from './log-state.ts';
import type { Promises } from './promises.ts';
import type { ExecutedQuietly } from './sequence/approved-batches.ts';
import { type AppliedChange, type BatchPromise, keptPromise } from './sequence/batch.ts';
import type { Outcome } from './sequence/requests.ts';

export interface ToldOutcomeParts {
  promises: Promises;
  state: LogState;
  /** Size of the newest published checkpoint. */
  published: () => number;
}

export class ToldOutcomes {
  readonly #parts: ToldOutcomeParts;

  constructor(parts: ToldOutcomeParts) {
    this.#parts = parts;
  }

  async tell(outcome: Outcome): Promise<SubmitResult> {
    if ('refused' in outcome) return outcome;
    const { changes, repeated } = outcome;
    const promise = outcome.promise ?? (repeated ? await this.#again(changes) : null);
    const promises = promise && changes.map(({ index }) => keptPromise(promise, index ?? 0));
    return { changes, promises, repeated };
  }

  /** With what was signed elsewhere behind it. */
  async tellExecuted({ outcome, placed }: ExecutedQuietly): Promise<SubmitResult> {
    const told = await this.tell(outcome);
    const applied = placed?.revision?.applied;
    if ('refused' in told || applied === undefined) return told;
    const isDry = told.changes[0]?.index === null;
    const change = isDry ? { ...applied, index: null, leaf: null } : applied;
    const promise = isDry ? null : await this.promiseOf(change.index ?? 0);
    const promises = told.promises !== null && promise !== null ? [...told.promises, promise] : null;
    return { changes: [...told.changes, change], promises, repeated: told.repeated };
  }

  /** A promise for an entry that waits for its checkpoint; see Ledger.promiseOf. */
  async promiseOf(index: number): Promise<KeptPromise | null> {
    const { promises, state, published } = this.#parts;
    if (index < published() || index >= state.size) return null;
    const promise = await promises.make(index, [state.tree.leaf(index)]);
    return promise && keptPromise(promise, index);
  }

  async #again(changes: readonly AppliedChange[]): Promise<BatchPromise | null> {
    const { promises, published } = this.#parts;
    const first = changes[0]?.index ?? 0;
    if (published() > first) return null;
    return promises.make(
      first,
      changes.map(({ leaf }) => leaf ?? new Uint8Array(32)),
    );
  }
}
