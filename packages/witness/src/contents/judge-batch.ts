/** A batch against the log: that it has everything that it says, and, with the key, that each part is what was committed to. */
import type { KeyObject } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { equalBytes, IntegrityError, type LogRecord, parseRecordEntry } from '@tallystick/core';
import type { ContentKey } from './content-key.ts';
import type { Lack } from './content-store.ts';
import type { KnownLog } from './erasures.ts';
import { causeProblem, contentProblem, decodeCause, decodeContent } from './parts.ts';
import { batchKeyOf, openPart, Unsealable } from './seal.ts';
import { partKinds, type SealedBatch, type SealedPart } from './sealed-batch.ts';

/** What a log's server handed out is no batch of what was asked for. Nothing of it is kept. */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';
}

export interface JudgedBatch {
  /** The batch, with the parts that are good. */
  batch: SealedBatch;
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
  for (const [nth, part] of parts.entries()) {
    if (nth % partsAtOnce === partsAtOnce - 1) await turn();
    const { index, kind } = part;
    const isCause = kind === partKinds.cause || kind === partKinds.causeGone;
    if (kind === partKinds.gone || kind === partKinds.causeGone) {
      judged.lacking.push({ index, isCause, why: 'gone' });
      continue;
    }
    const record = records.get(index)?.record;
    const message =
      key === null || record === undefined ? null : problemOf(part, key, record, opening.genesis);
    if (message === null) judged.batch.parts.push(part);
    else {
      judged.lacking.push({ index, isCause, why: 'altered' });
      judged.altered.push({ index, message });
    }
  }
  return judged;
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
  const found = parts.map(({ index, kind }) =>
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
  key: KeyObject,
  record: LogRecord,
  genesis: Uint8Array,
): string | null {
  let plain: Uint8Array;
  try {
    plain = openPart(key, kind, index, sealed);
  } catch (error) {
    return refused(error);
  }
  try {
    return kind === partKinds.cause
      ? causeProblem(decodeCause(plain), record)
      : contentProblem(decodeContent(plain), record, genesis);
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
