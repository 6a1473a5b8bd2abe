/**
 * What was signed and will not be in the log. The signer keeps account of that, and is told before anything else is
 * signed for these indexes, or appended there.
 */

import { notCommitted } from './batch.ts';

/** Why the log does not hold what was signed for it. */
export type AbandonCause = 'restarted' | 'commit_failed' | 'signer_lost' | 'signer_refused';

export interface AbandonSigner {
  /** The log ends at `index`: what was signed for it and above is not used. Durable when it resolves. */
  abandon(abandoned: { index: number; cause: AbandonCause }): Promise<void>;
}

export class Abandonment {
  readonly #parts: { signer: AbandonSigner; state: { readonly size: number } };
  #cause: AbandonCause | null = null;
  #told: Promise<void> = Promise.resolve();

  constructor(parts: { signer: AbandonSigner; state: { readonly size: number } }) {
    this.#parts = parts;
  }

  /** Everything that was signed for the end of the log and above is settled, and not used. */
  note(cause: AbandonCause): void {
    this.#cause ??= cause;
  }

  /**
   * Resolves when the signer knows; at once where there is nothing to tell. Who waits goes on in the order in which it
   * came. Rejects as the signer does, and then it is told again by whoever comes next.
   */
  tell(): Promise<void> {
    const cause = this.#cause;
    if (cause === null) return this.#told;
    const { signer, state } = this.#parts;
    this.#cause = null;
    this.#told = signer.abandon({ index: state.size, cause }).catch((error: unknown) => {
      this.#cause ??= cause;
      throw error;
    });
    return this.#told;
  }

  /** Does `work` once the signer knows. Rejects with LedgerError (`not_committed`) where it cannot be told. */
  async before<T>(work: () => Promise<T>): Promise<T> {
    await this.tell().catch((cause: unknown) => Promise.reject(notCommitted(cause)));
    return work();
  }
}
