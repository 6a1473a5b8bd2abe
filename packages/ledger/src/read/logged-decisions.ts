/**
 * What the log says of the decisions that let its commands through.
 *
 * Each is held against what its leaf commits to; signatures, the tree and what was published are for `fsck`.
 */
import { causeCommitment, decodeUtf8, equalBytes, type LogRecord, parseRecordEntry } from '@tallystick/core';
import type { CauseDocument } from '../content.ts';
import type { Store, StoredCause } from '../store/store.ts';

const causesPerRead = 1000;
const rememberedMax = 10_000;

/** What a cause says of the decision that let its command through. */
export interface LoggedDecision {
  policy: string;
  schema: string;
  reasons: string[];
  entities: string;
  /** What was decided on. */
  input: object;
}

/** The decision of the command at a log index; null for what the system itself did, and from before there was a gate. */
export type DecidedCommand =
  | { index: number; at: string; decision: LoggedDecision | null }
  /** What stands in the way of reading it, as one sentence without its period. */
  | { index: number; message: string };

/**
 * The decisions of the first `size` entries, newest first. Ends with the first block in which all is older than `from`, an
 * instant: log times run forward, but for those that an authority has signed.
 */
export async function* decidedCommands(
  store: Store,
  { size, from }: { size: number; from: string | null },
  onProgress: (done: number) => void,
): AsyncGenerator<DecidedCommand> {
  const decisions = new DecisionReader(store);
  for (let to = size; to > 0; to -= causesPerRead) {
    const begin = Math.max(0, to - causesPerRead);
    const causes = await store.causes(begin, to);
    const entries = await store.entryBytes(begin, to - begin);
    let isOlder = from !== null && causes.length > 0;
    for (const cause of causes.toReversed()) {
      const command = await read(cause, entries[cause.index - begin], decisions);
      if ('message' in command || from === null || command.at >= from) isOlder = false;
      yield command;
    }
    onProgress(size - begin);
    if (isOlder) return;
  }
}

async function read(
  cause: StoredCause,
  entry: Uint8Array | undefined,
  decisions: DecisionReader,
): Promise<DecidedCommand> {
  const { index } = cause;
  try {
    if (entry === undefined) throw new Error('the entry is missing');
    const document = openCause(cause, parseRecordEntry(entry).record);
    return { index, at: document.at, decision: await decisions.of(index, document) };
  } catch (error) {
    return { index, message: error instanceof Error ? error.message : String(error) };
  }
}

/** Finds decisions, also where a cause names an earlier one that has it. */
export class DecisionReader {
  readonly #store: Pick<Store, 'cause' | 'entry'>;
  readonly #known = new Map<number, LoggedDecision>();

  constructor(store: Pick<Store, 'cause' | 'entry'>) {
    this.#store = store;
  }

  /** null for a cause of before there was a gate. Rejects with Error where it cannot be read. */
  async of(index: number, cause: CauseDocument): Promise<LoggedDecision | null> {
    if (cause.v === 1) return null;
    const { decision } = cause as { decision: unknown };
    if (!isObject(decision)) throw new Error('its cause says nothing of a decision');
    if (!('same' in decision)) return this.#remember(index, readDecision(decision));
    const same = decision['same'] as number;
    if (!Number.isSafeInteger(same) || same < 0 || same >= index)
      throw new Error('its decision is said to be in a cause that is not an earlier one');
    return this.#known.get(same) ?? this.#remember(same, await this.#at(same));
  }

  #remember(index: number, decision: LoggedDecision): LoggedDecision {
    // What is forgotten is read again.
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(index, decision);
    return decision;
  }

  async #at(index: number): Promise<LoggedDecision> {
    const cause = await this.#store.cause(index);
    const entry = await this.#store.entry(index);
    if (cause === undefined || entry === undefined)
      throw new Error(`its decision is said to be at ${index}: nothing is there`);
    const earlier = openCause(cause, parseRecordEntry(entry.entry).record);
    if (earlier.v === 1 || !isObject(earlier.decision) || 'same' in earlier.decision)
      throw new Error(`its decision is said to be at ${index}, where there is none`);
    return readDecision(earlier.decision);
  }
}

/** Throws Error where it is not what the record commits to, or has a form that is not known. */
export function openCause({ salt, document }: StoredCause, record: LogRecord): CauseDocument {
  if (!equalBytes(causeCommitment(salt, document), record.cause))
    throw new Error('the cause is not the one committed to');
  const cause: unknown = JSON.parse(decodeUtf8(document));
  if (!isObject(cause) || ![1, 2, 3].includes(cause['v'] as number) || !isObject(cause['who']))
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
