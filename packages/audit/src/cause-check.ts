/** Causes: each command's records stand together under one cause, which each of them commits to. */
import { type CauseFacts, causeCommitment, causeFacts, equalBytes, type LogRecord } from '@tallystick/core';
import type { StoredCause } from '@tallystick/ledger';
import { type FsckCounts, type FsckProblem, mismatch, problemAt } from './report.ts';
import { requestState, type SignedRequestCheck } from './signed-request-check.ts';

/** The command that records are being read of. */
interface OpenCommand {
  index: number;
  /** Number of its records; null where its cause is missing: said once. */
  records: number | null;
  /** null while its records were found to commit to it by somebody else. */
  commitment: Uint8Array | null;
}

export class CauseCheck {
  readonly #counts: FsckCounts;
  readonly #requests: SignedRequestCheck;
  /** Causes of the rows being read, by index; a cause is taken out by its first record. */
  readonly #waiting = new Map<number, StoredCause>();
  #open: OpenCommand | null = null;

  constructor(counts: FsckCounts, requests: SignedRequestCheck) {
    this.#counts = counts;
    this.#requests = requests;
  }

  /** Hands over the causes of the next rows. */
  load(causes: readonly StoredCause[]): void {
    for (const cause of causes) this.#waiting.set(cause.index, cause);
  }

  /** True where a record that commits to the cause at `cause` may stand at an index. */
  mayFollow(index: number, cause: number): boolean {
    const open = this.#open;
    if (cause === index) return this.#isEndedAt(index);
    return open?.index === cause && open.records !== null && index < open.index + open.records;
  }

  /** Takes the next record, which may follow, and was found to commit to its cause by somebody else. */
  takeKnown(index: number, cause: number, records: number): void {
    if (cause !== index) return;
    this.#open = { index, records, commitment: null };
    this.#counts.causes += 1;
  }

  /** True where the command before an index has all its records. */
  isWholeAt(index: number): boolean {
    return this.#isEndedAt(index);
  }

  /**
   * Goes on behind an entry that cannot be read, or whose content is missing, which is said elsewhere. It belongs where
   * its content says, and without one it begins a command where a cause is stored.
   */
  passOver(index: number, cause: number | null): void {
    if (cause === null ? !this.#waiting.has(index) : cause !== index) return;
    const stored = this.#waiting.get(index);
    this.#waiting.delete(index);
    const commitment = stored === undefined ? null : causeCommitment(stored.salt, stored.document);
    this.#open = { index, records: stored?.records ?? null, commitment };
  }

  /** Takes an entry that is not a record, where one may stand. */
  passKnown(): void {
    this.#open = null;
  }

  /** The index of the command that was taken without looking at its cause; null where `take` may go on. */
  get lacking(): number | null {
    const open = this.#open;
    return open !== null && open.records !== null && open.commitment === null ? open.index : null;
  }

  /** Looks at the cause of that command after all. */
  resume(cause: StoredCause | undefined): void {
    if (this.#open === null) return;
    const { index } = this.#open;
    const commitment = cause === undefined ? null : causeCommitment(cause.salt, cause.document);
    this.#open = { index, records: cause?.records ?? null, commitment };
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
    if (open.records === null || open.commitment === null) return null;
    if (index >= open.index + open.records) {
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

  /** A problem where a cause is stored at an index that was taken, and no record there began it. */
  orphanAt(index: number): FsckProblem | null {
    if (!this.#waiting.delete(index)) return null;
    return problemAt(index, 'causes', 'row', 'a cause where no command begins');
  }

  #isEndedAt(index: number): boolean {
    const open = this.#open;
    return open?.records == null || index === open.index + open.records;
  }

  /** A problem where another command begins, or the log ends, before the open command has all its records. */
  #unfinished(index: number, cause: number): FsckProblem | null {
    const open = this.#open;
    if (open?.records == null || cause === open.index) return null;
    const message = 'the cause counts other records than follow it';
    return problemAt(open.index, 'causes', 'records', message, {
      expected: String(open.records),
      found: String(index - open.index),
    });
  }

  #begin(index: number, record: LogRecord): FsckProblem | null {
    const cause = this.#waiting.get(index);
    this.#waiting.delete(index);
    if (cause === undefined) {
      this.#open = { index, records: null, commitment: null };
      return problemAt(index, 'causes', 'row', 'the cause of the command is missing');
    }
    const commitment = causeCommitment(cause.salt, cause.document);
    this.#open = { index, records: cause.records, commitment };
    const facts = causeFacts(cause.document);
    return (
      this.#compare(index, record, commitment) ??
      this.#checkCount(cause, facts) ??
      this.#requests.begin(index, requestState(facts, cause.signed))
    );
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

  #checkCount(cause: StoredCause, { n }: CauseFacts): FsckProblem | null {
    this.#counts.causes += 1;
    if (n === cause.records) return null;
    return problemAt(cause.index, 'causes', 'records', 'the cause document counts other records', {
      expected: String(n),
      found: String(cause.records),
    });
  }
}
