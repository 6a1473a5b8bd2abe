/** What a cause document says: who asked for a command, why, and what it was allowed by. Versions 1 to 3. */
import { decodeBase64 } from '../encoding/base64.ts';
import { decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import {
  asArray,
  asCount,
  asObject,
  asString,
  closedMembers,
  type JsonObject,
  type JsonValue,
} from '../encoding/json.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { signedRequestCommitment } from '../record/subject.ts';

export interface CauseStatement {
  v: 1 | 2 | 3;
  /** The command's type, `license.issue`. */
  command: string;
  /** Number of records that the command made. */
  n: number;
  who: CauseAuthor;
  /** Why, in the caller's words. */
  why: string | null;
  /** `hash` is the SHA-256 of what was asked, in base64; of version 3 its salted commitment. */
  request: { key: string; hash: string } | null;
  decision: { same: number } | DecisionStatement | null;
  approvals: { approval: string; by: { principal: string; credential: string; at: string }[] } | null;
  /** The request as it was signed (RFC 9421); of version 3 the commitment to it in base64: see `signedRequestIn`. */
  signed: SignedEvidence | string | null;
  /** Whom the authority lets in, where nobody else can let anybody in any more. */
  recovery: RecoveryStatement | null;
  at: string;
}

/**
 * What the authority says in the cause of a namespace revision, `namespace.recover`: somebody is to be administrator, and
 * comes in with one invitation.
 */
export interface RecoveryStatement {
  /** A principal that there is; null where `name` says who is to be one. */
  principal: string | null;
  name: string | null;
  email: string | null;
  /** SHA-256 of the invitation in base64. */
  invitation: string;
  /** When both the statement and the invitation end. Instant. */
  until: string;
}

/** The command of a namespace revision whose cause says whom the authority lets in. */
export const recoverCommand = 'namespace.recover';

/** A signed request: its signature base, and in base64 the signature and the body, whose digest was signed. */
export interface SignedEvidence {
  base: string;
  signature: string;
  keyid: string;
  alg: string;
  body: string | null;
}

/** What opens a salted commitment. */
export interface Opening {
  salt: Uint8Array;
  bytes: Uint8Array;
}

/** Who asked; of version 1 nothing but kind and id is known. */
export interface CauseAuthor {
  kind: string;
  id: string;
  credential: string | null;
  session: string | null;
  device: JsonObject | null;
  address: string | null;
}

export interface DecisionStatement {
  /** Hashes in base64: of the policy set, of its schema, of `input`. */
  policy: string;
  schema: string;
  entities: string;
  /** Ids of the policies that decided. */
  reasons: string[];
  /** Everything that was looked at. */
  input: JsonObject;
}

const version1 = ['v', 'command', 'n', 'who', 'why', 'request', 'at'] as const;
const recovering = ['v', 'command', 'n', 'who', 'why', 'request', 'recovery', 'at'] as const;
/** Of versions 2 and 3. */
const judged = [
  'v',
  'command',
  'n',
  'who',
  'why',
  'request',
  'decision',
  'approvals',
  'signed',
  'at',
] as const;
const author = ['kind', 'id', 'credential', 'session', 'device', 'address'] as const;

/**
 * Reads the bytes of a cause document; throws MALFORMED or TOO_NEW. They need be no more than JSON in the one encoding
 * that `JSON.stringify` has for it: what callers say is kept as they said it.
 */
export function readCauseStatement(bytes: Uint8Array): CauseStatement {
  const json = asObject(parsed(bytes), 'cause');
  if (json.v === 1) return readVersion1(json);
  if (json.v === 2 || json.v === 3) return readJudged(json, json.v);
  throw typeof json.v === 'number'
    ? new IntegrityError('TOO_NEW', `cause: version ${json.v}`)
    : malformed('cause: no version');
}

/** What is held against other rows than the cause's own; null for what it does not say. */
export interface CauseFacts {
  n: number | null;
  /** Commitment to the request as it was signed, base64. */
  signed: string | null;
}

/** Of the bytes of a cause document, whatever else they say: what is wrong with them is told by whoever reads all of it. */
export function causeFacts(document: Uint8Array): CauseFacts {
  try {
    const json = JSON.parse(decodeUtf8(document)) as { v?: unknown; n?: unknown; signed?: unknown };
    const isCommitted = json.v === 3 && typeof json.signed === 'string';
    return {
      n: typeof json.n === 'number' ? json.n : null,
      signed: isCommitted ? String(json.signed) : null,
    };
  } catch {
    // Where the commitment holds, these bytes were recorded, and they say nothing.
    return { n: null, signed: null };
  }
}

function parsed(bytes: Uint8Array): JsonValue {
  const text = decodeUtf8(bytes);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw malformed('cause: not JSON');
  }
  if (JSON.stringify(value) !== text) throw malformed('cause: not in its one encoding');
  return value;
}

function readVersion1(value: JsonObject): CauseStatement {
  const isRecovery = value.command === recoverCommand;
  const recovery = isRecovery ? readRecovery(closedMembers(value, recovering, 'cause').recovery) : null;
  const { recovery: _, ...others } = value;
  const json = closedMembers(isRecovery ? others : value, version1, 'cause');
  const who = closedMembers(json.who, ['kind', 'id'], 'cause.who');
  return {
    v: 1,
    ...readCommon(json),
    who: {
      kind: asString(who.kind, 'who.kind'),
      id: asString(who.id, 'who.id'),
      credential: null,
      session: null,
      device: null,
      address: null,
    },
    decision: null,
    approvals: null,
    signed: null,
    recovery,
  };
}

