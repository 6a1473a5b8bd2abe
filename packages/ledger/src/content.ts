/** Between a change that was decided and the bytes that are stored and committed to. */
import {
  askedCommitment,
  base64,
  causeCommitment,
  companionCommitment,
  decodeBase64,
  decodeUtf8,
  documentCommitment,
  encodeSignedRequest,
  equalBytes,
  isMapRoot,
  isPublicSubject,
  leafHash,
  malformed,
  type Opening,
  parseJson,
  parseMapRoot,
  parseRecordEntry,
  type RecordEntry,
  type RecoveryStatement,
  readCauseStatement,
  type SignedEvidence,
  signedRequestCommitment,
  signedRequestIn,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import {
  type Change,
  type Current,
  encodeCompanion,
  encodeDocument,
  isRecordType,
  parseCompanion,
  parseDocument,
  subjectTypeOf,
  type TallyDocument,
} from '@tallystick/license';
import { IntegrityAlarm } from './errors.ts';
import type { RandomPool } from './random-pool.ts';
import type { StoredCause, StoredContent, StoredEntry } from './store/store.ts';

/** When an entry was made, in milliseconds, as it says itself; null for one that does not. */
export function timeOfEntry({ entry, subject }: Pick<StoredEntry, 'entry' | 'subject'>): number | null {
  if (isMapRoot(entry)) return Date.parse(parseMapRoot(entry).at);
  return subject === null ? null : Date.parse(parseRecordEntry(entry).record.at);
}

/** A change as bytes: salted, encoded, committed to. */
export interface SealedChange {
  /** The document with its `private` commitment filled in. */
  document: TallyDocument;
  /** C */
  commitment: Uint8Array;
  content: StoredContent;
}

/** Encodes a change. `cause` is the log index of the command's first record. */
export function sealChange(change: Change, cause: number, random: RandomPool): SealedChange {
  const companion = change.companion === null ? null : utf8(encodeCompanion(change.companion));
  const companionSalt = companion === null ? null : random.take(32);
  const document =
    companion === null || companionSalt === null
      ? change.document
      : ({
          ...change.document,
          private: base64(companionCommitment(companionSalt, companion)),
        } as TallyDocument);
  const salt = isPublicSubject(document.id) ? zeroSalt : random.take(32);
  const bytes = utf8(encodeDocument(document));
  return {
    document,
    commitment: documentCommitment(salt, bytes),
    content: { id: document.id, salt, document: bytes, companionSalt, companion, cause },
  };
}

/** Who asked for a command and why: the cause document, committed to by each of its records. */
export interface CauseInput {
  who: { kind: string; id: string };
  /** Why, in the caller's words. */
  why: string | null;
  /** What a gate says besides; left out where the system itself acts. */
  gate?: GateCause;
}

/** What let a change through. Every member is in the document, in this order. */
export interface GateCause {
  /** What the caller showed, and from where. */
  credential: string;
  session: string | null;
  device: { id: string | null; managed: boolean; encrypted: boolean; attested: boolean } | null;
  address: string | null;
  decision: CauseDecision;
  /** The request that others approved, and who did. */
  approvals: { approval: string; by: { principal: string; credential: string; at: string }[] } | null;
  /** The request as it was signed. */
  signed: SignedEvidence | null;
}

/**
 * A decision as whoever makes it again needs it. Where the very same one, of the same input under the same policy, is in
 * an earlier cause, the log index of that cause's first record stands for it.
 */
export type CauseDecision =
  | { same: number }
  | { policy: string; schema: string; reasons: string[]; entities: string; input: object };

interface CauseHead {
  /** The command's type, `license.issue`. */
  command: string;
  /** Number of records that the command made. */
  n: number;
  /** The caller's idempotency key and base64 of a hash over what was asked under it, of version 3 as `saltedHash` has it. */
  request: { key: string; hash: string } | null;
  at: string;
  why: string | null;
}

/** Version 1 is what the system itself causes, and what was caused before there was a gate. */
export type CauseDocument = CauseHead &
  (
    | {
        v: 1;
        who: { kind: string; id: string };
        /** Only where the authority lets somebody in. */
        recovery?: RecoveryStatement;
      }
    | ({
        /** Version 2 is of before signed requests could be erased. */
        v: 2;
        signed: SignedEvidence | null;
      } & Judged)
    | ({
        v: 3;
        /** Commitment to the request as it was signed, base64. */
        signed: string | null;
      } & Judged)
  );

type Judged = {
  who: { kind: string; id: string } & Pick<GateCause, 'credential' | 'session' | 'device' | 'address'>;
} & Pick<GateCause, 'decision' | 'approvals'>;

/** What a caller caused, whatever its version. */
export type GateCauseDocument = Extract<CauseDocument, { v: 2 | 3 }>;

export interface SealedCause extends Pick<StoredCause, 'salt' | 'document' | 'signed'> {
  commitment: Uint8Array;
}

/** What of a command its cause says. */
export interface CausedCommand extends CauseInput, Pick<CauseHead, 'command' | 'n' | 'at'> {
  /** The caller's idempotency key, and the SHA-256 of what was asked under it. */
  request: { key: string; hash: Uint8Array } | null;
}

/**
 * Encodes a cause; `made` is what the command made. A command that erases keeps no request: it says whom it is about in the
 * caller's words.
 */
export function sealCause(
  cause: CausedCommand,
  made: readonly Pick<SealedChange, 'content' | 'document'>[],
  random: RandomPool,
): SealedCause {
  const { command, n, why, at, gate } = cause;
  const [who, request] = [{ kind: cause.who.kind, id: cause.who.id }, sealedRequest(cause, made[0])];
  // Members in the order of the bytes.
  if (gate === undefined) return sealed({ v: 1, command, n, who, why, request, at }, null, random);
  const { credential, session, device, address, decision, approvals } = gate;
  const caller = { ...who, credential, session, device, address };
  const signed = gate.signed && { salt: random.take(32), bytes: encodeSignedRequest(gate.signed) };
  const committed = signed && base64(signedRequestCommitment(signed.salt, signed.bytes));
  const document: CauseDocument = {
    v: 3,
    command,
    n,
    who: caller,
    why,
    request,
    decision,
    approvals,
    signed: committed,
    at,
  };
  return sealed(document, made.some(isErasing) ? null : signed, random);
}

function isErasing({ document }: Pick<SealedChange, 'document'>): boolean {
  return document.type === 'customer' && document.state === 'erased';
}

function sealed(cause: CauseDocument, signed: Opening | null, random: RandomPool): SealedCause {
  const document = utf8(JSON.stringify(cause));
  const salt = random.take(32);
  return { commitment: causeCommitment(salt, document), salt, document, signed };
}

function sealedRequest(
  { request, gate }: CausedCommand,
  first: Pick<SealedChange, 'content'> | undefined,
): CauseHead['request'] {
  if (request === null) return null;
  const { key, hash } = request;
  if (gate === undefined || first === undefined) return { key, hash: base64(hash) };
  const salted = saltedHash(hash, first.content);
  if (salted === null) throw new Error('what a command made has no salt');
  return { key, hash: base64(salted) };
}

/**
 * The hash of what was asked as a cause of version 3 has it: salted with what is erased along with the first record that came
 * of it, of the companion where there is one, because no license file shows that. null once it is erased.
 */
function saltedHash(hash: Uint8Array, { companionSalt, salt }: StoredContent): Uint8Array | null {
  const secret = companionSalt ?? salt;
  return secret && askedCommitment(secret, hash);
}

/** Whether a cause is of a request with this hash; null where that was erased. `first` is the first record's content. */
export function isOfRequest(
  { v, request }: CauseDocument,
  hash: Uint8Array,
  first: StoredContent,
): boolean | null {
  const expected = v === 3 ? saltedHash(hash, first) : hash;
  return expected && request?.hash === base64(expected);
}

/** A stored record whose every part was checked against what the log commits to. */
export interface CheckedRevision {
  index: number;
  leaf: Uint8Array;
  /** The entry's exact bytes, and what they say. */
  entry: Uint8Array;
  record: RecordEntry;
  /** null once shredded. */
  current: Current | null;
  content: StoredContent;
}

/** Throws IntegrityAlarm where the bytes of an entry are not the ones that the log holds a leaf of. */
export function checkEntry({ index, entry }: Pick<StoredEntry, 'index' | 'entry'>, leaf: Uint8Array): void {
  if (!equalBytes(leafHash(entry), leaf)) throw new IntegrityAlarm(index, 'the entry is not the one logged');
}

/**
 * Checks a stored entry against `leaf` (the log's) and its parts against its commitments. Throws
 * IntegrityAlarm naming the first part that does not fit.
 */
export function checkRevision(stored: StoredEntry, leaf: Uint8Array): CheckedRevision {
  const { index, content } = stored;
  checkEntry(stored, leaf);
  if (content === null) throw new IntegrityAlarm(index, 'its document is missing');
  const record = checked(index, 'the record', () => parseRecordEntry(stored.entry));
  if (content.document === null || content.salt === null) {
    return { index, leaf, entry: stored.entry, record, current: null, content };
  }
  if (!equalBytes(documentCommitment(content.salt, content.document), record.record.doc)) {
    throw new IntegrityAlarm(index, 'the document is not the one committed to');
  }
  const document = checked(index, 'the document', () =>
    parseStoredDocument(record.record.type, content.document),
  );
  if (document.id !== content.id)
    throw new IntegrityAlarm(index, 'the document is filed under another subject');
  const companion = checked(index, 'the companion', () => openCompanion(document, content));
  return {
    index,
    leaf,
    entry: stored.entry,
    record,
    current: { document, companion, rev: document.rev, index },
    content,
  };
}

/** Throws IntegrityAlarm where the stored cause is not the one that the record commits to. */
export function checkCause(
  { index, record }: Pick<CheckedRevision, 'index' | 'record'>,
  cause: StoredCause | undefined,
): CauseDocument {
  if (cause === undefined) throw new IntegrityAlarm(index, 'its cause is missing');
  if (!equalBytes(causeCommitment(cause.salt, cause.document), record.record.cause)) {
    throw new IntegrityAlarm(index, 'the cause is not the one committed to');
  }
  const document = readCause(cause);
  if (document.n !== cause.records || index < cause.index || index >= cause.index + cause.records) {
    throw new IntegrityAlarm(index, 'the cause counts other records');
  }
  return document;
}

/**
 * The request of a cause as it was signed; null for none, and where it is not held any more. `cause` says what `stored` has.
 * Throws IntegrityAlarm.
 */
export function signedRequestOf(cause: CauseDocument, stored: StoredCause): SignedEvidence | null {
  const signed = cause.v === 1 ? null : cause.signed;
  return checked(stored.index, 'its cause', () => signedRequestIn(signed, stored.signed));
}

/** Parses the bytes of a cause that was made elsewhere; throws MALFORMED. */
export function parseCause({ document }: Pick<StoredCause, 'document'>): CauseDocument {
  parseJson(document);
  const { v, command, n, who, why, request, recovery, at } = readCauseStatement(document);
  if (v !== 1 || request !== null) throw malformed('cause: nobody asked for this');
  const told = { v, command, n, who: { kind: who.kind, id: who.id }, why, request, at };
  return recovery === null ? told : { ...told, recovery };
}

/** What a stored cause says, unchecked. Throws where it is not JSON. */
function readCause({ document }: Pick<StoredCause, 'document'>): CauseDocument {
  return JSON.parse(decodeUtf8(document)) as CauseDocument;
}

/** The idempotency key that a stored cause names, unchecked; null where it names none, or cannot be read. */
export function requestKeyOf(cause: Pick<StoredCause, 'document'>): string | null {
  try {
    const { request } = readCause(cause) as Partial<CauseDocument>;
    return request?.key ?? null;
  } catch {
    // Whoever reads the cause itself meets an alarm.
    return null;
  }
}

function parseStoredDocument(recordType: string, bytes: Uint8Array | null): TallyDocument {
  if (!isRecordType(recordType)) throw new Error(`unknown record type ${recordType}`);
  return parseDocument(subjectTypeOf(recordType), parseJson(bytes ?? new Uint8Array(0)));
}

function openCompanion(document: TallyDocument, content: StoredContent): Current['companion'] {
  const committed = 'private' in document ? document.private : null;
  if (committed === null) {
    if (content.companion !== null) throw new Error('there is one, and the document commits to none');
    return null;
  }
  if (content.companion === null || content.companionSalt === null) throw new Error('it is missing');
  const commitment = companionCommitment(content.companionSalt, content.companion);
  if (!equalBytes(commitment, decodeBase64(committed, 32))) throw new Error('it is not the one committed to');
  return parseCompanion(parseJson(content.companion));
}

function checked<T>(index: number, what: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new IntegrityAlarm(index, `${what}: ${message}`, { cause: error });
  }
}
