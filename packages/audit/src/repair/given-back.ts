/**
 * What stands in the store for the content of a record that a mirror gave back: the documents that the mirror holds, each
 * compared with the commitment in its record. Those of namespaces and brakes are public, and come from every mirror.
 */
import {
  bytesKey,
  causeFacts,
  documentCommitment,
  equalBytes,
  isPlainEntry,
  type LogRecord,
  parseRecordEntry,
  type SubjectMap,
  subjectKey,
  zeroSalt,
} from '@tallystick/core';
import {
  type RestoredEntry,
  type Store,
  type StoredCause,
  type StoredContent,
  unknownSubject,
} from '@tallystick/ledger';
import { causeProblem, contentProblem, requestProblem } from '@tallystick/witness';
import type { LackingRecord } from './content-difference.ts';
import { rowOf } from './difference.ts';
import type { ErasedSubjects } from './erased-subjects.ts';
import type { MirrorDocuments } from './mirror-documents.ts';
import type { MirrorReader } from './mirror-reader.ts';
import { type LostContent, namedMax, type Repaired, type RepairReport } from './report.ts';

export interface GivenBackParts {
  store: Store;
  mirror: MirrorReader;
  /** null without a content key. */
  documents: MirrorDocuments | null;
  genesis: Uint8Array;
  /** Where the subjects of the records before stand. */
  subjects: SubjectMap;
  /** What the records before erase. */
  erased: ErasedSubjects;
}

interface Lost extends LostContent {
  subject: string;
}

const nothing = { salt: null, document: null, companionSalt: null, companion: null };

/** Makes whole entries of the bytes that come back, in log order, and counts what did not come back. */
export class GivenBack {
  readonly #parts: GivenBackParts;
  readonly #lost: Lost[] = [];
  /** By subject, those of whose subject nobody knows what it is called. */
  readonly #nameless = new Map<string, Lost[]>();
  readonly wrong: RepairReport['wrong'] = { count: 0, first: [] };
  documents = 0;
  causes = 0;
  lostCauses = 0;

  constructor(parts: GivenBackParts) {
    this.#parts = parts;
  }

  async take(index: number, entry: Uint8Array): Promise<RestoredEntry> {
    const row = rowOf(index, entry);
    const { erased } = this.#parts;
    if (isPlainEntry(entry)) {
      erased.take(index, null);
      return { ...row, content: null };
    }
    const { record } = parseRecordEntry(entry);
    // What an erasure removes is told by the command that its record belongs to.
    const first = erased.take(index, record);
    const cause = first === index ? await this.#causeOf(index, record) : null;
    if (first === index && cause === null) this.lostCauses += 1;
    if (cause !== null) this.causes += 1;
    const content = await this.#contentOf(index, record, first);
    return { ...row, content, ...(cause && { cause }) };
  }

  /** Records that came back without their content, which no erasure accounts for; once all are back. */
  get lost(): RepairReport['lost'] {
    const lost = this.#lost.filter(({ index, subject }) => !this.#parts.erased.isErased(index, subject));
    return {
      count: lost.length,
      first: lost.slice(0, namedMax).map(({ index, type, rev, id }) => ({ index, type, rev, id })),
    };
  }

  /** What stands for lost content whose subject a later document has named, which is in the store by now. */
  async *named(): AsyncGenerator<RestoredEntry> {
    const { store } = this.#parts;
    for (const { index, id } of [...this.#nameless.values()].flat()) {
      const stored = id === null ? undefined : await store.entry(index);
      if (id === null || stored?.content == null) continue;
      yield { ...stored, content: { ...nothing, id, cause: stored.content.cause } };
    }
  }

  /** What is put right of a record that is in the store, and why; null for nothing. */
  async complete(
    { index, first, lacksContent, lacksCause, lacksRequest, isRequestErased, hasExcess }: LackingRecord,
    entry: Uint8Array,
  ): Promise<{ entry: RestoredEntry; found: Repaired[] } | null> {
    const { record } = parseRecordEntry(entry);
    const content = lacksContent ? await this.#mirrored(index, record, first) : null;
    const given = lacksCause || lacksRequest ? await this.#causeOf(index, record, isRequestErased) : null;
    const isBack = given !== null && (lacksCause || given.signed !== null);
    if (isBack) this.causes += 1;
    const found: Repaired[] = [];
    const note = (table: Repaired['table'], message: string) => found.push({ index, table, message });
    if (content !== null) note('contents', 'the document was missing, or another one');
    if (isBack && lacksCause) note('causes', 'the cause was missing, or another one');
    else if (isBack) note('signed_requests', 'what was signed was missing, or another one');
    if (hasExcess && isRequestErased)
      note('signed_requests', 'what was signed was there again, and the log erased it');
    else if (hasExcess)
      note('signed_requests', 'there was something signed, and the cause commits to nothing');
    if (found.length === 0) return null;
    const cause = isBack ? given : null;
    const removesRequest = hasExcess || (cause !== null && mayHaveNone(cause, isRequestErased));
    return {
      entry: {
        ...rowOf(index, entry),
        content,
        ...(cause && { cause }),
        ...(removesRequest && { removesRequest }),
      },
      found,
    };
  }

  async #contentOf(index: number, record: LogRecord, cause: number): Promise<StoredContent> {
    const mirrored = await this.#mirrored(index, record, cause);
    if (mirrored !== null) return mirrored;
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

  /** null where the mirror has none, or one that is not this record's. */
  async #mirrored(index: number, record: LogRecord, cause: number): Promise<StoredContent | null> {
    const content = (await this.#parts.documents?.at(index))?.content ?? null;
    if (content === null || !this.#isRight(index, contentProblem(content, record, this.#parts.genesis)))
      return null;
    this.documents += 1;
    for (const lost of this.#nameless.get(bytesKey(record.subject)) ?? []) lost.id = content.id;
    return { ...content, cause };
  }

  async #causeOf(index: number, record: LogRecord, isRequestErased = false): Promise<StoredCause | null> {
    const { cause = null, request = null } = (await this.#parts.documents?.at(index)) ?? {};
    const records = cause === null ? null : causeFacts(cause.document).n;
    if (cause === null || records === null) return null;
    if (!this.#isRight(index, causeProblem(cause, record))) return null;
    const isSigned =
      request !== null && !isRequestErased && this.#isRight(index, requestProblem(request, cause));
    return { index, records, ...cause, signed: isSigned ? request : null };
  }

  #isRight(index: number, message: string | null): boolean {
    if (message === null) return true;
    this.wrong.count += 1;
    if (this.wrong.first.length < namedMax) this.wrong.first.push({ index, message });
    return false;
  }

  #loseContent(
    index: number,
    { type, rev, subject }: LogRecord,
    id: string | null,
    cause: number,
  ): StoredContent {
    const lost: Lost = { index, type, rev, id, subject: bytesKey(subject) };
    this.#lost.push(lost);
    if (id === null) this.#nameless.set(lost.subject, [...(this.#nameless.get(lost.subject) ?? []), lost]);
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

/** Whether nothing signed may stand beside a cause. */
function mayHaveNone({ document }: StoredCause, isErased: boolean): boolean {
  return isErased || causeFacts(document).signed === null;
}
