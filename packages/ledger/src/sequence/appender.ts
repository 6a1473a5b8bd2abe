/** The commit: entries become part of store and tree, or nothing happened, or nobody can say and the log stops. */
import { entryLengthMax, equalBytes } from '@tallystick/core';
import { LedgerError, storeNameOf } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Store, StoredCause, StoredEntry } from '../store/store.ts';
import { notCommitted } from './batch.ts';

export class Appender {
  readonly #parts: { store: Store; state: LogState };
  readonly #onHalt: (error: LedgerError) => void;
  #halted: LedgerError | null = null;

  /** @param onHalt told where the log cannot go on */
  constructor(parts: { store: Store; state: LogState }, onHalt: (error: LedgerError) => void) {
    this.#parts = parts;
    this.#onHalt = onHalt;
  }

  /**
   * Appends to store and tree. A commit that failed may still have reached the disk: the store is asked
   * what it holds, and a store that holds something else stops the log.
   */
  async append(entries: readonly StoredEntry[], causes: readonly StoredCause[]): Promise<void> {
    const { store, state } = this.#parts;
    const { size } = state;
    // Decisions see to it; a mistake in them must not become a second history of a subject.
    if (!state.isContinuedBy(entries))
      throw notCommitted(new Error('a record does not continue its subject'));
    const long = entries.find(({ entry }) => entry.length > entryLengthMax);
    if (long !== undefined)
      throw notCommitted(new Error(`an entry of ${long.entry.length} bytes fits no tile`));
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
      const message = `${storeNameOf(error)} does not answer, so it is unknown what was written: restart when it does`;
      this.#halt(new LedgerError('not_committed', message, { cause: error }));
      return false;
    }
    this.#halt(new LedgerError('integrity', 'the store holds entries that this server did not write'));
    return false;
  }

  #halt(error: LedgerError): void {
    this.#halted = error;
    this.#onHalt(error);
  }
}
