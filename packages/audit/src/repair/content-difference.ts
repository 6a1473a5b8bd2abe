/** Which documents, companions and causes of a store are not what its records commit to, and are not erased either. */
import { bytesKey, causeFacts, type LogRecord } from '@tallystick/core';
import { isUnknownSubject, type StoredCause, type StoredContent, type StoredEntry } from '@tallystick/ledger';
import { causeProblem, contentProblem } from '@tallystick/witness';
import { isErased } from '../content-check.ts';
import { requestState } from '../signed-request-check.ts';
import type { ErasedSubjects } from './erased-subjects.ts';

/** A record of the store that lacks something. */
export interface LackingRecord {
  index: number;
  /** Log index of the first record of its command. */
  first: number;
  lacksContent: boolean;
  /** Of the command; only at its first record. */
  lacksCause: boolean;
  /** What was signed for the command; only at its first record. */
  lacksRequest: boolean;
  /** What was signed for the command is erased. */
  isRequestErased: boolean;
}

interface Candidate extends Omit<LackingRecord, 'isRequestErased'> {
  subject: string;
  mayBeErased: boolean;
  command: Command;
}

interface Command {
  first: number;
  records: { index: number; subject: string }[];
  erases: boolean;
}

export class ContentDifference {
  readonly #genesis: Uint8Array;
  readonly #candidates: Candidate[] = [];
  #command: Command = { first: -1, records: [], erases: false };

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
    const subject = bytesKey(record.subject);
    if (this.#command.first !== first) this.#command = { first, records: [], erases: false };
    const command = this.#command;
    command.records.push({ index, subject });
    command.erases ||= record.type === 'customer.erased';
    const lacksContent = !isWhole(content, first, record, this.#genesis);
    const lacksCause = first === index && (cause === undefined || causeProblem(cause, record) !== null);
    const lacksRequest = first === index && !lacksCause && cause !== undefined && !hasRequest(cause);
    if (!lacksContent && !lacksCause && !lacksRequest) return;
    const mayBeErased = content === null || isErased(content);
    const lacking = { index, first, lacksContent, lacksCause, lacksRequest };
    this.#candidates.push({ ...lacking, subject, mayBeErased, command });
  }

  /** All that lack something, in order. */
  lacking(erased: ErasedSubjects): LackingRecord[] {
    return this.#candidates.flatMap(({ subject, mayBeErased, command, ...lacking }) => {
      const isGone = mayBeErased && erased.isErased(lacking.index, subject);
      const lacksContent = lacking.lacksContent && !isGone;
      const { records, erases } = command;
      const isRequestErased = erases || records.some((each) => erased.isErased(each.index, each.subject));
      const lacksRequest = lacking.lacksRequest && !isRequestErased;
      return lacksContent || lacking.lacksCause || lacksRequest
        ? [{ ...lacking, lacksContent, lacksRequest, isRequestErased }]
        : [];
    });
  }
}

/** Whether what was signed for a command is there, where anything was. */
function hasRequest({ document, signed }: StoredCause): boolean {
  const state = requestState(causeFacts(document), signed);
  return state === 'none' || state === 'held';
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
