/** A batch against the log: that it has everything that it says, and, with the key, that each part is what was committed to. */
import type { KeyObject } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { causeFacts, equalBytes, IntegrityError, type LogRecord, parseRecordEntry } from '@tallystick/core';
import type { ContentKey } from './content-key.ts';
import type { Lack } from './content-store.ts';
import type { KnownLog } from './erasures.ts';
import {
  causeProblem,
  contentProblem,
  decodeCause,
  decodeContent,
  decodeRequest,
  requestProblem,
  type StoredCauseBytes,
} from './parts.ts';
import { batchKeyOf, openPart, Unsealable } from './seal.ts';
import { partKinds, type SealedBatch, type SealedPart } from './sealed-batch.ts';

/** What a log's server handed out is no batch of what was asked for. Nothing of it is kept. */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';
}

export interface JudgedBatch {
  /** The batch, with the parts that are good. */
  batch: SealedBatch;
  /** A cause lacks as well where what was signed for it does. */
  lacking: { index: number; isCause: boolean; why: Lack }[];
  /** Parts that are not what the log commits to, as one sentence without its period each. */
  altered: { index: number; message: string }[];
}

/** Whose documents they are, and what opens them: null where this mirror has no key. */
export interface Opening {
  genesis: Uint8Array;
  key: ContentKey | null;
}

/** How many parts are opened at a stretch: cosigning must not wait. */
const partsAtOnce = 64;

/** Throws BatchRefused where parts are missing, there are too many, or they were sealed to somebody else. */
export async function judgeBatch(batch: SealedBatch, log: KnownLog, opening: Opening): Promise<JudgedBatch> {
  const { header, parts } = batch;
  const records = recordsOf(log, header.from, header.to);
  checkComplete(batch, records);
  const judged: JudgedBatch = { batch: { header, parts: [] }, lacking: [], altered: [] };
  const key = opening.key && keyOf(header.enc, opening.key, opening.genesis);
  const requests = new RequestJudge(judged, records);
  for (const [nth, part] of parts.entries()) {
    if (nth % partsAtOnce === partsAtOnce - 1) await turn();
    const { index, kind } = part;
    const isCause = kind !== partKinds.content && kind !== partKinds.gone;
    if (kind === partKinds.gone || kind === partKinds.causeGone) {
      judged.lacking.push({ index, isCause, why: 'gone' });
      continue;
    }
    const record = records.get(index)?.record;
    const message =
      key === null || record === undefined ? null : problemOf(part, { key, record, opening, requests });
    if (message === null) judged.batch.parts.push(part);
    else {
      judged.lacking.push({ index, isCause, why: 'altered' });
      judged.altered.push({ index, message });
    }
  }
  requests.end();
  return judged;
}

/** Holds what was signed against the cause before it, and notes where a cause commits to what does not come. */
class RequestJudge {
  readonly #judged: JudgedBatch;
  readonly #records: ReadonlyMap<number, Expected>;
  #open: { index: number; cause: StoredCauseBytes } | null = null;

  constructor(judged: JudgedBatch, records: ReadonlyMap<number, Expected>) {
    this.#judged = judged;
    this.#records = records;
  }

  cause(index: number, cause: StoredCauseBytes): void {
    this.end();
    // What a command that erases says in the words of who asked is never kept.
    const isErasing = this.#records.get(index)?.record.type === 'customer.erased';
    if (!isErasing && causeFacts(cause.document).signed !== null) this.#open = { index, cause };
  }

  problem(index: number, bytes: Uint8Array): string | null {
    const open = this.#open;
    this.#open = null;
    if (open?.index !== index) return 'there is a signed request, and no cause that commits to one';
    return requestProblem(decodeRequest(bytes), open.cause);
  }

  /** The cause before has no request behind it. */
  end(): void {
    if (this.#open !== null)
      this.#judged.lacking.push({ index: this.#open.index, isCause: true, why: 'gone' });
    this.#open = null;
  }
}

interface Expected {
  record: LogRecord;
  /** Whether it is the first one of its command. */
  isFirst: boolean;
}

function recordsOf(log: KnownLog, from: number, to: number): Map<number, Expected> {
  const records = new Map<number, Expected>();
  const [start] = from === 0 ? [0] : [from - 1];
  const entries = log.entries(start, to);
  let before: LogRecord | null = null;
  for (let index = start; index < to; index++) {
    if (log.typeAt(index) === null) {
      before = null;
      continue;
    }
    const { record } = parseRecordEntry(entries[index - start] as Uint8Array);
    const isFirst = before === null || !equalBytes(before.cause, record.cause);
    if (index >= from) records.set(index, { record, isFirst });
    before = record;
  }
  return records;
}

/** Each record has its content or is said to have none, and each first one of a command its cause. */
function checkComplete({ parts }: SealedBatch, records: ReadonlyMap<number, Expected>): void {
  const expected = [...records].flatMap(([index, { isFirst }]) =>
    isFirst ? [`${index}`, `${index} cause`] : [`${index}`],
  );
  const stray = parts.find(({ index, kind }) => kind === partKinds.request && !records.get(index)?.isFirst);
  if (stray !== undefined) throw new BatchRefused(`the batch has a signed request for record ${stray.index}`);
  const found = parts
    .filter(({ kind }) => kind !== partKinds.request)
    .map(({ index, kind }) =>
      kind === partKinds.cause || kind === partKinds.causeGone ? `${index} cause` : `${index}`,
    );
  const at = expected.findIndex((place, nth) => found[nth] !== place);
  if (at >= 0) throw new BatchRefused(`the batch lacks what belongs to record ${expected[at]}`);
  const more = found[expected.length];
  if (more !== undefined) throw new BatchRefused(`the batch has more than the log: something for ${more}`);
}

function keyOf(enc: Uint8Array, key: ContentKey, genesis: Uint8Array): KeyObject {
  try {
    return batchKeyOf(enc, key, genesis);
  } catch (error) {
    return refused(error);
  }
}

function problemOf(
  { kind, index, sealed }: SealedPart,
  {
    key,
    record,
    opening,
    requests,
  }: { key: KeyObject; record: LogRecord; opening: Opening; requests: RequestJudge },
): string | null {
  let plain: Uint8Array;
  try {
    plain = openPart(key, kind, index, sealed);
  } catch (error) {
    return refused(error);
  }
  try {
    if (kind === partKinds.content) return contentProblem(decodeContent(plain), record, opening.genesis);
    if (kind === partKinds.request) return requests.problem(index, plain);
    const cause = decodeCause(plain);
    const message = causeProblem(cause, record);
    if (message === null) requests.cause(index, cause);
    return message;
  } catch (error) {
    if (error instanceof RangeError || error instanceof IntegrityError)
      return `it cannot be read: ${error.message}`;
    throw error;
  }
}

function refused(error: unknown): never {
  if (!(error instanceof Unsealable)) throw error;
  throw new BatchRefused(`${error.message}: it was altered, or sealed to another key or for another log`, {
    cause: error,
  });
}
