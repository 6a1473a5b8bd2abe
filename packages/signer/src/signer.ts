/**
 * The signer: carries out typed requests with keys that never leave this process, or the token that they are in.
 *
 * Owns the mark of the log. Everything it signs it builds itself from content that it was given.
 */
import {
  allPaths,
  type BrakeDocument,
  type Checkpoint,
  cosignedMessage,
  type Envelope,
  type EnvelopeSignature,
  encodeEnvelope,
  encodePromise,
  encodeRecord,
  encodeTimestampedSignature,
  equalBytes,
  formatCheckpoint,
  IntegrityError,
  leafHash,
  logVerifierKey,
  type NoteSignature,
  type PromiseStatement,
  payloadTypes,
  preAuthEncoding,
  recordMessageMax,
  subjectTypeOf,
  u64be,
  utf8,
  verifyConsistency,
} from '@tallystick/core';
import type { Governance } from './governance.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import { SigningKey } from './keystore/signing-key.ts';
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
  /** The newest checkpoint that the log keys signed. */
  mark: Checkpoint;
  keys: { alg: string; key: Uint8Array; usages: readonly string[]; ns: string | null }[];
  /** Newest first known per namespace: what they end stays ended. */
  brakes: BrakeDocument[];
}

export class Signer {
  #keys: readonly KeystoreKey[] = [];
  /** Those that sign records: in memory, so that a batch does not wait for a token. */
  #issuingKeys: readonly SigningKey[] = [];
  /** The only ones that may be in a token: one an algorithm. */
  readonly #logKeys: LogKeys;
  readonly #mark: Mark;
  readonly #governance: Governance;
  readonly #rate: RateLimiter;
  readonly #now: () => number;

  /** @param now milliseconds, for rates and limits */
  constructor(keys: readonly KeystoreKey[], mark: Mark, governance: Governance, now: () => number) {
    this.#logKeys = this.#take(keys);
    this.#mark = mark;
    this.#governance = governance;
    this.#rate = new RateLimiter(now);
    this.#now = now;
  }

