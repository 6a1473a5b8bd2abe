/** Causes: each command's records stand together under one cause, which each of them commits to. */
import { causeCommitment, decodeUtf8, equalBytes, type LogRecord } from '@tallystick/core';
import type { StoredCause } from '@tallystick/ledger';
import { type FsckCounts, type FsckProblem, mismatch, problemAt } from './report.ts';

/** The command that records are being read of. */
interface OpenCommand {
  index: number;
  /** null where its cause is missing: said once. */
  cause: StoredCause | null;
  commitment: Uint8Array;
}

export class CauseCheck {
  readonly #counts: FsckCounts;
  /** Causes of the rows being read, by index; a cause is taken out by its first record. */
  readonly #waiting = new Map<number, StoredCause>();
  #open: OpenCommand | null = null;

  constructor(counts: FsckCounts) {
    this.#counts = counts;
  }

  /** Hands over the causes of the next rows. */
  load(causes: readonly StoredCause[]): void {
    for (const cause of causes) this.#waiting.set(cause.index, cause);
  }

  /** Checks the next record. `cause` is where its content says its cause is stored. */
  take(index: number, record: LogRecord, cause: number): FsckProblem | null {
    const ended = this.#isEndedAt(index) ? null : this.#unfinished(index, cause);
    if (cause === index) {
      const begun = this.#begin(index, record);
      return ended ?? begun;
    }
    if (ended !== null) return ended;
    const open = this.#open;
    if (open === null || cause !== open.index) {
      return problemAt(
        index,
        'contents',
        'cause',
        'the record is filed under a cause that it does not follow',
        {
          expected: open === null ? 'its own' : String(open.index),
          found: String(cause),
        },
      );
    }
    if (open.cause === null) return null;
    if (index >= open.index + open.cause.records) {
      return problemAt(index, 'contents', 'cause', 'the command that it is filed under has fewer records');
    }
    return this.#compare(index, record, open.commitment);
  }

  /** Checks an entry that is not a record, or the end of the log. */
  endAt(index: number): FsckProblem | null {
    const problem = this.#isEndedAt(index) ? null : this.#unfinished(index, -1);
    this.#open = null;
    return problem;
  }

  /** Causes among those handed over that no record began. */
  orphans(): FsckProblem[] {
    const orphans = [...this.#waiting.keys()].map((index) =>
      problemAt(index, 'causes', 'row', 'a cause where no command begins'),
    );
    this.#waiting.clear();
    return orphans;
  }

  #isEndedAt(index: number): boolean {
    const open = this.#open;
    return open?.cause == null || index === open.index + open.cause.records;
  }

  /** A problem where another command begins, or the log ends, before the open command has all its records. */
  #unfinished(index: number, cause: number): FsckProblem | null {
    const open = this.#open;
    if (open?.cause == null || cause === open.index) return null;
    const message = 'the cause counts other records than follow it';
    return problemAt(open.index, 'causes', 'records', message, {
      expected: String(open.cause.records),
      found: String(index - open.index),
    });
  }

  #begin(index: number, record: LogRecord): FsckProblem | null {
    const cause = this.#waiting.get(index);
    this.#waiting.delete(index);
    if (cause === undefined) {
      this.#open = { index, cause: null, commitment: record.cause };
      return problemAt(index, 'causes', 'row', 'the cause of the command is missing');
    }
    const commitment = causeCommitment(cause.salt, cause.document);
    this.#open = { index, cause, commitment };
    return this.#compare(index, record, commitment) ?? this.#checkCount(cause);
  }

  #compare(index: number, record: LogRecord, commitment: Uint8Array): FsckProblem | null {
    if (equalBytes(commitment, record.cause)) return null;
    const at = this.#open?.index ?? index;
    const message =
      at === index
        ? 'the cause or its salt is not what the record commits to'
        : `record ${index} commits to another cause`;
    return mismatch(at, 'causes', 'document', message, record.cause, commitment);
  }

  #checkCount(cause: StoredCause): FsckProblem | null {
    this.#counts.causes += 1;
    const n = countIn(cause.document);
    if (n === cause.records) return null;
    return problemAt(cause.index, 'causes', 'records', 'the cause document counts other records', {
      expected: String(n),
      found: String(cause.records),
    });
  }
}

/** `n` of a cause document; null where it says none. */
function countIn(document: Uint8Array): number | null {
  try {
    const { n } = JSON.parse(decodeUtf8(document)) as { n?: unknown };
    return typeof n === 'number' ? n : null;
  } catch {
    // The commitment holds, so these bytes were recorded: that they count nothing is said by the caller.
    return null;
  }
}
