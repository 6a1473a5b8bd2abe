/** Which documents, companions and causes of a store are not what its records commit to, and are not erased either. */
import { bytesKey, type LogRecord } from '@tallystick/core';
import { isUnknownSubject, type StoredCause, type StoredContent, type StoredEntry } from '@tallystick/ledger';
import { causeProblem, contentProblem } from '@tallystick/witness';
import { isErased } from '../content-check.ts';
import type { ErasedSubjects } from './erased-subjects.ts';

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

  constructor(genesis: Uint8Array) {
    this.#genesis = genesis;
  }

  /** Takes the next record of the store; `first` is the index of the first one of its command. */
  take(
    { index, content }: Pick<StoredEntry, 'index' | 'content'>,
    record: LogRecord,
    first: number,
    cause: StoredCause | undefined,
  ): void {
    const lacksContent = !isWhole(content, first, record, this.#genesis);
    const lacksCause = first === index && (cause === undefined || causeProblem(cause, record) !== null);
    if (!lacksContent && !lacksCause) return;
    const mayBeErased = content === null || isErased(content);
    const subject = bytesKey(record.subject);
    this.#candidates.push({ index, first, lacksContent, lacksCause, subject, mayBeErased });
  }

  /** All that lack something, in order. */
  lacking(erased: ErasedSubjects): LackingRecord[] {
    return this.#candidates.flatMap(({ subject, mayBeErased, ...lacking }) => {
      const isGone = mayBeErased && erased.isErased(lacking.index, subject);
      const lacksContent = lacking.lacksContent && !isGone;
      return lacksContent || lacking.lacksCause ? [{ ...lacking, lacksContent }] : [];
    });
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
