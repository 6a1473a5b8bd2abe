/** Promises that are made after the commit: for whoever asks again, as long as there is no checkpoint. */
import { formatInstant } from '@tallystick/core';
import type { LedgerTimes } from './ledger-times.ts';
import { type BatchPromise, makePromise, type PromiseSigner } from './sequence/batch.ts';

export interface PromiseParts {
  signer: PromiseSigner;
  /** Name of the log. */
  origin: string;
  times: LedgerTimes;
  /** Milliseconds. */
  now: () => number;
  onEvent: (event: { type: 'alarm'; error: Error }) => void;
}

export class Promises {
  readonly #parts: PromiseParts;

  constructor(parts: PromiseParts) {
    this.#parts = parts;
  }

  /** The instant that promises made now name. */
  publishBy(): string {
    return formatInstant(this.#parts.now() + this.#parts.times.promiseMs);
  }

  /** A promise that cannot be signed does not undo what is durable: the caller gets none. */
  async make(index: number, leaves: readonly Uint8Array[]): Promise<BatchPromise | null> {
    const { signer, origin, onEvent } = this.#parts;
    const statement = { origin, index, publishBy: this.publishBy() };
    try {
      return await makePromise(signer, statement, leaves);
    } catch (error) {
      onEvent({ type: 'alarm', error: error instanceof Error ? error : new Error(String(error)) });
      return null;
    }
  }
}
