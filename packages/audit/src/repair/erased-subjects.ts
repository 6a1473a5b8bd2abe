/** Which revisions the log says are erased: those before a command that erased a customer, of what it touched. */
import { bytesKey, equalBytes, type LogRecord } from '@tallystick/core';

export class ErasedSubjects {
  /** By subject, its last record in such a command: what is before that is gone. */
  readonly #before = new Map<string, number>();
  #command: { first: number; cause: Uint8Array; records: [string, number][]; erases: boolean } | null = null;

  /**
   * Takes the next entry; `record` is null for one that is no record, or that cannot be read. Returns the log index of the
   * first record of its command, and its own where it is no record.
   */
  take(index: number, record: LogRecord | null): number {
    if (record === null) {
      this.#endCommand();
      return index;
    }
    if (this.#command === null || !equalBytes(this.#command.cause, record.cause)) {
      this.#endCommand();
      this.#command = { first: index, cause: record.cause, records: [], erases: false };
    }
    this.#command.records.push([bytesKey(record.subject), index]);
    if (record.type === 'customer.erased') this.#command.erases = true;
    return this.#command.first;
  }

  /** Whether a revision is erased by what was taken so far. */
  isErased(index: number, subject: string): boolean {
    // The newest command may go on: what comes next may be a record of it.
    const { erases, records } = this.#command ?? { erases: false, records: [] };
    const newest = erases ? records.findLast(([key]) => key === subject)?.[1] : undefined;
    return index < (newest ?? this.#before.get(subject) ?? 0);
  }

  #endCommand(): void {
    if (this.#command?.erases === true)
      for (const [subject, index] of this.#command.records) this.#before.set(subject, index);
    this.#command = null;
  }
}
