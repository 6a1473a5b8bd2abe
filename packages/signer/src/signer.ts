/**
 * The signer: carries out typed requests with keys that never leave this process, or the token that they are in.
 *
 * Owns the mark of the log. Everything it signs it builds itself from content that it was given.
 */
import {
  type AttestedKey,
  allPaths,
  type BrakeDocument,
  type Checkpoint,
  concatBytes,
  type Envelope,
  type EnvelopeSignature,
  encodeAttestation,
  encodeEnvelope,
  encodePromise,
  encodeRecord,
  formatInstant,
  keyFingerprintText,
  keyIdOf,
  leafHash,
  type NoteSignature,
  type PromiseStatement,
  parseRecordEntry,
  parseSignedCheckpoint,
  payloadTypes,
  preAuthEncoding,
  recordMessageMax,
  subjectTypeOf,
  usageFor,
  verifyLogSignatures,
} from '@tallystick/core';
import { type AccessMemory, AccessSigner } from './access-signer.ts';
import type { Governance } from './governance.ts';
import type { Journal } from './journal/journal.ts';
import type { KeystoreKey } from './keystore/keystore-key.ts';
import type { DestroyedKey } from './keystore/sealed-file.ts';
import { SigningKey } from './keystore/signing-key.ts';
import { demandSameHistory, LogHead } from './log-head.ts';
import { isSameLog, type LogKeys, logKeysOf, logLines, verifierKeysOf } from './log-keys.ts';
import type { Mark } from './mark.ts';
import { checkContent, RateLimiter, rightsFor, type SigningRight } from './policy.ts';
import { type Abandoned, type BatchToSign, type RecordToSign, SignerRefusal } from './protocol/requests.ts';
import type { WitnessWatch } from './witness-watch.ts';

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
  /** What is left of keys that were destroyed: without their public halves nobody could check what they signed. */
  destroyed: { alg: string; key: Uint8Array; usages: readonly string[]; ns: string | null }[];
  /** Newest first known per namespace: what they end stays ended. */
  brakes: BrakeDocument[];
  /** The newest checkpoint of the access log that was signed; null where none is kept. */
  access: Checkpoint | null;
}

/** What a signer remembers beyond its process. */
export interface SignerMemory {
  mark: Mark;
  governance: Governance;
  witnesses: WitnessWatch;
  journal: Journal;
  /** Of the log that is kept of requests; left out where there is none. */
  access?: AccessMemory;
}

export interface SignerOptions {
  /** What the keystore says of keys that it no longer holds. */
  destroyed?: readonly DestroyedKey[];
  /**
   * Told key ids of keys that were destroyed and are here all the same: they came back with the keystore, from a backup.
   * None of them is used.
   */
  onReturned?: (keyids: readonly string[]) => void;
  /** Other signers hold the keys of this log as well, and one of them at a time signs it. */
  isShared?: boolean;
}

/**
 * Milliseconds for which a confirmed mark is taken to be the newest where others sign as well: longer than a server that
 * writes goes without fresh cosignatures.
 */
const sharedConfirmationMs = 120_000;

export class Signer {
  #keys: readonly KeystoreKey[] = [];
  /** Those that sign records: in memory, so that a batch does not wait for a token. */
  #issuingKeys: readonly SigningKey[] = [];
  #destroyed: readonly DestroyedKey[] = [];
  readonly #isShared: boolean;
  readonly #onReturned: (keyids: readonly string[]) => void;
  /** The only ones that may be in a token: one an algorithm. */
  readonly #logKeys: LogKeys;
  readonly #mark: Mark;
  readonly #head: LogHead;
  readonly #access: AccessSigner | null;
  readonly #governance: Governance;
  readonly #witnesses: WitnessWatch;
  readonly #journal: Journal;
  readonly #rate: RateLimiter;
  readonly #now: () => number;

