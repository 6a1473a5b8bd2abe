/** What a report holds, by index and by subject: who may do what stood where when something happened. */
import { IntegrityError } from '@tallystick/core';
import {
  checkAfter,
  type DocumentOf,
  isRecordType,
  parseDocument,
  type SubjectType,
  subjectTypeOf,
} from '@tallystick/license';
import { altered, type PlacedEntry } from './placed-entries.ts';

export class ReportWorld {
  readonly #chains: ReadonlyMap<string, readonly PlacedEntry[]>;
  readonly #byIndex: ReadonlyMap<number, PlacedEntry>;

  constructor(chains: ReadonlyMap<string, readonly PlacedEntry[]>, placed: readonly PlacedEntry[]) {
    this.#chains = chains;
    this.#byIndex = new Map(placed.map((entry) => [entry.index, entry]));
  }

  at(index: number): PlacedEntry | undefined {
    return this.#byIndex.get(index);
  }

  /** All revisions of a subject; undefined where the report does not have it. */
  chain(id: string): readonly PlacedEntry[] | undefined {
    return this.#chains.get(id);
  }

  /** The newest revision of a subject before a log index. */
  inForce(id: string, index: number): PlacedEntry | undefined {
    return this.#chains.get(id)?.findLast((entry) => entry.index < index);
  }

  /** The change that erased a customer and, with it, what was signed for an entry; null where the report shows none. */
  erasureOf({ index, subject }: PlacedEntry): { index: number; at: string } | null {
    const chain = this.#chains.get(subject ?? '') ?? [];
    const found = chain.find((entry) => entry.index >= index && this.#isErasing(entry));
    return found === undefined ? null : { index: found.index, at: found.entry.record.at };
  }

  #isErasing(entry: PlacedEntry): boolean {
    if (isErasure(entry) || entry.cause?.command === 'customer.erase') return true;
    // What others have approved erases the request for that as well.
    const request = this.#chains.get(entry.cause?.approvals?.approval ?? '') ?? [];
    return request.some((step) => step.causeAt === entry.causeAt && isErasure(step));
  }
}

/** Whether an entry took its command from a request for approval. */
export function isErasure({ entry: { record } }: PlacedEntry): boolean {
  return record.type === 'approval.erased';
}

/**
 * The document of an entry, which says what its record's type says; null where it is not shown. Throws IntegrityError or
 * ModelError.
 */
export function documentOf<T extends SubjectType>(
  type: T,
  { entry, document }: PlacedEntry,
): DocumentOf[T] | null {
  const recordType = entry.record.type;
  if (!isRecordType(recordType)) throw new IntegrityError('TOO_NEW', `record of type ${recordType}`);
  if (subjectTypeOf(recordType) !== type)
    throw altered(`a record of type ${recordType} says nothing about a ${type}`);
  if (document === null) return null;
  const parsed = parseDocument(type, document.json);
  const problem = checkAfter(recordType, parsed);
  if (problem !== null) throw altered(`${problem.path}: ${problem.message}`);
  return parsed;
}
