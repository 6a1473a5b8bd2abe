/**
 * The signer: carries out typed requests with keys that never leave this process, or the token that they are in.
 *
 * Owns the mark of the log. Everything it signs it builds itself from content that it was given.
 */
import {
  allPaths,
  type BrakeDocument,
  type Checkpoint,
  concatBytes,
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
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  recordMessageMax,
  subjectTypeOf,
  utf8,
  verifyConsistency,
} from '@tallystick/core';
import type { Governance } from './governance.ts';
import type { Journal } from './journal/journal.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { SigningKey } from './keystore/signing-key.ts';
import type { Mark } from './mark.ts';
import { checkContent, keysFor, RateLimiter } from './policy.ts';
import { type Abandoned, type BatchToSign, type RecordToSign, SignerRefusal } from './protocol/requests.ts';

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
  /** Newest first known per namespace: what they end stays ended. */
  brakes: BrakeDocument[];
}

/** What a signer remembers beyond its process. */
export interface SignerMemory {
  mark: Mark;
  governance: Governance;
  journal: Journal;
}

export class Signer {
  #keys: readonly KeystoreKey[] = [];
  /** Those that sign records: in memory, so that a batch does not wait for a token. */
  #issuingKeys: readonly SigningKey[] = [];
  /** The one key that may be in a token. */
  readonly #logKey: KeystoreKey;
  readonly #mark: Mark;
  readonly #governance: Governance;
  readonly #journal: Journal;
  readonly #rate: RateLimiter;
  readonly #now: () => number;

  /** @param now milliseconds, for rates and limits */
  constructor(keys: readonly KeystoreKey[], { mark, governance, journal }: SignerMemory, now: () => number) {
    this.#logKey = this.#take(keys);
    this.#mark = mark;
    this.#governance = governance;
    this.#journal = journal;
    journal.keys(keys);
    this.#rate = new RateLimiter(now);
    this.#now = now;
  }

