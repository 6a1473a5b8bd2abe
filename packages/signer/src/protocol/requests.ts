/**
 * What may be asked of the signer. Typed content only: there is no request that signs given bytes.
 *
 * Byte strings in headers are base64. Every request has an `id`; a connection is answered in order.
 */
import {
  asArray,
  asCount,
  asObject,
  asString,
  type Checkpoint,
  decodeBase64,
  hashLength,
  isKeyName,
  isNamespaceName,
  type JsonObject,
  type JsonValue,
  type LogRecord,
  malformed,
  type PromiseStatement,
  parseInstant,
} from '@tallystick/core';
import { type AbandonCause, abandonCauses, oneOf } from '../journal/lines.ts';

/** A record to sign, and for license records the document that it commits to. */
export interface RecordToSign {
  record: LogRecord;
  /** null for the kinds of record whose content no key limit looks at. */
  content: { salt: Uint8Array; document: Uint8Array } | null;
}

/** Records that become consecutive entries of the log, from `index` on, under one promise. */
export interface BatchToSign {
  records: readonly RecordToSign[];
  /** Log index of the first. */
  index: number;
  /** Instant by which a published checkpoint covers all of them. */
  publishBy: string;
}

/** What a server says of signatures that it will not use: the log ends at `index`, and goes on there with others. */
export interface Abandoned {
  /** Size of the log. What was signed for this index and above is not in it. */
  index: number;
  cause: AbandonCause;
}

export type SignerRequest =
  | { op: 'hello' }
  | { op: 'attest'; keyids: string[] }
  | { op: 'batch'; batch: BatchToSign }
  | { op: 'abandon'; abandoned: Abandoned }
  | { op: 'adopt'; entry: Uint8Array; document: Uint8Array }
  | { op: 'clock' }
  | { op: 'witnessed'; note: Uint8Array; isFresh: boolean }
  | { op: 'follow'; note: Uint8Array; proof: Uint8Array[] }
  | { op: 'trust'; envelopes: Uint8Array[] }
  | { op: 'promise'; statement: PromiseStatement }
  | { op: 'checkpoint'; checkpoint: Checkpoint; proof: Uint8Array[] };

export type RefusalReason =
  | 'malformed'
  | 'unknown_request'
  | 'no_key'
  | 'key_held'
  | 'no_authority'
  | 'loosened'
  | 'limit'
  | 'commitment'
  | 'fork'
  | 'rollback'
  | 'other_log'
  | 'mark_behind'
  | 'not_shared'
  | 'unconfirmed'
  | 'no_quorum'
  | 'clock'
  | 'internal';

/** The answer while the log key cannot sign. No refusal of what was asked: it may be asked again. */
export const unavailableReason = 'unavailable';

/** A request that the signer does not carry out. Refusals of sound requests are alarms. */
export class SignerRefusal extends Error {
  override readonly name = 'SignerRefusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const recordsMax = 4096;
const documentLengthMax = 262_144;
const trustVersionsMax = 10_000;

/** Parses a frame; throws IntegrityError or SignerRefusal for anything that is not a request. */
export function parseRequest(header: unknown, attachments: Uint8Array): SignerRequest {
  const json = asObject(header as JsonValue, 'request');
  switch (json.op) {
    case 'hello':
      return { op: 'hello' };
    case 'attest':
      return { op: 'attest', keyids: asArray(json.keyids, 'keyids', 256).map((id) => asString(id, 'keyid')) };
    case 'batch':
      return { op: 'batch', batch: parseBatch(json, attachments) };
    case 'abandon': {
      const cause = oneOf(json.cause, abandonCauses, 'cause');
      return { op: 'abandon', abandoned: { index: asCount(json.index, 'index'), cause } };
    }
    case 'adopt':
      return { op: 'adopt', ...parseAdopted(json, attachments) };
    case 'clock':
      return { op: 'clock' };
    case 'witnessed':
      return { op: 'witnessed', note: attachments, isFresh: json.isFresh === true };
    case 'follow':
      return { op: 'follow', note: attachments, proof: parseProof(json) };
    case 'trust':
      return { op: 'trust', envelopes: parseEnvelopes(json, attachments) };
    case 'promise':
      return { op: 'promise', statement: parseStatement(json.statement) };
    case 'checkpoint':
      return {
        op: 'checkpoint',
        checkpoint: parseCheckpoint(json.checkpoint),
        proof: parseProof(json),
      };
    default:
      throw new SignerRefusal('unknown_request', 'the signer knows no such request');
  }
}

/** The header of a batch, and behind it the bytes of each record in turn; `parseBatch` reads them. */
export function batchRequest({ records, index, publishBy }: BatchToSign): {
  header: { op: 'batch'; [name: string]: unknown };
  attachments: Uint8Array[];
} {
  const attachments: Uint8Array[] = [];
  const items = records.map(({ record, content }) => {
    const { ns, type, subject, rev, prev, doc, cause, at } = record;
    attachments.push(subject);
    if (prev !== null) attachments.push(prev);
    attachments.push(doc, cause);
    if (content !== null) attachments.push(content.salt, content.document);
    return { ns, type, rev, at, documentLength: content?.document.length ?? null };
  });
  return { header: { op: 'batch', index, publishBy, records: items }, attachments };
}

function parseBatch(json: JsonObject, attachments: Uint8Array): BatchToSign {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > attachments.length) throw malformed('attachments cut short');
    at += length;
    return attachments.subarray(at - length, at);
  };
  const records = asArray(json.records, 'records', recordsMax).map((item) => {
    const described = asObject(item, 'record');
    const record = parseRecordContent(described, take);
    const length =
      described.documentLength === null ? null : asCount(described.documentLength, 'documentLength');
    if (length !== null && length > documentLengthMax) throw malformed('document too long');
    return { record, content: length === null ? null : { salt: take(hashLength), document: take(length) } };
  });
  if (at !== attachments.length) throw malformed('attachments left over');
  if (records.length === 0) throw malformed('a batch without records');
  return { records, index: asCount(json.index, 'index'), publishBy: asInstant(json.publishBy, 'publishBy') };
}

