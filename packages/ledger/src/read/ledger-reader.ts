/**
 * Reads for people and services. Projections find, the log decides: every row is compared with the checked
 * subject that it points to before it is handed out.
 */
import {
  base64,
  concatBytes,
  decodeUtf8,
  encodeEntryBundle,
  equalBytes,
  isMapRoot,
  parseRecordEntry,
  type SignedEvidence,
  subjectTypeOf,
  type TileName,
} from '@tallystick/core';
import type { Current } from '@tallystick/license';
import {
  type CauseDocument,
  type CheckedRevision,
  checkCause,
  checkEntry,
  signedRequestOf,
  timeOfEntry,
} from '../content.ts';
import { IntegrityAlarm, LedgerError } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import { codeName, type IndexLicenseKey, licenseKeyName, referenceName } from '../names.ts';
import type { LicenseFilter, ListedType, Page, Projections } from '../projections/projections.ts';
import { rowFor } from '../projections/rows.ts';
import type { Store } from '../store/store.ts';
import { isUnknownSubject } from '../unknown-subject.ts';
import { type CausedRecord, causedRecords } from './caused-records.ts';
import type { RevisionReader } from './revision-reader.ts';

export interface LedgerReaderParts {
  store: Store;
  state: LogState;
  reader: RevisionReader;
  projections: Projections;
  /** Knows the newest durable state of a subject. */
  currents: { current(id: string): Promise<Current | undefined> };
  settle: () => Promise<void>;
  /** Throws where stored data was found not to be what was signed: then nothing is served. */
  checkSound: () => void;
  indexKey: IndexLicenseKey;
}

/** One revision of a subject with who made it and why; document and cause null once erased. */
export interface HistoryItem {
  revision: CheckedRevision;
  cause: CauseDocument;
  /** The request as it was signed; null for none, and where it is not held any more. */
  signed: SignedEvidence | null;
}

/** An entry of the log for people and tools; byte strings are base64. */
export interface LogEntryView {
  index: number;
  leaf: string;
  entry: string;
  kind: 'record' | 'map.root' | 'trust.root';
  record: object | null;
  subject: { type: string; id: string } | null;
}

/** That a record exists. */
export interface RecordEvent {
  index: number;
  type: string;
  subject: { type: string; id: string };
  rev: number;
  at: string;
}

/** What a subject may be called by. */
export type Lookup = { id: string } | { type: 'product' | 'plan'; code: string } | { reference: string };

const rowTriesMax = 5;
/** More entries than this are not looked through for records. */
const missingMax = 16;

export class LedgerReader {
  readonly #parts: LedgerReaderParts;

  constructor(parts: LedgerReaderParts) {
    this.#parts = parts;
  }

  /** The newest durable state of a subject. */
  async current(id: string): Promise<Current | undefined> {
    this.#parts.checkSound();
    return this.#parts.currents.current(id);
  }

  /** The checked newest revision with its record, for showing where it stands in the log. */
  async revision(id: string): Promise<CheckedRevision | undefined> {
    const { state, reader } = this.#parts;
    await this.current(id);
    const head = state.head(state.keyOf(id));
    return head === undefined ? undefined : reader.revision(id, head.index);
  }

  /** When an entry was made, in milliseconds, as it says itself; null for one that does not, and for none. */
  async timeOf(index: number): Promise<number | null> {
    const stored = await this.#parts.store.entry(index);
    return stored === undefined ? null : timeOfEntry(stored);
  }

  /** The id that a code or reference stands for. */
  async resolve(lookup: Lookup): Promise<string | undefined> {
    if ('id' in lookup) return lookup.id;
    const behind = await this.#settle();
    const name = 'code' in lookup ? codeName(lookup.type, lookup.code) : referenceName(lookup.reference);
    const id = this.#parts.projections.idOfName(name);
    if (behind === null) return id;
    // Projections that are behind may still point to the right subject, which itself says what it is called.
    const document = id === undefined ? undefined : (await this.current(id))?.document;
    if (document !== undefined && isCalled(document, lookup)) return id;
    throw behind;
  }

  /** The license whose newest companion holds this key. */
  async licenseOfKey(licenseKey: string): Promise<string | undefined> {
    const { projections, indexKey } = this.#parts;
    const name = licenseKeyName(licenseKey, indexKey);
    for (let tries = 0; tries < rowTriesMax; tries++) {
      const behind = await this.#settle();
      const id = projections.idOfName(name);
      if (id !== undefined && (await this.current(id))?.companion?.key === licenseKey) return id;
      if (behind !== null) throw behind;
      if (id === undefined) return undefined;
    }
    throw new IntegrityAlarm(0, 'the index of license keys points to another license');
  }