  /** @param now milliseconds, for rates and limits */
  constructor(
    keys: readonly KeystoreKey[],
    { mark, governance, witnesses, journal, access }: SignerMemory,
    now: () => number,
    { destroyed = [], onReturned = () => {}, isShared = false }: SignerOptions = {},
  ) {
    this.#onReturned = onReturned;
    this.#isShared = isShared;
    this.#governance = governance;
    this.#logKeys = this.#take(keys, destroyed);
    this.#mark = mark;
    this.#witnesses = witnesses;
    this.#head = new LogHead(mark, witnesses, isShared ? sharedConfirmationMs : undefined);
    this.#access = access === undefined ? null : new AccessSigner(keys, access);
    this.#journal = journal;
    journal.keys(this.#keys);
    this.#rate = new RateLimiter(now);
    this.#now = now;
  }

  /** Goes on with the keys that a keystore holds now. Throws where they are not those of a signer, or of another log. */
  replaceKeys(keys: readonly KeystoreKey[], destroyed: readonly DestroyedKey[] = []): void {
    if (!isSameLog(logKeysOf(keys), this.#logKeys))
      throw new Error('the keystore has other log keys than before');
    this.#access?.replaceKey(keys);
    this.#take(keys, destroyed);
    this.#journal.keys(this.#keys);
  }

  describe(): SignerDescription {
    const mark = this.#mark.checkpoint;
    const told = ({ publicKey, usages, ns }: DestroyedKey): SignerDescription['keys'][number] => {
      return { ...publicKey, usages, ns };
    };
    return {
      origin: mark.origin,
      mark,
      keys: this.#keys.map(told),
      destroyed: this.#destroyed.map(told),
      brakes: this.#governance.brakes,
      access: this.#access?.checkpoint ?? null,
    };
  }

  /** Returns the log keys. */
  #take(opened: readonly KeystoreKey[], destroyed: readonly DestroyedKey[]): LogKeys {
    const isDestroyed = ({ ns, publicKey }: KeystoreKey): boolean =>
      Number.isFinite(this.#governance.destroyedSince(ns, keyFingerprintText(publicKey)));
    const returned = opened.filter(isDestroyed);
    const keys = opened.filter((key) => !isDestroyed(key));
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
    if (returned.length > 0) this.#onReturned(returned.map(({ keyid }) => keyid));
    this.#destroyed = [
      ...destroyed,
      ...returned.map(({ publicKey, usages, ns }) => ({ publicKey, usages, ns })),
    ];
    return logKeys;
  }

  /** As `Governance.adoptTrustRoot`. */
  adoptTrustRoot(envelopes: readonly Uint8Array[]): Promise<void> {
    return this.#governance.adoptTrustRoot(envelopes);
  }

  readonly #holds = (id: string): boolean =>
    this.#keys.some(({ publicKey }) => keyFingerprintText(publicKey) === id);

  /** As `Governance.adopt`. */
  async adopt(entry: Uint8Array, document: Uint8Array): Promise<void> {
    const known = [...this.#keys, ...this.#destroyed].map(({ publicKey }) => publicKey);
    const { size } = this.#mark.checkpoint;
    const governs = await this.#governance.adopt(entry, document, { keys: known, size });
    // Of a key whose destruction it hears of now it lets go.
    this.#take(this.#keys, this.#destroyed);
    if (governs) await this.#journal.adopted(parseRecordEntry(entry).record, leafHash(entry));
  }

  /** As `Journal.abandon`. */
  abandon(abandoned: Abandoned): Promise<void> {
    return this.#journal.abandon(abandoned);
  }

  /** As `WitnessWatch.clockProblem`. */
  clockProblem(): string | null {
    return this.#witnesses.clockProblem();
  }

  /** A published checkpoint, as WitnessWatch.take. */
  async witnessed(note: Uint8Array, isFresh: boolean): Promise<void> {
    const { origin } = parseSignedCheckpoint(note);
    if (origin === this.#access?.checkpoint.origin) await this.#access.witnessed(note, isFresh);
    else await this.#witnesses.take(note, isFresh);
  }

  /**
   * Goes on from a checkpoint that another signer of this log signed. The mark says what the log keys signed, wherever they
   * did, and moving it forward only takes away what could be signed; so nobody has to be believed but the keys. Growth
   * waits until cosigners confirm it. Rejects with SignerRefusal where the log is not shared, or did not sign this, or
   * this is of another history.
   */
  async follow(note: Uint8Array, proof: readonly Uint8Array[]): Promise<void> {
    if (!this.#isShared)
      throw new SignerRefusal('not_shared', 'this signer is not set up to share its log with others');
    const checkpoint = parseSignedCheckpoint(note);
    const { origin, size, root } = checkpoint;
    if (origin !== this.#mark.checkpoint.origin)
      throw new SignerRefusal('other_log', 'checkpoint of another log');
    await verifyLogSignatures(checkpoint, verifierKeysOf(this.#logKeys, origin));
    // Read after the wait.
    const mark = this.#mark.checkpoint;
    if (size < mark.size) return;
    demandSameHistory(mark, checkpoint, proof);
    if (size === mark.size) return;
    // Before the journal says so: nothing of before may be signed behind that line.
    this.#witnesses.moved();
    // Before the mark: one that stands there is not shown this again, and the line would be missing for good.
    await this.#journal.followed({ origin, size, root });
    const now = this.#mark.checkpoint;
    if (size <= now.size) return;
    if (now.size !== mark.size) demandSameHistory(now, checkpoint, proof);
    this.#mark.advance({ origin, size, root }, this.#journal.position);
  }

  /**
   * Each record with its signatures, in order; all or none. They become the entries from log index `index` on. A brake
   * among them binds what comes after it. Throws SignerRefusal.
   */
  signRecords(records: readonly RecordToSign[], index: number): Envelope[] {
    const plans = records.map((item, nth) => {
      const { ns, type, at } = item.record;
      this.#witnesses.demandPast(at);
      const usage = usageFor(subjectTypeOf(type));
      const signing = this.#governance.signing(ns, usage, index + nth);
      const signsFrom = (): number | null => this.#governance.signsFrom(ns, usage, index + nth);
      const required = this.#governance.required(item, index + nth);
      const rights = rightsFor(this.#issuingKeys, { ns, type, signing, required, signsFrom });
      for (const { limits } of rights) checkContent(limits, item, this.#now());
      if (subjectTypeOf(type) === 'brake') this.#governance.tighten(item, index + nth, this.#holds);
      return { item, rights };
    });
    for (const [right, count] of countByKey(plans.flatMap(({ rights }) => rights)))
      this.#rate.take(right, count);
    return plans.map(({ item, rights }) => {
      const payloadType = payloadTypes.record;
      const payload = encodeRecord(item.record);
      const message = preAuthEncoding(payloadType, payload);
      if (message.length > recordMessageMax) throw new SignerRefusal('malformed', 'record too long');
      return { payload, payloadType, signatures: rights.map(({ key }) => signature(key, message)) };
    });
  }

  /**
   * What there is to say of keys, named by key id, or of all where none is named: signed by each that is here, and by
   * the log key. Bytes of an envelope. Rejects with SignerRefusal for a key that was never here.
   */
  async attest(keyids: readonly string[]): Promise<Uint8Array> {
    const held = this.#keys.map((key) => ({ ...attested(key, this.#governance), place: key.place, key }));
    const known = [
      ...held,
      ...this.#destroyed.map((key) => ({ ...attested(key, this.#governance), place: null, key: null })),
    ];
    const unknown = keyids.find((id) => !known.some(({ publicKey }) => keyIdOf(publicKey) === id));
    if (unknown !== undefined) throw new SignerRefusal('no_key', `the signer never held a key ${unknown}`);
    const keys = known.filter(({ publicKey }) => keyids.length === 0 || keyids.includes(keyIdOf(publicKey)));
    const { origin, size, root } = this.#mark.checkpoint;
    const payloadType = payloadTypes.attestation;
    const payload = encodeAttestation({ origin, at: formatInstant(this.#now()), size, root, keys });
    const message = preAuthEncoding(payloadType, payload);
    const signing = new Set([this.#logKeys.ed25519, ...keys.flatMap(({ key }) => key ?? [])]);
    const made = [...signing].map(async (key) => ({ keyid: key.keyid, sig: await key.sign(message) }));
    const [signatures] = await Promise.all([
      Promise.all(made),
      this.#journal.attested([...signing].map(({ keyid }) => keyid)),
    ]);
    return encodeEnvelope({ payload, payloadType, signatures });
  }

  /** The entries of a batch and the promise over them; all or none. Rejects with SignerRefusal. */
  async signBatch({ records, index, publishBy }: BatchToSign): Promise<SignedBatch> {
    this.#witnesses.demandMark();
    this.#witnesses.demandClock();
    const { size } = this.#mark.checkpoint;
    if (index < size)
      throw new SignerRefusal('rollback', `the log has ${size} entries: none is to come at ${index}`);
    this.#witnesses.demandOwn(this.#mark.checkpoint);
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
        keyids: [...keyids, this.#logKeys.ed25519.keyid],
        publishBy,
      }),
    ]);
    const payload = encodePromise(statement);
    const promise = encodeEnvelope({ payload, payloadType: payloadTypes.promise, signatures: [signed] });
    return { entries, promise };
  }

  /** The signature of the log's Ed25519 key on a promise. Rejects with SignerRefusal. */
  async signPromise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    this.#witnesses.demandMark();
    if (statement.origin !== this.#mark.checkpoint.origin)
      throw new SignerRefusal('other_log', 'promise of another log');
    const [signed] = await Promise.all([this.#promise(statement), this.#journal.promise(statement)]);
    return signed;
  }

  async #promise(statement: PromiseStatement): Promise<EnvelopeSignature> {
    const message = preAuthEncoding(payloadTypes.promise, encodePromise(statement));
    const { ed25519 } = this.#logKeys;
    return { keyid: ed25519.keyid, sig: await ed25519.sign(message) };
  }

  /**
   * The log's lines on a checkpoint, one of each of its keys, or the one of the access log on its own. The mark is moved, on disk, before any signature
   * is asked for: a crash in between costs signatures, never a fork. Rejects with SignerRefusal.
   */
  async signCheckpoint(checkpoint: Checkpoint, proof: readonly Uint8Array[]): Promise<NoteSignature[]> {
    if (checkpoint.origin === this.#access?.checkpoint.origin) return this.#access.sign(checkpoint, proof);
    this.#head.move(checkpoint, proof, this.#journal.position);
    const [lines] = await Promise.all([
      logLines(this.#logKeys, checkpoint, Math.floor(this.#now() / 1000)),
      this.#journal.checkpoint(checkpoint),
    ]);
    return lines;
  }
}

function attested(
  { publicKey, usages, ns }: DestroyedKey,
  governance: Governance,
): Omit<AttestedKey, 'place'> {
  const since = governance.destroyedSince(ns, keyFingerprintText(publicKey));
  return { publicKey, usages, ns, destroyed: Number.isFinite(since) ? since : null };
}

function signature(key: SigningKey, message: Uint8Array): EnvelopeSignature {
  return { keyid: key.keyid, sig: key.sign(message) };
}

/** How many signatures each key is to make, with a right of it. */
function countByKey(rights: readonly SigningRight[]): [SigningRight, number][] {
  const counts = new Map<SigningKey, [SigningRight, number]>();
  for (const right of rights) {
    const counted = counts.get(right.key);
    if (counted === undefined) counts.set(right.key, [right, 1]);
    else counted[1] += 1;
  }
  return [...counts.values()];
}
