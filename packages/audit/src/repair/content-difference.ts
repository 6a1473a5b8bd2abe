/**
 * Which documents, companions and causes of a store are not what its records commit to, and are not erased either; and what was
 * signed that is there against the log.
 */
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
  /** Something signed is there, and the log erased it, or the cause commits to nothing; only at the first record. */
  hasExcess: boolean;
}

interface Candidate extends Omit<LackingRecord, 'isRequestErased' | 'hasExcess'> {
  subject: string;
  mayBeErased: boolean;
  command: Command;
}

interface Command {
  first: number;
  records: { index: number; subject: string }[];
  erases: boolean;
  beside: Beside;
}

/** What stands beside the first record of a command. */
interface Beside {
  isCauseRight: boolean;
  /** Something that is said to be signed. */
  holdsRequest: boolean;
  /** The cause is right, and commits to nothing that was signed. */
  isUnsigned: boolean;
  /** The cause is right, and commits to something that is not there. */
  lacksRequest: boolean;
}

const none: Beside = { isCauseRight: false, holdsRequest: false, isUnsigned: false, lacksRequest: false };

export class ContentDifference {
  readonly #genesis: Uint8Array;
  readonly #isComplete: boolean;
  readonly #candidates = new Map<number, Candidate>();
  #command: Command = { first: -1, records: [], erases: false, beside: none };

  /** @param isComplete false to look for nothing but what is there against the log */
  constructor(genesis: Uint8Array, isComplete: boolean) {
    this.#genesis = genesis;
    this.#isComplete = isComplete;
  }

  /** Takes the next record of the store; `first` is the index of the first one of its command. */
  take(
    { index, content }: Pick<StoredEntry, 'index' | 'content'>,
    record: LogRecord,
    first: number,
    cause: StoredCause | undefined,
  ): void {
    const subject = bytesKey(record.subject);
    if (this.#command.first !== first) {
      const beside = first === index ? besideOf(cause, record) : none;
      this.#command = { first, records: [], erases: false, beside };
    }
    const command = this.#command;
    const { beside, records } = command;
    records.push({ index, subject });
    command.erases ||= record.type === 'customer.erased';
    const lacksContent = this.#isComplete && !isWhole(content, first, record, this.#genesis);
    const lacksCause = this.#isComplete && first === index && !beside.isCauseRight;
    const lacksRequest = this.#isComplete && first === index && beside.lacksRequest;
    const mayBeErased = content === null || isErased(content);
    const candidate = { index, first, lacksContent, lacksCause, lacksRequest, subject, mayBeErased, command };
    if (lacksContent || lacksCause || lacksRequest) this.#candidates.set(index, candidate);
    const mayExceed = beside.holdsRequest && (beside.isUnsigned || mayBeErased || command.erases);
    if (!mayExceed || this.#candidates.has(first)) return;
    const nothing = { lacksContent: false, lacksCause: false, lacksRequest: false };
    this.#candidates.set(first, { ...candidate, ...nothing, index: first });
  }

  /** All that lack something, or have something signed against the log, in order. */
  lacking(erased: ErasedSubjects): LackingRecord[] {
    const inOrder = [...this.#candidates.values()].toSorted((one, other) => one.index - other.index);
    return inOrder.flatMap(({ subject, mayBeErased, command, ...lacking }) => {
      const { records, erases, beside } = command;
      const isGone = mayBeErased && erased.isErased(lacking.index, subject);
      const lacksContent = lacking.lacksContent && !isGone;
      const isRequestErased = erases || records.some((each) => erased.isErased(each.index, each.subject));
      const lacksRequest = lacking.lacksRequest && !isRequestErased;
      const hasExcess =
        lacking.index === lacking.first && beside.holdsRequest && (beside.isUnsigned || isRequestErased);
      return lacksContent || lacking.lacksCause || lacksRequest || hasExcess
        ? [{ ...lacking, lacksContent, lacksRequest, isRequestErased, hasExcess }]
        : [];
    });
  }
}

function besideOf(cause: StoredCause | undefined, record: LogRecord): Beside {
  if (cause === undefined) return none;
  const holdsRequest = cause.signed !== null;
  if (causeProblem(cause, record) !== null) return { ...none, holdsRequest };
  const facts = causeFacts(cause.document);
  const state = requestState(facts, cause.signed);
  const isUnsigned = facts.signed === null;
  const lacksRequest = !isUnsigned && (state === 'gone' || state === 'altered');
  return { isCauseRight: true, holdsRequest, isUnsigned, lacksRequest };
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
