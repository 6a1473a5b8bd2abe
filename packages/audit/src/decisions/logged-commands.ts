/**
 * The commands of a log with what let them through, in order: their causes and the policies and principals that were
 * in force, each checked against what the log commits to.
 *
 * Signatures, the tree and what was published are for `fsck`; what is read here is what the leaves of this store say.
 */
import {
  causeCommitment,
  decodeUtf8,
  documentCommitment,
  equalBytes,
  type LogRecord,
  leafHash,
  parseJson,
  parseRecordEntry,
} from '@tallystick/core';
import { type DecisionInput, Directory, Memo } from '@tallystick/gate';
import type { CauseDocument, Store, StoredCause, StoredEntry } from '@tallystick/ledger';
import { isRecordType, parseDocument, subjectTypeOf, type TallyDocument } from '@tallystick/license';
import { messageOf } from '../content-check.ts';
import type { OnProgress } from '../report.ts';

const ENTRIES_PER_READ = 1000;
const DECISIONS_REMEMBERED = 10_000;

/** Records of what decides about later commands. */
const gateRecord = /^(?:policy|principal|credential)\./;

/** What a cause says of the decision that let its command through. */
export interface LoggedDecision {
  policy: string;
  schema: string;
  reasons: string[];
  entities: string;
  input: DecisionInput;
}

export interface LoggedCommand {
  /** Log index of its first record. */
  index: number;
  cause: CauseDocument;
  /** null for what the system itself did, and for what is from before there was a gate. */
  decision: LoggedDecision | null;
  /** Principals, credentials and policy before it, until the next command is read. */
  directory: Directory;
}

/** What stands in the way of reading a command. `message` is one sentence without its period. */
export interface UnreadableCommand {
  index: number;
  message: string;
}

export class LoggedCommands {
  readonly #store: Store;
  readonly #directory = new Directory();
  readonly #decisions = new Memo<LoggedDecision>(DECISIONS_REMEMBERED);

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads the first `size` entries, once. */
  async *read(size: number, onProgress: OnProgress): AsyncGenerator<LoggedCommand | UnreadableCommand> {
    for (let at = 0; at < size; at += ENTRIES_PER_READ) {
      const end = Math.min(at + ENTRIES_PER_READ, size);
      const entries = await this.#store.entries(at, end - at);
      const causes = new Map((await this.#store.causes(at, end)).map((cause) => [cause.index, cause]));
      for (const entry of entries) {
        const command = await this.#beginsAt(entry, causes.get(entry.index));
        if (command !== null) yield command;
        // Only now: a command is decided on what was before it.
        const problem = this.#follow(entry);
        if (problem !== null) yield problem;
      }
      onProgress({ step: 'entries', done: end, total: size });
    }
  }

  /** The command that an entry begins; null where it begins none. */
  async #beginsAt(
    stored: StoredEntry,
    cause: StoredCause | undefined,
  ): Promise<LoggedCommand | UnreadableCommand | null> {
    const { index, content, subject } = stored;
    if (subject === null || content?.cause !== index) return null;
    try {
      return await this.#command(index, parseRecordEntry(stored.entry).record, cause);
    } catch (error) {
      return { index, message: messageOf(error) };
    }
  }

  async #command(index: number, record: LogRecord, stored: StoredCause | undefined): Promise<LoggedCommand> {
    if (stored === undefined) throw new Error('the cause of the command is missing');
    const cause = openCause(stored, record);
    const decision = cause.v === 1 ? null : await this.#decision(index, cause.decision);
    if (decision !== null) this.#decisions.set(String(index), decision);
    return { index, cause, decision, directory: this.#directory };
  }

  /** What stands in an earlier cause is looked up there. */
  async #decision(index: number, decision: unknown): Promise<LoggedDecision> {
    if (!isObject(decision)) throw new Error('its cause says nothing of a decision');
    if (!('same' in decision)) return readDecision(decision);
    const same = decision['same'] as number;
    if (!Number.isSafeInteger(same) || same < 0 || same >= index)
      throw new Error('its decision is said to be in a cause that is not an earlier one');
    return this.#decisions.get(String(same)) ?? (await this.#decisionAt(same));
  }

  async #decisionAt(index: number): Promise<LoggedDecision> {
    const cause = await this.#store.cause(index);
    const entry = await this.#store.entry(index);
    if (cause === undefined || entry === undefined)
      throw new Error(`its decision is said to be at ${index}: nothing is there`);
    const earlier = openCause(cause, parseRecordEntry(entry.entry).record);
    if (earlier.v === 1 || !isObject(earlier.decision) || 'same' in earlier.decision)
      throw new Error(`its decision is said to be at ${index}, where there is none`);
    return readDecision(earlier.decision);
  }

  /** Keeps up with what decides about later commands. Returns what stands in the way of it. */
  #follow({ index, leaf, entry, subject, content }: StoredEntry): UnreadableCommand | null {
    if (subject === null) return null;
    try {
      if (!equalBytes(leafHash(entry), leaf)) throw new Error('the entry is not the one logged');
      const { record } = parseRecordEntry(entry);
      const document = gateRecord.test(record.type) ? openDocument(content, record) : null;
      if (document !== null) this.#directory.apply(document);
      return null;
    } catch (error) {
      return { index, message: messageOf(error) };
    }
  }
}

/** null once it was removed. */
function openDocument(content: StoredEntry['content'], { type, doc }: LogRecord): TallyDocument | null {
  if (content === null || !isRecordType(type)) throw new Error('its document is missing');
  const { salt, document } = content;
  if (salt === null || document === null) return null;
  if (!equalBytes(documentCommitment(salt, document), doc))
    throw new Error('the document is not the one committed to');
  return parseDocument(subjectTypeOf(type), parseJson(document));
}

function openCause({ salt, document }: StoredCause, record: LogRecord): CauseDocument {
  if (!equalBytes(causeCommitment(salt, document), record.cause))
    throw new Error('the cause is not the one committed to');
  const cause: unknown = JSON.parse(decodeUtf8(document));
  if (!isObject(cause) || (cause['v'] !== 1 && cause['v'] !== 2) || !isObject(cause['who']))
    throw new Error('the cause is of a form that is not known here');
  return cause as unknown as CauseDocument;
}

function readDecision(decision: Record<string, unknown>): LoggedDecision {
  const { policy, schema, entities, reasons, input } = decision;
  const isText = [policy, schema, entities].every((text) => typeof text === 'string');
  if (!isText || !Array.isArray(reasons) || !isObject(input)) throw new Error('its decision cannot be read');
  return decision as unknown as LoggedDecision;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
