/** The license model's own rules, record by record: may a record of this type lead from the last document to this? */
import { bytesKey, IntegrityError, type LogRecord, parseRecordEntry } from '@tallystick/core';
import { RecentMap, type Store } from '@tallystick/ledger';
import { checkAfter, checkTransition, type RecordType, type TallyDocument } from '@tallystick/license';
import { openContent } from './content-check.ts';
import { type FsckProblem, problemAt } from './report.ts';

const rememberedMax = 20_000;

export class ModelCheck {
  readonly #store: Store;
  /** The newest documents by subject. */
  readonly #newest = new RecentMap<string, { index: number; document: TallyDocument }>(rememberedMax);

  constructor(store: Store) {
    this.#store = store;
  }

  /** `before` is the index of the subject's entry before this one; null where it is the first. */
  async take(
    index: number,
    record: LogRecord,
    document: TallyDocument,
    before: number | null,
  ): Promise<FsckProblem | null> {
    const type = record.type as RecordType;
    const subject = bytesKey(record.subject);
    const last = before === null ? null : await this.#documentAt(subject, before);
    this.#newest.set(subject, { index, document });
    // Where the revision before was erased, what this one changed cannot be known.
    const problem =
      before !== null && last === null ? checkAfter(type, document) : checkTransition(type, last, document);
    if (problem === null) return null;
    return problemAt(index, 'entries', problem.code, `${record.type}: ${problem.path}: ${problem.message}`);
  }

  /** null where it was erased, or does not fit, which is said at its own place. */
  async #documentAt(subject: string, index: number): Promise<TallyDocument | null> {
    const remembered = this.#newest.get(subject);
    if (remembered?.index === index) return remembered.document;
    const stored = await this.#store.entry(index);
    if (stored?.content?.document == null) return null;
    const record = readRecord(stored.entry);
    const opened = record === null ? null : openContent(index, record, stored.content);
    return opened !== null && 'document' in opened ? opened.document : null;
  }
}

/** null for bytes that are no record, which is said at their own place. */
function readRecord(entry: Uint8Array): LogRecord | null {
  try {
    return parseRecordEntry(entry).record;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}
