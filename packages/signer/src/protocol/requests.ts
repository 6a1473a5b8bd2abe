/**
 * What may be asked of the signer. Typed content only: there is no request that signs given bytes.
 *
 * Byte strings in headers are base64. Every request has an `id`; answers may come in any order.
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
  type JsonValue,
  type LogRecord,
  malformed,
  type PromiseStatement,
  parseInstant,
} from '@tallystick/core';

/** A record to sign, and for license records the document that it commits to. */
export interface RecordToSign {
  record: LogRecord;
  /** null for the kinds of record whose content no key limit looks at. */
  content: { salt: Uint8Array; document: Uint8Array } | null;
}

export type SignerRequest =
  | { op: 'hello' }
  | { op: 'records'; records: RecordToSign[] }
  | { op: 'promise'; statement: PromiseStatement }
  | { op: 'checkpoint'; checkpoint: Checkpoint; proof: Uint8Array[] };

export type RefusalReason =
  | 'malformed'
  | 'unknown_request'
  | 'no_key'
  | 'limit'
  | 'commitment'
  | 'fork'
  | 'rollback'
  | 'other_log'
  | 'internal';

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

/** Parses a frame; throws IntegrityError or SignerRefusal for anything that is not a request. */
export function parseRequest(header: unknown, attachments: Uint8Array): SignerRequest {
  const json = asObject(header as JsonValue, 'request');
  switch (json.op) {
    case 'hello':
      return { op: 'hello' };
    case 'records':
      return { op: 'records', records: parseRecords(json.records, attachments) };
    case 'promise':
      return { op: 'promise', statement: parseStatement(json.statement) };
    case 'checkpoint':
      return {
        op: 'checkpoint',
        checkpoint: parseCheckpoint(json.checkpoint),
        proof: asArray(json.proof, 'proof', 63).map((hash) => parseHash(hash, 'proof')),
      };
    default:
      throw new SignerRefusal('unknown_request', 'the signer knows no such request');
  }
}

function parseRecords(value: JsonValue | undefined, attachments: Uint8Array): RecordToSign[] {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (at + length > attachments.length) throw malformed('attachments cut short');
    at += length;
    return attachments.subarray(at - length, at);
  };
  const records = asArray(value, 'records', recordsMax).map((item) => {
    const json = asObject(item, 'record');
    const length = json.documentLength === null ? null : asCount(json.documentLength, 'documentLength');
    if (length !== null && length > documentLengthMax) throw malformed('document too long');
    const content = length === null ? null : { salt: take(hashLength), document: take(length) };
    return { record: parseRecordContent(asObject(json.record, 'record')), content };
  });
  if (at !== attachments.length) throw malformed('attachments left over');
  return records;
}

function parseRecordContent(json: { [name: string]: JsonValue }): LogRecord {
  const record: LogRecord = {
    ns: asString(json.ns, 'ns'),
    type: asString(json.type, 'type'),
    subject: parseHash(json.subject, 'subject'),
    rev: asCount(json.rev, 'rev'),
    prev: json.prev === null ? null : parseHash(json.prev, 'prev'),
    doc: parseHash(json.doc, 'doc'),
    cause: parseHash(json.cause, 'cause'),
    at: asString(json.at, 'at'),
  };
  if (!isNamespaceName(record.ns) || !/^[a-z]{1,16}\.[a-z_]{1,24}$/.test(record.type))
    throw malformed('record');
  if ((record.rev === 0) !== (record.prev === null)) throw malformed('rev 0 and prev null go together');
  parseInstant(record.at);
  return record;
}

function parseStatement(value: JsonValue | undefined): PromiseStatement {
  const json = asObject(value, 'statement');
  const statement = {
    origin: asString(json.origin, 'origin'),
    index: asCount(json.index, 'index'),
    count: asCount(json.count, 'count'),
    root: parseHash(json.root, 'root'),
    publishBy: asString(json.publishBy, 'publishBy'),
  };
  parseInstant(statement.publishBy);
  if (statement.count < 1) throw malformed('promise of nothing');
  return statement;
}

function parseCheckpoint(value: JsonValue | undefined): Checkpoint {
  const json = asObject(value, 'checkpoint');
  const origin = asString(json.origin, 'origin');
  if (!isKeyName(origin)) throw malformed('origin');
  return { origin, size: asCount(json.size, 'size'), root: parseHash(json.root, 'root') };
}

function parseHash(value: JsonValue | undefined, what: string): Uint8Array {
  return decodeBase64(asString(value, what), hashLength);
}
