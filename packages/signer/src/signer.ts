/**
 * The signer: carries out typed requests with keys that never leave this process.
 *
 * Owns the mark of the log. Everything it signs it builds itself from content that it was given.
 */
import {
  allPaths,
  type Checkpoint,
  type Envelope,
  type EnvelopeSignature,
  encodeEnvelope,
  encodePromise,
  encodeRecord,
  equalBytes,
  formatCheckpoint,
  IntegrityError,
  leafHash,
  noteKeyId,
  noteSignatureType,
  type PromiseStatement,
  payloadTypes,
  preAuthEncoding,
  recordMessageMax,
  utf8,
  verifyConsistency,
} from '@tallystick/core';
import type { SigningKey } from './keystore/signing-key.ts';
import type { Mark } from './mark.ts';
import { checkContent, keysFor, RateLimiter } from './policy.ts';
import { type BatchToSign, type RecordToSign, SignerRefusal } from './protocol/requests.ts';

/** Envelopes, as bytes: one entry per record in order, and the promise over all of them. */
export interface SignedBatch {
  entries: Uint8Array[];
  promise: Uint8Array;
}

export interface SignerDescription {
  origin: string;
  /** The newest checkpoint that the log key signed. */
  mark: Checkpoint;
  keys: { alg: string; key: Uint8Array; usages: readonly string[]; ns: string | null }[];
}

export class Signer {
  readonly #keys: readonly SigningKey[];
  readonly #logKey: SigningKey;
  readonly #mark: Mark;
  readonly #rate: RateLimiter;
  readonly #now: () => number;

  /** @param now milliseconds, for rates and limits */
  constructor(keys: readonly SigningKey[], mark: Mark, now: () => number) {
    const [logKey, ...others] = keys.filter((key) => key.usages.includes('log'));
    if (logKey === undefined || others.length > 0) throw new Error('the keystore needs exactly one log key');
    if (keys.some((key) => key.usages.includes('root') || key.usages.includes('authority'))) {
      throw new Error('root and authority keys must not be where a server can reach them');
    }
    this.#keys = keys;
    this.#logKey = logKey;
    this.#mark = mark;
    this.#rate = new RateLimiter(now);
    this.#now = now;
  }

  describe(): SignerDescription {
    const mark = this.#mark.checkpoint;
    const keys = this.#keys.map(({ publicKey, usages, ns }) => ({ ...publicKey, usages, ns }));
    return { origin: mark.origin, mark, keys };
  }

  /** Each record with its signatures, in order; all or none. Throws SignerRefusal. */
  signRecords(records: readonly RecordToSign[]): Envelope[] {
    const plans = records.map((item) => {
      const keys = keysFor(this.#keys, item.record.ns, item.record.type);
      for (const key of keys) checkContent(key, item, this.#now());
      return { item, keys };
    });
    for (const [key, count] of countByKey(plans.flatMap(({ keys }) => keys))) this.#rate.take(key, count);
    return plans.map(({ item, keys }) => {
      const payloadType = payloadTypes.record;
      const payload = encodeRecord(item.record);
      const message = preAuthEncoding(payloadType, payload);
      if (message.length > recordMessageMax) throw new SignerRefusal('malformed', 'record too long');
      return { payload, payloadType, signatures: keys.map((key) => signature(key, message)) };
    });
  }

  /** The entries of a batch and the promise over them; all or none. Throws SignerRefusal. */
  signBatch({ records, index, publishBy }: BatchToSign): SignedBatch {
    const entries = this.signRecords(records).map(encodeEnvelope);
    const { origin } = this.#mark.checkpoint;
    const { root } = allPaths(entries.map(leafHash));
    const statement = { origin, index, count: entries.length, root, publishBy };
    const promise = encodeEnvelope({
      payload: encodePromise(statement),
      payloadType: payloadTypes.promise,
      signatures: [this.signPromise(statement)],
    });
    return { entries, promise };
  }

  /** The log key's signature on a promise. Throws SignerRefusal. */
  signPromise(statement: PromiseStatement): EnvelopeSignature {
    if (statement.origin !== this.#mark.checkpoint.origin)
      throw new SignerRefusal('other_log', 'promise of another log');
    const message = preAuthEncoding(payloadTypes.promise, encodePromise(statement));
    return signature(this.#logKey, message);
  }

  /**
   * The signature part of the log's line on a checkpoint. The mark is moved, on disk, before the
   * signature exists: a crash in between costs a signature, never a fork. Throws SignerRefusal.
   */
  signCheckpoint(
    checkpoint: Checkpoint,
    proof: readonly Uint8Array[],
  ): { id: Uint8Array; signature: Uint8Array } {
    const mark = this.#mark.checkpoint;
    if (checkpoint.origin !== mark.origin) throw new SignerRefusal('other_log', 'checkpoint of another log');
    if (checkpoint.size < mark.size) {
      throw new SignerRefusal('rollback', `the log had ${mark.size} entries and now has ${checkpoint.size}`);
    }
    if (checkpoint.size === mark.size && !equalBytes(checkpoint.root, mark.root)) {
      throw new SignerRefusal('fork', `another history of size ${mark.size} was signed before`);
    }
    this.#checkGrowth(mark, checkpoint, proof);
    if (checkpoint.size > mark.size) this.#mark.advance(checkpoint);
    const signed = this.#logKey.sign(utf8(formatCheckpoint(checkpoint)));
    const id = noteKeyId(checkpoint.origin, noteSignatureType.ed25519, this.#logKey.publicKey.key);
    return { id, signature: signed };
  }

  #checkGrowth(mark: Checkpoint, next: Checkpoint, proof: readonly Uint8Array[]): void {
    try {
      verifyConsistency(mark.size, mark.root, next.size, next.root, proof);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      throw new SignerRefusal('fork', error.message);
    }
  }
}

function signature(key: SigningKey, message: Uint8Array): EnvelopeSignature {
  return { keyid: key.keyid, sig: key.sign(message) };
}

function countByKey(keys: SigningKey[]): Map<SigningKey, number> {
  const counts = new Map<SigningKey, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
