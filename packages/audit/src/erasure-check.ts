/**
 * Erased content: a revision may lack its document only where a later command erased a customer and touched the
 * same subject. What is not explained yet is kept by subject, and the end of the log tells.
 */
import { bytesKey, type LogRecord } from '@tallystick/core';
import type { SignedRequestCheck } from './signed-request-check.ts';

/** Whoever has more of them has to find them again. */
export const erasingMax = 10_000;

interface CommandRecord {
  index: number;
  subject: string;
  isErased: boolean;
}

export class ErasureCheck {
  /** The first revision of a subject that nothing explains yet. */
  readonly #open = new Map<string, number>();
  #cause = -1;
  #records: CommandRecord[] = [];
  #erases = false;
  #last = -1;
  /** The commands that erased a customer, as ranges of records; the first ones alone where there are too many. */
  readonly erasing: { from: number; to: number }[] = [];
  readonly #requests: SignedRequestCheck;

  constructor(requests: SignedRequestCheck) {
    this.#requests = requests;
  }

  /** Takes the next record. `cause` names its command. */
  take(index: number, record: LogRecord, cause: number, isErased: boolean): void {
    if (cause !== this.#cause) this.endCommand();
    this.#cause = cause;
    this.#last = index;
    this.#requests.take(record, cause, isErased);
    if (record.type === 'customer.erased') this.#erases = true;
    if (isErased || this.#open.size > 0 || this.#erases || this.#records.length > 0) {
      this.#records.push({ index, subject: bytesKey(record.subject), isErased });
    }
  }

  /** A command explains what was erased before it of the subjects that it touches. */
  endCommand(): void {
    this.#requests.endCommand();
    for (const { index, subject, isErased } of this.#records) {
      const first = this.#open.get(subject);
      if (this.#erases && first !== undefined && first < index) this.#open.delete(subject);
      if (isErased && !this.#open.has(subject)) this.#open.set(subject, index);
    }
    if (this.#erases && this.erasing.length <= erasingMax) {
      this.erasing.push({ from: this.#cause, to: this.#last + 1 });
    }
    this.#records = [];
    this.#erases = false;
    this.#cause = -1;
  }

  /** Log indexes of content that is gone without an erasure. */
  unexplained(): number[] {
    this.endCommand();
    return [...this.#open.values()].toSorted((a, b) => a - b);
  }
}