  /** Revisions below `beforeRev`, newest first. */
  async history(id: string, beforeRev: number, limit: number): Promise<HistoryItem[]> {
    const { projections, reader, store, state } = this.#parts;
    await this.current(id);
    await this.#settleOrThrow();
    const items: HistoryItem[] = [];
    const head = state.head(state.keyOf(id));
    let expected = Math.min(beforeRev - 1, head?.rev ?? -1);
    const found = projections.revisionsBefore(id, beforeRev, limit);
    for (const { rev, index } of found) {
      if (rev !== expected)
        throw new IntegrityAlarm(index, `the projections hide revision ${expected} of ${id}`);
      expected -= 1;
      const revision = await reader.revision(id, index);
      const stored = await store.cause(revision.content.cause);
      const cause = checkCause(revision, stored);
      items.push({ revision, cause, signed: stored === undefined ? null : signedRequestOf(cause, stored) });
    }
    if (found.length < limit && expected >= 0) {
      throw new IntegrityAlarm(head?.index ?? 0, `the projections hide revision ${expected} of ${id}`);
    }
    return items;
  }

  async licenses(filter: LicenseFilter, page: Page): Promise<CheckedRevision[]> {
    await this.#settleOrThrow();
    return this.#checked(this.#parts.projections.licenses(filter, page));
  }

  async customers(filter: { reference?: string; state?: string }, page: Page): Promise<CheckedRevision[]> {
    await this.#settleOrThrow();
    return this.#checked(this.#parts.projections.customers(filter, page));
  }

  async listed(
    type: ListedType,
    filter: { of?: string; state?: string },
    page: Page,
  ): Promise<CheckedRevision[]> {
    await this.#settleOrThrow();
    return this.#checked(this.#parts.projections.listed(type, filter, page));
  }

  /** The bytes of a tile or entry bundle; undefined where the log has not got it yet. */
  async tile(name: TileName): Promise<Uint8Array | undefined> {
    const { state, store } = this.#parts;
    const level = name.level === 'entries' ? 0 : name.level;
    const available = Math.floor(state.size / 256 ** level);
    if (name.index * 256 + name.width > available) return undefined;
    this.#parts.checkSound();
    if (name.level !== 'entries') return state.tree.tile(level, name.index, name.width);
    const first = name.index * 256;
    const entries = await store.entryBytes(first, name.width);
    for (const [nth, entry] of entries.entries()) {
      checkEntry({ index: first + nth, entry }, state.tree.leaf(first + nth));
    }
    return encodeEntryBundle(entries);
  }

  /** The leaves of entries `from` up to `to`, one after the other, as far as the log has them. */
  leaves(from: number, to: number): Uint8Array {
    const { state } = this.#parts;
    this.#parts.checkSound();
    const indexes = Array.from(
      { length: Math.max(0, Math.min(to, state.size) - from) },
      (_, at) => from + at,
    );
    return concatBytes(...indexes.map((index) => state.tree.leaf(index)));
  }

  /** An entry with what it is about; undefined where the log has not got it yet. */
  async logEntry(index: number): Promise<LogEntryView | undefined> {
    const { state, store } = this.#parts;
    // A commit is in the store a moment before it is in the tree.
    const stored = index < state.size ? await store.entry(index) : undefined;
    if (stored === undefined) return undefined;
    this.#parts.checkSound();
    checkEntry(stored, state.tree.leaf(index));
    const base = { index, leaf: base64(stored.leaf), entry: base64(stored.entry) };
    if (stored.subject === null) {
      return {
        ...base,
        kind: isMapRoot(stored.entry) ? 'map.root' : 'trust.root',
        record: null,
        subject: null,
      };
    }
    if (isUnknownSubject(stored.content?.id ?? '')) {
      const { envelope } = parseRecordEntry(stored.entry);
      return { ...base, kind: 'record', record: payloadOf(envelope), subject: null };
    }
    const { record, content } = await this.#parts.reader.revision(stored.content?.id ?? '', index);
    const subject = { type: subjectTypeOf(record.record.type), id: content.id };
    return { ...base, kind: 'record', record: payloadOf(record.envelope), subject };
  }

  /** The cause of a record, and the log index of the first record that has it. */
  async causeOf(index: number): Promise<{ first: number; cause: CauseDocument }> {
    const { store, reader } = this.#parts;
    this.#parts.checkSound();
    const stored = await store.entry(index);
    const revision = await reader.revision(stored?.content?.id ?? '', index);
    const first = revision.content.cause;
    return { first, cause: checkCause(revision, await store.cause(first)) };
  }

