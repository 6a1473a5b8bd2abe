/**
 * The commands of a log with what let them through, in order: their causes and the policies and principals that were
 * in force, each checked against what the log commits to.
 *
 * Signatures, the tree and what was published are for `fsck`; what is read here is what the leaves of this store say.
 */
import {
  bytesKey,
  documentCommitment,
  equalBytes,
  isMapRoot,
  type LogRecord,
  leafHash,
  messageOf,
  parseJson,
  parseRecordEntry,
  parseTrustRoot,
} from '@tallystick/core';
import { type DecisionInput, Directory } from '@tallystick/gate';
import {
  type CauseDocument,
  type LoggedDecision as Decided,
  DecisionReader,
  openCause,
  type Store,
  type StoredCause,
  type StoredEntry,
  signedRequestOf,
} from '@tallystick/ledger';
import {
  type BrakeDocument,
  isRecordType,
  type LicenseDocument,
  type NamespaceDocument,
  parseDocument,
  subjectTypeOf,
  type TallyDocument,
} from '@tallystick/license';
import { isErased as isContentErased } from '../content-check.ts';
import type { OnProgress } from '../report.ts';

const ENTRIES_PER_READ = 1000;

/** Records of what decides about later commands. */
const followed = /^(?:namespace|policy|principal|credential)\./;

/** As the ledger reads it, of what a decision is made on. */
export type LoggedDecision = Omit<Decided, 'input'> & { input: DecisionInput };

export interface LoggedCommand {
  /** Log index of its first record. */
  index: number;
  /** Leaf hash of its first record. */
  leaf: Uint8Array;
  /** Types of its records, in order. */
  types: string[];
  cause: CauseDocument;
  /** What became of the request as it was signed; `gone` where nothing that was erased explains that it is not there. */
  request: 'none' | 'held' | 'erased' | 'gone';
  /** null for what the system itself did, and for what is from before there was a gate. */
  decision: LoggedDecision | null;
  /** Principals, credentials and policy before it, until the next command is read. */
  directory: Directory;
  /**
   * Opens what it changed, until the next command is read. null where something of it was removed since. Throws where it
   * is not what the log commits to.
   */
  open: () => Promise<LoggedChanges | null>;
}

export interface LoggedChanges {
  documents: TallyDocument[];
  /** The licenses among them as they were before, by id. */
  licenses: ReadonlyMap<string, LicenseDocument>;
  /** The brake as it was before, where it or the namespace changed. */
  brake: BrakeDocument | null;
  /** The namespace as it was before, where it changed. */
  namespace: NamespaceDocument | null;
  /** The epoch of the namespace before; null where that is not known. */
  epoch: number | null;
}

/** A version of the trust root, which has no cause. */
export interface LoggedTrustRoot {
  trustRoot: true;
  index: number;
  leaf: Uint8Array;
  /** As of a command. */
  directory: Directory;
}

/** What stands in the way of reading a command. `message` is one sentence without its period. */
export interface UnreadableCommand {
  index: number;
  message: string;
}

export type Logged = LoggedCommand | LoggedTrustRoot | UnreadableCommand;

/** The records of a command, or another entry alone. */
interface Group {
  entries: StoredEntry[];
  cause: StoredCause | undefined;
}

export class LoggedCommands {
  readonly #store: Store;
  readonly #directory = new Directory();
  readonly #decisions: DecisionReader;
  /** Where the newest record of each license is. The one thing here that grows with the log. */
  readonly #licenses = new Map<string, number>();
  /** Where the newest of each is. */
  #brake: number | null = null;
  #namespace: number | null = null;
  #epoch: number | null = null;

  constructor(store: Store) {
    this.#store = store;
    this.#decisions = new DecisionReader(store);
  }

