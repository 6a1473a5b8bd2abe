/**
 * What stands in the store for the content of a record that a mirror gave back: a mirror has no documents. Those of
 * namespaces and brakes are public, and come from it, compared with the commitment in the record.
 */
import {
  documentCommitment,
  equalBytes,
  type LogRecord,
  parseRecordEntry,
  type SubjectMap,
  subjectKey,
  zeroSalt,
} from '@tallystick/core';
import { type Store, type StoredContent, type StoredEntry, unknownSubject } from '@tallystick/ledger';
import { isPlainEntry } from '../plain-entry.ts';
import { rowOf } from './difference.ts';
import type { MirrorReader } from './mirror-reader.ts';
import { type LostContent, namedMax } from './report.ts';

export interface GivenBackParts {
  store: Store;
  mirror: MirrorReader;
  genesis: Uint8Array;
  /** Where the subjects of the records before stand. */
  subjects: SubjectMap;
}

const nothing = { salt: null, document: null, companionSalt: null, companion: null };

/** Makes whole entries of the bytes that come back, in log order, and counts what did not come back. */
export class GivenBack {
  readonly #parts: GivenBackParts;
  /** The command whose records are coming back: they stand together, and commit to one cause. */
  #command: { index: number; cause: Uint8Array } | null = null;
  readonly lost: { count: number; first: LostContent[] } = { count: 0, first: [] };
  lostCauses = 0;

  constructor(parts: GivenBackParts) {
    this.#parts = parts;
  }

  async take(index: number, entry: Uint8Array): Promise<StoredEntry> {
    const row = rowOf(index, entry);
    if (isPlainEntry(entry)) {
      this.#command = null;
      return { ...row, content: null };
    }
    const { record } = parseRecordEntry(entry);
    // What an erasure removes is told by the command that its record belongs to.
    if (this.#command === null || !equalBytes(this.#command.cause, record.cause)) {
      this.#command = { index, cause: record.cause };
      this.lostCauses += 1;
    }
    return { ...row, content: await this.#contentOf(index, record, this.#command.index) };
  }

  async #contentOf(index: number, record: LogRecord, cause: number): Promise<StoredContent> {
    for (const id of ['namespace', 'brake'] as const) {
      if (!equalBytes(subjectKey(this.#parts.genesis, record.ns, id), record.subject)) continue;
      const document = await this.#parts.mirror.publicDocument(record.ns, id, record.rev);
      if (document === null || !equalBytes(documentCommitment(zeroSalt, document), record.doc)) {
        return this.#loseContent(index, record, id, cause);
      }
      return { ...nothing, id, salt: zeroSalt, document, cause };
    }
    return this.#loseContent(index, record, await this.#idOf(record), cause);
  }

  #loseContent(
    index: number,
    { type, rev, subject }: LogRecord,
    id: string | null,
    cause: number,
  ): StoredContent {
    this.lost.count += 1;
    if (this.lost.first.length < namedMax) this.lost.first.push({ index, type, rev, id });
    return { ...nothing, id: id ?? unknownSubject(subject), cause };
  }

  /** What the newest record before is filed under, where that is this subject. */
  async #idOf({ ns, subject }: LogRecord): Promise<string | null> {
    const { store, subjects, genesis } = this.#parts;
    const before = subjects.head(subject);
    const id = before === undefined ? undefined : (await store.entry(before.index))?.content?.id;
    return id !== undefined && equalBytes(subjectKey(genesis, ns, id), subject) ? id : null;
  }
}