  /** The records at indexes from `from` up to `to` with what caused them, as far as the log has them; at most 1,000. */
  async causedBetween(from: number, to: number): Promise<CausedRecord[]> {
    const { store, state } = this.#parts;
    this.#parts.checkSound();
    return causedRecords(store, state, { from, to: Math.min(to, from + 1000, state.size) });
  }

  /** The records at indexes from `from` up to `to`, as events tell of them; at most 1,000. */
  async recordsBetween(from: number, to: number): Promise<RecordEvent[]> {
    const { store, state } = this.#parts;
    this.#parts.checkSound();
    const limit = Math.min(1000, to - from, state.size - from);
    const stored = limit > 0 ? await store.entries(from, limit) : [];
    return stored.flatMap((each) => {
      const { index, entry, content } = each;
      checkEntry(each, state.tree.leaf(index));
      if (each.subject === null || content === null || isUnknownSubject(content.id)) return [];
      const { type, rev, at, subject } = parseRecordEntry(entry).record;
      if (!equalBytes(subject, state.keyOf(content.id))) {
        throw new IntegrityAlarm(index, 'the entry is filed under another subject');
      }
      return [{ index, type, subject: { type: subjectTypeOf(type), id: content.id }, rev, at }];
    });
  }

  /** Public documents by revision, for whoever recomputes the log. */
  async publicDocument(id: 'namespace' | 'brake', rev: number): Promise<Uint8Array | undefined> {
    const behind = await this.#settle();
    const [found] = this.#parts.projections.revisions(id, rev - 1, 1);
    if (found?.rev !== rev && behind !== null) throw behind;
    if (found?.rev !== rev) return undefined;
    const { content } = await this.#parts.reader.revision(id, found.index);
    return content.document ?? undefined;
  }

  /**
   * Brings the projections up to everything committed. Returns why not where the disk does not take them and they
   * lack a record: then what they say holds only where the subject itself confirms it, and what they do not say
   * is unknown.
   */
  async #settle(): Promise<LedgerError | null> {
    try {
      await this.#parts.settle();
      return null;
    } catch (error) {
      if (await this.#isNothingMissing()) return null;
      const why = error instanceof Error ? error.message : String(error);
      const message = `what was changed last cannot be found until the disk takes data again (${why})`;
      return new LedgerError('overloaded', message, { cause: error });
    }
  }

  async #settleOrThrow(): Promise<void> {
    const behind = await this.#settle();
    if (behind !== null) throw behind;
  }

  /** Whether all that the projections have not taken in is entries that are no records. */
  async #isNothingMissing(): Promise<boolean> {
    const { projections, store, state } = this.#parts;
    const { size } = state;
    const rest = await store.leaves(projections.size, missingMax);
    return projections.size + rest.length >= size && rest.every(({ subject }) => subject === null);
  }

  async #checked(rows: readonly { id: string }[]): Promise<CheckedRevision[]> {
    const revisions: CheckedRevision[] = [];
    for (const row of rows) revisions.push(await this.#checkedRow(row));
    return revisions;
  }

  /** A subject may change between its row and itself: a row that does not fit is read again before it is an alarm. */
  async #checkedRow(row: { id: string }): Promise<CheckedRevision> {
    const { projections } = this.#parts;
    let found: { id: string } | undefined = row;
    let revision: CheckedRevision | undefined;
    for (let tries = 0; tries < rowTriesMax; tries++) {
      revision = await this.revision(row.id);
      if (revision === undefined) break;
      const document = revision.current?.document;
      const expected = document && rowFor(document);
      if (expected && found && sameRow(expected, found)) return revision;
      await this.#settleOrThrow();
      found = document && projections.rowOf(document.type, row.id);
    }
    if (revision === undefined)
      throw new IntegrityAlarm(0, `the projections name ${row.id}, which was never logged`);
    throw new IntegrityAlarm(revision.index, `the projected row of ${row.id} is not what was logged`);
  }
}

function payloadOf({ payload }: { payload: Uint8Array }): object {
  return JSON.parse(decodeUtf8(payload)) as object;
}

function isCalled(document: Current['document'], lookup: Exclude<Lookup, { id: string }>): boolean {
  if ('reference' in lookup) return document.type === 'customer' && document.reference === lookup.reference;
  return document.type === lookup.type && document.code === lookup.code;
}

function sameRow(expected: object, row: object): boolean {
  return Object.entries(expected).every(([name, value]) => (row as Record<string, unknown>)[name] === value);
}
