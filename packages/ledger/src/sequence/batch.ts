/** A batch on its way: decided, signed, committed, promised. */
import {
  allPaths,
  base64,
  encodeEnvelope,
  encodePromise,
  type KeptPromise,
  type LogRecord,
  leafHash,
  type PromiseStatement,
  payloadTypes,
} from '@tallystick/core';
import type { Change, Command, Current, GateEnvironment, LockLevel, View } from '@tallystick/license';
import type { CauseInput } from '../content.ts';
import { LedgerError } from '../errors.ts';
import type { FedRevision } from '../projections/feeder.ts';
import type { ProjectedRequest } from '../projections/projections.ts';
import { revisionRows } from '../projections/rows.ts';
import type { StoredCause, StoredContent, StoredEntry } from '../store/store.ts';
import type { Queued } from './batch-builder.ts';
import type { OverlaySubject } from './overlay.ts';

/** A command as it enters the ledger. */
export interface Submission {
  command: Command;
  cause: CauseInput;
  /** Who asks, for commands that depend on it; left out where the system itself does. */
  gate?: GateEnvironment;
  judge?: Judge;
  /** What of the state the command may refer to; all of it where left out. Lets pass what the view throws. */
  see?: (view: View, at: string) => View;
  /** The caller's idempotency key and a hash over what it asks for. */
  request: { key: string; hash: Uint8Array } | null;
  dryRun: boolean;
}

/**
 * Says whether a command may be carried out, on the snapshot that it was decided on, and what its cause is to say of
 * that. Throws what the caller is to be told. `changes` is empty where the command was refused anyway. May be called
 * more than once, and lets pass what the view throws.
 */
export type Judge = (
  view: View,
  changes: readonly Change[],
  environment: { at: string; lock: LockLevel; epoch: number },
) => CauseInput;

/** One change as the caller is told of it; index and leaf are null in a dry run. */
export interface AppliedChange {
  change: Change;
  current: Current;
  at: string;
  index: number | null;
  leaf: Uint8Array | null;
}

/** What the signer makes of a batch: its entries in order, and the promise over them; envelopes, as bytes. */
export interface SignedBatch {
  entries: readonly Uint8Array[];
  promise: Uint8Array;
}

/** A record of a batch, before and after its signature. */
export interface PendingRecord {
  index: number;
  record: LogRecord;
  content: StoredContent;
  applied: AppliedChange;
  overlaid: OverlaySubject;
  /** Names that the change takes (id) or gives up (null). */
  names: ReadonlyMap<string, string | null>;
}

/** A caller who waits for a batch. */
export interface Answer {
  resolve(promise: BatchPromise | null): void;
  reject(error: Error): void;
  /** The command, to be decided once more, in a batch of its own where `isAlone`. */
  again(isAlone: boolean): Queued;
}

export interface Batch {
  number: number;
  /** Log index of its first record. */
  base: number;
  records: PendingRecord[];
  causes: StoredCause[];
  /** Idempotency keys of its commands. */
  requests: ProjectedRequest[];
  /** Of its documents. */
  bytes: number;
  /** Callers to answer. */
  answers: Answer[];
  /** The entries as bytes, once signed. */
  stored: StoredEntry[];
  /** The signed promise over them, once signed: nobody's before they are durable. */
  promise: Uint8Array;
}

/** A signed promise that all records of a batch will be published. */
export interface BatchPromise {
  /** DSSE envelope, base64. */
  envelope: string;
  /** Log index of the first entry. */
  index: number;
  /** Per entry what leads from its leaf to the root that was signed. */
  leaves: { leaf: string; path: string[] }[];
}

/** The part of a batch's promise that one caller keeps for one entry. */
export function keptPromise(promise: BatchPromise, index: number): KeptPromise {
  const kept = promise.leaves[index - promise.index];
  if (kept === undefined) throw new RangeError(`the promise does not cover entry ${index}`);
  return { envelope: promise.envelope, index, ...kept };
}

/** Fills in what the signer made of it: from here on entries are bytes and have a leaf hash. */
export function assemble(batch: Batch, { entries, promise }: SignedBatch): void {
  if (entries.length !== batch.records.length) throw new Error('the signer signed other records');
  batch.promise = promise;
  batch.stored = batch.records.map(({ index, record, content, overlaid, applied }, nth) => {
    const entry = entries[nth] as Uint8Array;
    const leaf = leafHash(entry);
    overlaid.leaf = leaf;
    applied.leaf = leaf;
    return { index, leaf, subject: record.subject, rev: record.rev, entry, content };
  });
}

/** What callers keep of the promise over consecutive entries from `index` on. */
export function batchPromise(
  envelope: Uint8Array,
  index: number,
  leaves: readonly Uint8Array[],
): BatchPromise {
  const { paths } = allPaths(leaves);
  return {
    envelope: base64(envelope),
    index,
    leaves: leaves.map((leaf, nth) => ({ leaf: base64(leaf), path: paths[nth] ?? [] })),
  };
}

/** A promise over consecutive entries from `index` on, signed with one signature over their tree. */
export async function makePromise(
  signer: PromiseSigner,
  statement: Pick<PromiseStatement, 'origin' | 'index' | 'publishBy'>,
  leaves: readonly Uint8Array[],
): Promise<BatchPromise> {
  const { root } = allPaths(leaves);
  const whole = { ...statement, count: leaves.length, root };
  const signature = await signer.signPromise(whole);
  const payload = encodePromise(whole);
  const envelope = encodeEnvelope({ payload, payloadType: payloadTypes.promise, signatures: [signature] });
  return batchPromise(envelope, statement.index, leaves);
}

/** What the ledger asks of the signer for a promise. */
export interface PromiseSigner {
  signPromise(statement: PromiseStatement): Promise<{ keyid: string; sig: Uint8Array }>;
}

/** What the projections and the publisher take in of a batch. */
export function committedOf(batch: Batch): Committed {
  return {
    batch: batch.number,
    size: batch.base + batch.records.length,
    entries: batch.stored,
    revisions: batch.records.map(({ index, record, applied, names, content }) => {
      const { document, rev } = applied.current;
      const rows = revisionRows({ index, id: document.id, rev, document, names });
      return { ...rows, type: record.type, cause: content.cause };
    }),
    requests: batch.requests,
    changes: batch.records.map(({ applied }) => applied),
  };
}

export interface Committed {
  batch: number;
  /** Log size after it. */
  size: number;
  entries: readonly StoredEntry[];
  revisions: FedRevision[];
  requests: ProjectedRequest[];
  changes: AppliedChange[];
}

/** Nothing of the caller's command was recorded. */
export function notCommitted(cause?: unknown): LedgerError {
  const why = cause instanceof Error ? cause.message : 'a change before it failed';
  return new LedgerError('not_committed', `nothing was changed: ${why}`, { cause });
}

/** What the signer is given of a record. */
export interface RecordToSign {
  record: PendingRecord['record'];
  /** The document that a record commits to, where the signer judges it. */
  content: { salt: Uint8Array; document: Uint8Array } | null;
}

/** What the signer is given of a batch. */
export interface BatchToSign {
  records: readonly RecordToSign[];
  /** Log index of the first record. */
  index: number;
  /** The instant that the promise names. */
  publishBy: string;
}

export function recordToSign({ record, content: { salt, document } }: PendingRecord): RecordToSign {
  const isJudged = /^(?:license|brake)\./.test(record.type) && salt !== null && document !== null;
  return { record, content: isJudged ? { salt, document } : null };
}
