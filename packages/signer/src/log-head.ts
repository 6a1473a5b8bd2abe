/**
 * The newest checkpoint of one log that its keys signed here, and the rules by which there is a next one: never smaller, never
 * the same size with another root, always a continuation.
 */
import { type Checkpoint, equalBytes, IntegrityError, verifyConsistency } from '@tallystick/core';
import type { JournalPosition } from './journal/journal.ts';
import type { Mark } from './mark.ts';
import { SignerRefusal } from './protocol/requests.ts';
import type { WitnessWatch } from './witness-watch.ts';

export class LogHead {
  readonly #mark: Mark;
  readonly #witnesses: WitnessWatch;
  readonly #confirmedWithinMs: number | undefined;

  /** @param confirmedWithinMs as of `WitnessWatch.demandConfirmed` */
  constructor(mark: Mark, witnesses: WitnessWatch, confirmedWithinMs?: number) {
    this.#mark = mark;
    this.#witnesses = witnesses;
    this.#confirmedWithinMs = confirmedWithinMs;
  }

  /**
   * Compares a checkpoint with the mark and moves it, on disk when it returns, in one synchronous step: of two requests at the
   * same time, the second is held against the mark that the first one moved, whether or not that is signed yet. True
   * where it moved. Throws SignerRefusal.
   */
  move(checkpoint: Checkpoint, proof: readonly Uint8Array[], journal: JournalPosition | null): boolean {
    this.#witnesses.demandMark();
    const mark = this.#mark.checkpoint;
    if (checkpoint.origin !== mark.origin) throw new SignerRefusal('other_log', 'checkpoint of another log');
    if (checkpoint.size < mark.size) {
      throw new SignerRefusal('rollback', `the log had ${mark.size} entries and now has ${checkpoint.size}`);
    }
    demandSameHistory(mark, checkpoint, proof);
    const isGrowth = checkpoint.size > mark.size;
    if (isGrowth) {
      this.#witnesses.demandConfirmed(mark, this.#confirmedWithinMs);
      this.#witnesses.demandClock();
      this.#mark.advance(checkpoint, journal);
    }
    this.#witnesses.signing(checkpoint);
    return isGrowth;
  }
}

/** Throws SignerRefusal unless `next`, which is not smaller, continues the history of the mark. */
export function demandSameHistory(mark: Checkpoint, next: Checkpoint, proof: readonly Uint8Array[]): void {
  if (next.size === mark.size && !equalBytes(next.root, mark.root))
    throw new SignerRefusal('fork', `another history of size ${mark.size} was signed before`);
  try {
    verifyConsistency(mark.size, mark.root, next.size, next.root, proof);
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    throw new SignerRefusal('fork', error.message);
  }
}