function parseRecordContent(json: JsonObject, take: (length: number) => Uint8Array): LogRecord {
  const rev = asCount(json.rev, 'rev');
  const record: LogRecord = {
    ns: asString(json.ns, 'ns'),
    type: asString(json.type, 'type'),
    subject: take(hashLength),
    rev,
    prev: rev === 0 ? null : take(hashLength),
    doc: take(hashLength),
    cause: take(hashLength),
    at: asInstant(json.at, 'at'),
  };
  if (!isNamespaceName(record.ns) || !/^[a-z]{1,16}\.[a-z_]{1,24}$/.test(record.type))
    throw malformed('record');
  return record;
}

/** An entry and behind it the document that it commits to. */
function parseAdopted(
  json: JsonObject,
  attachments: Uint8Array,
): { entry: Uint8Array; document: Uint8Array } {
  const length = asCount(json.entryLength, 'entryLength');
  const document = attachments.subarray(length);
  if (length > attachments.length || document.length > documentLengthMax) throw malformed('attachments');
  return { entry: attachments.subarray(0, length), document };
}

/** One behind the other, as long as `lengths` says. */
function parseEnvelopes(json: JsonObject, attachments: Uint8Array): Uint8Array[] {
  let at = 0;
  const envelopes = asArray(json.lengths, 'lengths', trustVersionsMax).map((length) => {
    at += asCount(length, 'length');
    return attachments.subarray(at - asCount(length, 'length'), at);
  });
  if (at !== attachments.length) throw malformed('attachments');
  return envelopes;
}

function parseStatement(value: JsonValue | undefined): PromiseStatement {
  const json = asObject(value, 'statement');
  const statement = {
    origin: asString(json.origin, 'origin'),
    index: asCount(json.index, 'index'),
    count: asCount(json.count, 'count'),
    root: parseHash(json.root, 'root'),
    publishBy: asInstant(json.publishBy, 'publishBy'),
  };
  if (statement.count < 1 || statement.count > recordsMax)
    throw malformed('promise of nothing, or of too much');
  return statement;
}

/** `{"origin","size","root"}`, the root as base64; throws MALFORMED. */
export function parseCheckpoint(value: JsonValue | undefined): Checkpoint {
  const json = asObject(value, 'checkpoint');
  const origin = asString(json.origin, 'origin');
  if (!isKeyName(origin)) throw malformed('origin');
  return { origin, size: asCount(json.size, 'size'), root: parseHash(json.root, 'root') };
}

function parseProof(json: JsonObject): Uint8Array[] {
  return asArray(json.proof, 'proof', 63).map((hash) => parseHash(hash, 'proof'));
}

function asInstant(value: JsonValue | undefined, what: string): string {
  const text = asString(value, what);
  parseInstant(text);
  return text;
}

function parseHash(value: JsonValue | undefined, what: string): Uint8Array {
  return decodeBase64(asString(value, what), hashLength);
}