/** Reads what a cause says of a recovery; throws MALFORMED or TOO_NEW. */
export function readRecovery(value: JsonValue | undefined): RecoveryStatement {
  const names = ['principal', 'name', 'email', 'invitation', 'until'] as const;
  const json = closedMembers(value, names, 'recovery');
  const [principal, name] = [textOrNull(json.principal, 'principal'), textOrNull(json.name, 'name')];
  const email = textOrNull(json.email, 'email');
  if ((principal === null) === (name === null) || (principal !== null && email !== null))
    throw malformed('recovery: it names either a principal or who is to be one');
  const invitation = asString(json.invitation, 'invitation');
  decodeBase64(invitation, 32);
  const until = asString(json.until, 'until');
  parseInstant(until);
  return { principal, name, email, invitation, until };
}

function readJudged(value: JsonObject, v: 2 | 3): CauseStatement {
  const json = closedMembers(value, judged, 'cause');
  const who = closedMembers(json.who, author, 'cause.who');
  return {
    v,
    ...readCommon(json),
    who: {
      kind: asString(who.kind, 'who.kind'),
      id: asString(who.id, 'who.id'),
      credential: textOrNull(who.credential, 'who.credential'),
      session: textOrNull(who.session, 'who.session'),
      device: who.device === null ? null : asObject(who.device, 'who.device'),
      address: textOrNull(who.address, 'who.address'),
    },
    decision: readDecision(json.decision),
    approvals: readApprovals(json.approvals),
    signed: v === 2 ? readSigned(json.signed) : readCommitment(json.signed),
    recovery: null,
  };
}

function readCommon(
  json: Record<'command' | 'n' | 'why' | 'request' | 'at', JsonValue>,
): Pick<CauseStatement, 'command' | 'n' | 'why' | 'request' | 'at'> {
  const request =
    json.request === null ? null : closedMembers(json.request, ['key', 'hash'], 'cause.request');
  const at = asString(json.at, 'cause.at');
  parseInstant(at);
  return {
    command: asString(json.command, 'cause.command'),
    n: asCount(json.n, 'cause.n'),
    why: textOrNull(json.why, 'cause.why'),
    request: request && {
      key: asString(request.key, 'request.key'),
      hash: asString(request.hash, 'request.hash'),
    },
    at,
  };
}

function readDecision(value: JsonValue): CauseStatement['decision'] {
  if (value === null) return null;
  if (asObject(value, 'decision').same !== undefined) {
    return { same: asCount(closedMembers(value, ['same'], 'decision').same, 'decision.same') };
  }
  const names = ['policy', 'schema', 'reasons', 'entities', 'input'] as const;
  const json = closedMembers(value, names, 'decision');
  return {
    policy: asString(json.policy, 'decision.policy'),
    schema: asString(json.schema, 'decision.schema'),
    reasons: asArray(json.reasons, 'decision.reasons', 1024).map((id) => asString(id, 'reason')),
    entities: asString(json.entities, 'decision.entities'),
    input: asObject(json.input, 'decision.input'),
  };
}

function readApprovals(value: JsonValue): CauseStatement['approvals'] {
  if (value === null) return null;
  const json = closedMembers(value, ['approval', 'by'], 'approvals');
  return {
    approval: asString(json.approval, 'approvals.approval'),
    by: asArray(json.by, 'approvals.by', 64).map((item) => {
      const by = closedMembers(item, ['principal', 'credential', 'at'], 'approvals.by');
      return {
        principal: asString(by.principal, 'by.principal'),
        credential: asString(by.credential, 'by.credential'),
        at: asString(by.at, 'by.at'),
      };
    }),
  };
}

function readCommitment(value: JsonValue): string | null {
  if (value === null) return null;
  const commitment = asString(value, 'signed');
  decodeBase64(commitment, hashLength);
  return commitment;
}

/**
 * The request of a cause as it was signed: what the cause says itself, or what opens its commitment. null for a request that
 * was not signed, and where the opening is not held any more. Throws ALTERED, MALFORMED or TOO_NEW.
 */
export function signedRequestIn(
  signed: CauseStatement['signed'],
  opening: Opening | null,
): SignedEvidence | null {
  if (typeof signed !== 'string') {
    if (opening === null) return signed;
    throw new IntegrityError('ALTERED', 'there is a signed request, and the cause commits to none');
  }
  if (opening === null) return null;
  const { salt, bytes } = opening;
  if (!equalBytes(signedRequestCommitment(salt, bytes), decodeBase64(signed, hashLength)))
    throw new IntegrityError('ALTERED', 'the signed request is not the one that the cause commits to');
  return readSigned(parsed(bytes));
}

/** The bytes that a cause of version 3 commits to. */
export function encodeSignedRequest({ base, signature, keyid, alg, body }: SignedEvidence): Uint8Array {
  return utf8(JSON.stringify({ base, signature, keyid, alg, body }));
}

function readSigned(value: JsonValue): SignedEvidence | null {
  if (value === null) return null;
  const json = closedMembers(value, ['base', 'signature', 'keyid', 'alg', 'body'], 'signed');
  return {
    base: asString(json.base, 'signed.base'),
    signature: asString(json.signature, 'signed.signature'),
    keyid: asString(json.keyid, 'signed.keyid'),
    alg: asString(json.alg, 'signed.alg'),
    body: textOrNull(json.body, 'signed.body'),
  };
}

function textOrNull(value: JsonValue, what: string): string | null {
  return value === null ? null : asString(value, what);
}