  /** Goes on with the keys that a keystore holds now. Throws where they are not those of a signer, or of another log. */
  replaceKeys(keys: readonly KeystoreKey[]): void {
    const [logKey] = keys.filter((key) => key.usages.includes('log'));
    if (logKey?.keyid !== this.#logKey.keyid) throw new Error('the keystore has another log key than before');
    this.#take(keys);
    this.#journal.keys(keys);
  }

  describe(): SignerDescription {
    const mark = this.#mark.checkpoint;
    const keys = this.#keys.map(({ publicKey, usages, ns }) => ({ ...publicKey, usages, ns }));
    return { origin: mark.origin, mark, keys, brakes: this.#governance.brakes };
  }

  /** Returns the log key. */
  #take(keys: readonly KeystoreKey[]): KeystoreKey {
    const [logKey, ...others] = keys.filter((key) => key.usages.includes('log'));
    if (logKey === undefined || others.length > 0) throw new Error('the keystore needs exactly one log key');
    if (keys.some((key) => key.usages.includes('root') || key.usages.includes('authority'))) {
      throw new Error('root and authority keys must not be where a server can reach them');
    }
    // Lines on checkpoints know no other algorithm of a log.
    if (logKey.publicKey.alg !== 'ed25519') throw new Error('the log key must be an Ed25519 key');
    const issuingKeys = keys.filter((key) => key instanceof SigningKey);
    if (keys.some((key) => key !== logKey && !(key instanceof SigningKey))) {
      throw new Error('only the log key may be in a token: issuing, brake and lease keys sign from memory');
    }
    this.#keys = keys;
    this.#issuingKeys = issuingKeys;
    return logKey;
  }

  /** As `Governance.adopt`. */
  async adopt(entry: Uint8Array, document: Uint8Array): Promise<void> {
    await this.#governance.adopt(entry, document);
    await this.#journal.adopted(parseRecordEntry(entry).record, leafHash(entry));
  }

  /** As `Journal.abandon`. */
  abandon(abandoned: Abandoned): Promise<void> {
    return this.#journal.abandon(abandoned);
  }

  /**
   * Each record with its signatures, in order; all or none. They become the entries from log index `index` on. A brake
   * among them binds what comes after it. Throws SignerRefusal.
   */
  signRecords(records: readonly RecordToSign[], index: number): Envelope[] {
    const plans = records.map((item, nth) => {
      const { ns, type } = item.record;
      const signing = this.#governance.signing(ns, subjectTypeOf(type), index + nth);
      const keys = keysFor(this.#issuingKeys, { ns, type, signing });
      for (const key of keys) checkContent(key, item, this.#now());
      if (subjectTypeOf(type) === 'brake') this.#governance.tighten(item);
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

  /** The entries of a batch and the promise over them; all or none. Rejects with SignerRefusal. */
  async signBatch({ records, index, publishBy }: BatchToSign): Promise<SignedBatch> {
    const { size } = this.#mark.checkpoint;
    if (index < size)
      throw new SignerRefusal('rollback', `the log has ${size} entries: none is to come at ${index}`);
    const envelopes = this.signRecords(records, index);
    const entries = envelopes.map(encodeEnvelope);
    const { origin } = this.#mark.checkpoint;
    const leaves = entries.map(leafHash);
    const statement = { origin, index, count: entries.length, root: allPaths(leaves).root, publishBy };
    const keyids = [...new Set(envelopes.flatMap(({ signatures }) => signatures.map(({ keyid }) => keyid)))];
    // In the order in which batches come in, and on its way to the disk while this one and the next are signed.
    const [signed] = await Promise.all([
      this.#promise(statement),
      this.#journal.batch({
        index,
        leaves: concatBytes(...leaves),
        keyids: [...keyids, this.#logKey.keyid],
        publishBy,
      }),
    ]);
    const payload = encodePromise(statement);
    const promise = encodeEnvelope({ payload, payloadType: payloadTypes.promise, signatures: [signed] });
    return { entries, promise };
  }

  /** The log key's signature on a promise. Rejects with SignerRefusal. */
  async signPromise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    if (statement.origin !== this.#mark.checkpoint.origin)
      throw new SignerRefusal('other_log', 'promise of another log');
    const [signed] = await Promise.all([this.#promise(statement), this.#journal.promise(statement)]);
    return signed;
  }

  async #promise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    const message = preAuthEncoding(payloadTypes.promise, encodePromise(statement));
    return { keyid: this.#logKey.keyid, sig: await this.#logKey.sign(message) };
  }

  /**
   * The signature part of the log's line on a checkpoint. The mark is moved, on disk, before the
   * signature is asked for: a crash in between costs a signature, never a fork. Rejects with SignerRefusal.
   */
  async signCheckpoint(
    checkpoint: Checkpoint,
    proof: readonly Uint8Array[],
  ): Promise<{ id: Uint8Array; signature: Uint8Array }> {
    this.#moveMark(checkpoint, proof);
    const [signed] = await Promise.all([
      this.#logKey.sign(utf8(formatCheckpoint(checkpoint))),
      this.#journal.checkpoint(checkpoint),
    ]);
    const id = noteKeyId(checkpoint.origin, noteSignatureType.ed25519, this.#logKey.publicKey.key);
    return { id, signature: signed };
  }

  /**
   * Compares a checkpoint with the mark and moves it, in one synchronous step: of two requests at the same time, the
   * second is held against the mark that the first one moved, whether or not that is signed yet.
   */
  #moveMark(checkpoint: Checkpoint, proof: readonly Uint8Array[]): void {
    const mark = this.#mark.checkpoint;
    if (checkpoint.origin !== mark.origin) throw new SignerRefusal('other_log', 'checkpoint of another log');
    if (checkpoint.size < mark.size) {
      throw new SignerRefusal('rollback', `the log had ${mark.size} entries and now has ${checkpoint.size}`);
    }
    if (checkpoint.size === mark.size && !equalBytes(checkpoint.root, mark.root)) {
      throw new SignerRefusal('fork', `another history of size ${mark.size} was signed before`);
    }
    this.#checkGrowth(mark, checkpoint, proof);
    if (checkpoint.size > mark.size) this.#mark.advance(checkpoint, this.#journal.position);
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
