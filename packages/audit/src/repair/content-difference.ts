/** Which documents, companions and causes of a store are not what its records commit to, and are not erased either. */
import { bytesKey, equalBytes, type LogRecord } from '@tallystick/core';
import { isUnknownSubject, type StoredCause, type StoredContent } from '@tallystick/ledger';
import { causeProblem, contentProblem } from '@tallystick/witness';
import { isErased } from '../content-check.ts';

/** A record of the store that lacks something. */
export interface LackingRecord {
  index: number;
  /** Log index of the first record of its command. */
  first: number;
  lacksContent: boolean;
  /** Of the command; only at its first record. */
  lacksCause: boolean;
}

interface Candidate extends LackingRecord {
  subject: string;
  mayBeErased: boolean;
}

export class ContentDifference {
  readonly #genesis: Uint8Array;
  readonly #candidates: Candidate[] = [];
  /** By subject, its last record in a command that erased a customer: what is before that is gone. */
  readonly #erased = new Map<string, number>();
  #command: { first: number; cause: Uint8Array; records: [string, number][]; erases: boolean } | null = null;

  constructor(genesis: Uint8Array) {
    this.#genesis = genesis;
  }

  /** Takes the next entry of the store; `record` is null for one that is no record, or that cannot be read. */
  take(
    index: number,
    record: LogRecord | null,
    content: StoredContent | null,
    cause: StoredCause | undefined,
  ): void {
    if (record === null) {
      this.#endCommand();
      return;
    }
    if (this.#command === null || !equalBytes(this.#command.cause, record.cause)) {
      this.#endCommand();
      this.#command = { first: index, cause: record.cause, records: [], erases: false };
    }
    const { first, records } = this.#command;
    const subject = bytesKey(record.subject);
    records.push([subject, index]);
    if (record.type === 'customer.erased') this.#command.erases = true;
    const lacksContent = !isWhole(content, first, record, this.#genesis);
    const lacksCause = first === index && (cause === undefined || causeProblem(cause, record) !== null);
    if (!lacksContent && !lacksCause) return;
    const mayBeErased = content === null || isErased(content);
    this.#candidates.push({ index, first, lacksContent, lacksCause, subject, mayBeErased });
  }

  /** All that lack something, in order. */
  lacking(): LackingRecord[] {
    this.#endCommand();
    return this.#candidates.flatMap(({ subject, mayBeErased, ...lacking }) => {
      const isGone = mayBeErased && lacking.index < (this.#erased.get(subject) ?? 0);
      const lacksContent = lacking.lacksContent && !isGone;
      return lacksContent || lacking.lacksCause ? [{ ...lacking, lacksContent }] : [];
    });
  }

  #endCommand(): void {
    if (this.#command?.erases === true)
      for (const [subject, index] of this.#command.records) this.#erased.set(subject, index);
    this.#command = null;
  }
}

function isWhole(
  content: StoredContent | null,
  first: number,
  record: LogRecord,
  genesis: Uint8Array,
): boolean {
  if (content === null || isUnknownSubject(content.id) || content.cause !== first) return false;
  const { id, salt, document, companionSalt, companion } = content;
  if (salt === null || document === null) return false;
  return contentProblem({ id, salt, document, companionSalt, companion }, record, genesis) === null;
}
