/** Records: what is signed for one change of one subject. Entries are their envelopes. */
import { decodeBase64Loosely } from '#platform';
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { asCount, asString, closedMembers, parseJson, requireVersion1 } from '../encoding/json.ts';
import { parseInstant } from '../encoding/time.ts';
import { malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { type Envelope, parseEnvelope, payloadTypes, preAuthLength } from './dsse.ts';
import { isNamespaceName } from './subject.ts';

export interface LogRecord {
  ns: string;
  /** `<subject type>.<past participle>` */
  type: string;
  /** K, 32 bytes. */
  subject: Uint8Array;
  /** Counts from 0 without gaps per subject. */
  rev: number;
  /** Leaf hash of the subject's previous entry; null at rev 0. */
  prev: Uint8Array | null;
  /** C, 32 bytes. */
  doc: Uint8Array;
  /** Commitment to the cause document, 32 bytes. */
  cause: Uint8Array;
  /** The server's claim of when, an instant. */
  at: string;
}

/** The largest message that a cloud KMS signs raw. */
export const recordMessageMax = 4095;
const typeRule = /^[a-z]{1,16}\.[a-z_]{1,24}$/;
const members = ['v', 'ns', 'type', 'subject', 'rev', 'prev', 'doc', 'cause', 'at'] as const;

/** The payload bytes of a record, the only encoding it has. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const { ns, type, rev, at } = record;
  return utf8(
    `{"v":1,"ns":${JSON.stringify(ns)},"type":${JSON.stringify(type)},"subject":"${base64(record.subject)}",` +
      `"rev":${rev},"prev":${record.prev === null ? 'null' : `"${base64(record.prev)}"`},` +
      `"doc":"${base64(record.doc)}","cause":"${base64(record.cause)}","at":${JSON.stringify(at)}}`,
  );
}

/** What `base64` makes of 32 bytes: the last digit carries four bits, so its two low bits are zero. */
const digest = '[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=';

/**
 * The one encoding that a record has, as a pattern. What it matches satisfies every rule of the strict reading below,
 * apart from the two that `parseRecord` still asks for; it costs a fifth of that.
 */
const canonicalRecord = new RegExp(
  '^\\{"v":1,"ns":"([a-z][a-z0-9-]{0,30})","type":"([a-z]{1,16}\\.[a-z_]{1,24})",' +
    `"subject":"(${digest})","rev":(0|[1-9][0-9]{0,14}),"prev":(?:null|"(${digest})"),` +
    `"doc":"(${digest})","cause":"(${digest})","at":"([0-9TZ:.-]{24})"\\}$`,
);

/** Parses a record's payload; throws MALFORMED or TOO_NEW. */
export function parseRecord(payload: Uint8Array): LogRecord {
  const found = canonicalRecord.exec(decodeUtf8(payload));
  // What does not look like a record is read strictly, which says what is wrong with it.
  if (found === null) return parseRecordStrictly(payload);
  const [, ns = '', type = '', subject = '', rev = '', prev, doc = '', cause = '', at = ''] = found;
  return checkRecord({
    ns,
    type,
    subject: decodeBase64Loosely(subject),
    rev: Number(rev),
    prev: prev === undefined ? null : decodeBase64Loosely(prev),
    doc: decodeBase64Loosely(doc),
    cause: decodeBase64Loosely(cause),
    at,
  });
}

function parseRecordStrictly(payload: Uint8Array): LogRecord {
  const json = closedMembers(parseJson(payload), members, 'record');
  requireVersion1(json.v, 'record');
  const rev = asCount(json.rev, 'record.rev');
  const record: LogRecord = {
    ns: asString(json.ns, 'record.ns'),
    type: asString(json.type, 'record.type'),
    subject: decodeBase64(asString(json.subject, 'record.subject'), hashLength),
    rev,
    prev: json.prev === null ? null : decodeBase64(asString(json.prev, 'record.prev'), hashLength),
    doc: decodeBase64(asString(json.doc, 'record.doc'), hashLength),
    cause: decodeBase64(asString(json.cause, 'record.cause'), hashLength),
    at: asString(json.at, 'record.at'),
  };
  if (!isNamespaceName(record.ns)) throw malformed('record.ns: not a namespace name');
  if (!typeRule.test(record.type)) throw malformed('record.type: not a record type');
  return checkRecord(record);
}

/** The newest instant that was found good: records of one batch have the same. */
let knownInstant = '';

function checkRecord(record: LogRecord): LogRecord {
  if ((record.rev === 0) !== (record.prev === null)) {
    throw malformed('record: rev 0 and prev null go together');
  }
  if (record.at !== knownInstant) parseInstant(record.at);
  knownInstant = record.at;
  return record;
}

/** `license` of `license.issued`. */
export function subjectTypeOf(recordType: string): string {
  return recordType.slice(0, recordType.indexOf('.'));
}

/** Subjects that say who may use a system: one usage of keys is for them all. */
const gateSubjects: ReadonlySet<string> = new Set(['principal', 'credential', 'policy', 'approval']);

/** The usage that a key needs to sign records about subjects of a type, but for namespaces: those take the authority. */
export function usageFor(subjectType: string): string {
  return gateSubjects.has(subjectType) ? 'gate' : subjectType;
}

/** What the log holds at an index that is a record. */
export interface RecordEntry {
  envelope: Envelope;
  record: LogRecord;
}

/** Parses an entry that must be a record; throws MALFORMED or TOO_NEW. */
export function parseRecordEntry(entry: Uint8Array): RecordEntry {
  const envelope = parseEnvelope(entry, payloadTypes.record);
  if (preAuthLength(envelope.payloadType, envelope.payload) > recordMessageMax) {
    throw malformed('record too long');
  }
  return { envelope, record: parseRecord(envelope.payload) };
}