  /** Reads the first `size` entries, once. */
  async *read(size: number, onProgress: OnProgress): AsyncGenerator<Logged> {
    let group: Group | null = null;
    for (let at = 0; at < size; at += ENTRIES_PER_READ) {
      const end = Math.min(at + ENTRIES_PER_READ, size);
      const causes = new Map((await this.#store.causes(at, end)).map((cause) => [cause.index, cause]));
      for (const entry of await this.#store.entries(at, end - at)) {
        const [first] = group?.entries ?? [];
        const isRecord = entry.subject !== null && first?.subject != null;
        const isOfGroup = isRecord && entry.content?.cause === first.index;
        if (group !== null && isOfGroup) group.entries.push(entry);
        else {
          yield* this.#take(group);
          group = { entries: [entry], cause: causes.get(entry.index) };
        }
      }
      onProgress({ step: 'entries', done: end, total: size });
    }
    yield* this.#take(group);
  }

  async *#take(group: Group | null): AsyncGenerator<Logged> {
    const [first] = group?.entries ?? [];
    if (group === null || first === undefined) return;
    if (first.subject === null) yield* this.#trustRoot(first);
    else if (first.content?.cause === first.index) yield await this.#begun(group, first);
    else yield { index: first.index, message: 'the record is filed under no command that is here' };
    // Only now: a command is decided on what was before it.
    for (const entry of group.entries) {
      const problem = this.#follow(entry);
      if (problem !== null) yield problem;
    }
  }

  /** What is no record, and no root of the map either. */
  *#trustRoot({ index, entry }: StoredEntry): Generator<LoggedTrustRoot | UnreadableCommand> {
    if (isMapRoot(entry)) return;
    try {
      parseTrustRoot(entry);
      yield { trustRoot: true, index, leaf: leafHash(entry), directory: this.#directory };
    } catch (error) {
      yield { index, message: `it is filed as a trust root: ${messageOf(error)}` };
    }
  }

  async #begun({ entries, cause }: Group, first: StoredEntry): Promise<LoggedCommand | UnreadableCommand> {
    const { index } = first;
    try {
      const { record } = parseRecordEntry(first.entry);
      if (cause === undefined) throw new Error('the cause of the command is missing');
      const document = openCause(cause, record);
      const decision = (await this.#decisions.of(index, document)) as LoggedDecision | null;
      const open = (): Promise<LoggedChanges | null> => this.#open(entries, cause);
      const records = entries.map(({ entry }) => parseRecordEntry(entry).record);
      const foreign = records.findIndex(({ cause: own }) => !equalBytes(own, record.cause));
      if (foreign > 0) throw new Error(`the record at ${index + foreign} is filed under another command`);
      const types = records.map(({ type }) => type);
      const { leaf } = first;
      const isHeld = signedRequestOf(document, cause) !== null;
      const isErased =
        types.includes('customer.erased') ||
        entries.some(({ content }) => content !== null && isContentErased(content));
      const lacking = isErased ? 'erased' : 'gone';
      const request = document.v === 1 || document.signed === null ? 'none' : isHeld ? 'held' : lacking;
      return { index, leaf, types, cause: document, request, decision, directory: this.#directory, open };
    } catch (error) {
      return { index, message: messageOf(error) };
    }
  }

  async #open(entries: readonly StoredEntry[], cause: StoredCause): Promise<LoggedChanges | null> {
    const documents: TallyDocument[] = [];
    const licenses = new Map<string, LicenseDocument>();
    for (const { entry, content, subject } of entries) {
      const { record } = parseRecordEntry(entry);
      openCause(cause, record);
      const document = openDocument(content, record);
      if (document === null) return null;
      documents.push(document);
      const previous = this.#licenses.get(bytesKey(subject ?? new Uint8Array(0)));
      if (document.type !== 'license' || previous === undefined || licenses.has(document.id)) continue;
      const before = await this.#documentAt(previous);
      if (before?.type !== 'license') return null;
      licenses.set(document.id, before);
    }
    const isAbout = (...types: string[]): boolean => documents.some(({ type }) => types.includes(type));
    const brake = isAbout('brake', 'namespace') ? await this.#before(this.#brake) : null;
    const namespace = isAbout('namespace') ? await this.#before(this.#namespace) : null;
    return {
      documents,
      licenses,
      brake: brake?.type === 'brake' ? brake : null,
      namespace: namespace?.type === 'namespace' ? namespace : null,
      epoch: this.#epoch,
    };
  }

  async #before(index: number | null): Promise<TallyDocument | null> {
    return index === null ? null : this.#documentAt(index);
  }

  async #documentAt(index: number): Promise<TallyDocument | null> {
    const stored = await this.#store.entry(index);
    return stored === undefined ? null : openDocument(stored.content, parseRecordEntry(stored.entry).record);
  }

  /** Keeps up with what decides about later commands. Returns what stands in the way of it. */
  #follow({ index, leaf, entry, subject, content }: StoredEntry): UnreadableCommand | null {
    if (subject === null) return null;
    try {
      if (!equalBytes(leafHash(entry), leaf)) throw new Error('the entry is not the one logged');
      const { record } = parseRecordEntry(entry);
      if (record.type.startsWith('license.')) this.#licenses.set(bytesKey(subject), index);
      if (record.type.startsWith('brake.')) this.#brake = index;
      if (record.type.startsWith('namespace.')) this.#namespace = index;
      const document = followed.test(record.type) ? openDocument(content, record) : null;
      if (document?.type === 'namespace') this.#epoch = document.epoch;
      else if (document !== null) this.#directory.apply(document);
      return null;
    } catch (error) {
      return { index, message: messageOf(error) };
    }
  }
}

/** null once it was removed. Throws Error where it is not what the record commits to. */
export function openDocument(
  content: StoredEntry['content'],
  { type, doc }: LogRecord,
): TallyDocument | null {
  if (content === null || !isRecordType(type)) throw new Error('its document is missing');
  const { salt, document } = content;
  if (salt === null || document === null) return null;
  if (!equalBytes(documentCommitment(salt, document), doc))
    throw new Error('the document is not the one committed to');
  return parseDocument(subjectTypeOf(type), parseJson(document));
}