  /** Goes on with the keys that a keystore holds now. Throws where they are not those of a signer, or of another log. */
  replaceKeys(keys: readonly KeystoreKey[]): void {
    const ids = (held: LogKeys): string =>
      Object.values(held)
        .map((key: KeystoreKey | null) => key?.keyid)
        .join();
    if (ids(logKeysOf(keys)) !== ids(this.#logKeys))
      throw new Error('the keystore has other log keys than before');
    this.#take(keys);
  }

  describe(): SignerDescription {
    const mark = this.#mark.checkpoint;
    const keys = this.#keys.map(({ publicKey, usages, ns }) => ({ ...publicKey, usages, ns }));
    return { origin: mark.origin, mark, keys, brakes: this.#governance.brakes };
  }

  #take(keys: readonly KeystoreKey[]): LogKeys {
    const logKeys = logKeysOf(keys);
    if (keys.some((key) => key.usages.includes('root') || key.usages.includes('authority'))) {
      throw new Error('root and authority keys must not be where a server can reach them');
    }
    const issuingKeys = keys.filter((key) => key instanceof SigningKey);
    if (keys.some((key) => !key.usages.includes('log') && !(key instanceof SigningKey))) {
      throw new Error('only the log key may be in a token: issuing, brake and lease keys sign from memory');
    }
    this.#keys = keys;
    this.#issuingKeys = issuingKeys;
    return logKeys;
  }

  /** As `Governance.adopt`. */
  adopt(entry: Uint8Array, document: Uint8Array): Promise<void> {
    return this.#governance.adopt(entry, document);
  }

  /**
   * Each record with its signatures, in order; all or none. They become the entries from log index `index` on. A brake
   * among them binds what comes after it. Throws SignerRefusal.
   */
  signRecords(records: readonly RecordToSign[], index: number): Envelope[] {
    const plans = records.map((item, nth) => {
      const { ns, type } = item.record;
      const signing = this.#governance.signing(ns, subjectTypeOf(type), index + nth);
      const required = this.#governance.required(item, index + nth);
      const keys = keysFor(this.#issuingKeys, { ns, type, signing, required });
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
    const entries = this.signRecords(records, index).map(encodeEnvelope);
    const { origin } = this.#mark.checkpoint;
    const { root } = allPaths(entries.map(leafHash));
    const statement = { origin, index, count: entries.length, root, publishBy };
    const promise = encodeEnvelope({
      payload: encodePromise(statement),
      payloadType: payloadTypes.promise,
      signatures: [await this.signPromise(statement)],
    });
    return { entries, promise };
  }

  /** The signature of the log's Ed25519 key on a promise. Rejects with SignerRefusal. */
  async signPromise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    if (statement.origin !== this.#mark.checkpoint.origin)
      throw new SignerRefusal('other_log', 'promise of another log');
    const message = preAuthEncoding(payloadTypes.promise, encodePromise(statement));
    const { ed25519 } = this.#logKeys;
    return { keyid: ed25519.keyid, sig: await ed25519.sign(message) };
  }

  /**
   * The log's lines on a checkpoint, one of each of its keys. The mark is moved, on disk, before any signature
   * is asked for: a crash in between costs signatures, never a fork. Rejects with SignerRefusal.
   */
  async signCheckpoint(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<NoteSignature[]> {
    this.#moveMark(checkpoint, proof);
    const { ed25519, mlDsa44 } = this.#logKeys;
    const seconds = Math.floor(this.#now() / 1000);
    const lines = [ed25519Line(ed25519, checkpoint)];
    if (mlDsa44 !== null) lines.push(mlDsa44Line(mlDsa44, checkpoint, seconds));
    return Promise.all(lines);
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
    if (checkpoint.size > mark.size) this.#mark.advance(checkpoint);
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

/** The keys that a log is known by. Every log has one of Ed25519, which signs its promises as well. */
interface LogKeys {
  ed25519: KeystoreKey;
  mlDsa44: KeystoreKey | null;
}

/** Throws where they are not the keys of one log. */
function logKeysOf(keys: readonly KeystoreKey[]): LogKeys {
  const logKeys = keys.filter((key) => key.usages.includes('log'));
  const [ed25519, ...others] = logKeys.filter(({ publicKey }) => publicKey.alg === 'ed25519');
  const [mlDsa44 = null, ...more] = logKeys.filter(({ publicKey }) => publicKey.alg === 'ml-dsa-44');
  // Lines on checkpoints know no other algorithm of a log.
  if (logKeys.some(({ publicKey }) => publicKey.alg === 'ecdsa-p256-sha256'))
    throw new Error('a log key must be an Ed25519 key or an ML-DSA-44 key');
  if (ed25519 === undefined || others.length + more.length > 0)
    throw new Error('the keystore needs exactly one log key of Ed25519, and at most one of ML-DSA-44');
  return { ed25519, mlDsa44 };
}

async function ed25519Line(key: KeystoreKey, checkpoint: Checkpoint): Promise<NoteSignature> {
  const { name, id } = logVerifierKey(checkpoint.origin, key.publicKey);
  return { name, id, signature: await key.sign(utf8(formatCheckpoint(checkpoint))) };
}

/** The time in it is the signer's, and nobody relies on it. */
async function mlDsa44Line(
  key: KeystoreKey,
  checkpoint: Checkpoint,
  seconds: number,
): Promise<NoteSignature> {
  const vkey = logVerifierKey(checkpoint.origin, key.publicKey);
  const message = cosignedMessage(vkey, formatCheckpoint(checkpoint), checkpoint, u64be(seconds));
  const signed = encodeTimestampedSignature(seconds, await key.sign(message));
  return { name: vkey.name, id: vkey.id, signature: signed };
}

function signature(key: SigningKey, message: Uint8Array): EnvelopeSignature {
  return { keyid: key.keyid, sig: key.sign(message) };
}

function countByKey(keys: SigningKey[]): Map<SigningKey, number> {
  const counts = new Map<SigningKey, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
