/**
 * The custody report: everything that happened to one license, each part with what proves it. Its bytes, not yet its
 * meaning.
 *
 *     {"v":1,"ns","license","range":{"from","to"}|null,"trust":[{"envelope","proof"}…],"anchor":{"entry","proof"},
 *      "keys":[{"alg","key"}…],"subjects":[{"id","map"}…],
 *      "entries":[{"index","subject","entry","path","salt","document","cause"}…],
 *      "causes":[{"salt","document","signed":{"salt","request"}}…],"access":{"identity","path","checkpoint",
 *      "segments":[{"index","leaf","path","salt","bytes"}…],"complete","dropped"}|null,"gaps":[{"code","index"}…]}
 */
import { type BundleAnchor, parseTrustStep, type TrustStep, trustStepJson } from '../bundle/bundle.ts';
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { utf8 } from '../encoding/bytes.ts';
import {
  asArray,
  asCount,
  asObject,
  asString,
  closedMembers,
  type JsonValue,
  parseJson,
  requireVersion1,
} from '../encoding/json.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { isNamespaceName, isSubjectId } from '../record/subject.ts';
import { type PublicKey, parsePublicKey, publicKeyJson } from '../trust/key.ts';
import { type Opening, readCauseStatement } from './cause.ts';
import { type CustodyGap, custodyGaps, isGapCode } from './gaps.ts';

/** Bytes and counts, checked before anything is looked at. */
export const custodyLimits = {
  bytes: 33_554_432,
  document: 262_144,
  entry: 65_535,
  cause: 262_144,
  signedRequest: 4_194_304,
  trustSteps: 64,
  subjects: 4096,
  entries: 32_768,
  keys: 512,
  segments: 256,
  gaps: 131_072,
} as const;

export const custodyMediaType = 'application/vnd.tallystick.custody.v1+json';

export interface CustodyReport {
  ns: string;
  /** Id of the license that it is about. */
  license: string;
  /** The revisions of the license that are shown in full, both included; null where none is. */
  range: { from: number; to: number } | null;
  trust: TrustStep[];
  anchor: BundleAnchor;
  keys: PublicKey[];
  subjects: CustodySubject[];
  /** In the order of the log. */
  entries: CustodyEntry[];
  /** In the order of the entries that commit to them. */
  causes: CustodyCause[];
  /** Who read and exported the license; null where that is not shown. */
  access: CustodyAccess | null;
  gaps: CustodyGap[];
}

/** A subject with the map proof of its newest entry. */
export interface CustodySubject {
  id: string;
  map: Uint8Array;
}

export interface CustodyEntry {
  index: number;
  /** Id of its subject; null for an entry that is here for its cause alone. */
  subject: string | null;
  entry: Uint8Array;
  /** Inclusion of the entry under the anchor's checkpoint, leaf side first. */
  path: Uint8Array[];
  /** null where it is not shown, or is not held any more. */
  document: { bytes: Uint8Array; salt: Uint8Array } | null;
  /** Which of the causes it commits to, counted from 0; null where that is not shown, or is not held any more. */
  cause: number | null;
}

/** Who asked for the records of a command, and why. */
export interface CustodyCause {
  salt: Uint8Array;
  document: Uint8Array;
  /** The request as it was signed; left out where the cause commits to none, or it is not shown or not held any more. */
  signed?: Opening;
}

/** What of the access log speaks of the license, under a checkpoint of that log. */
export interface CustodyAccess {
  /** The first leaf, which says whose log it is, and its inclusion. */
  identity: Uint8Array;
  path: Uint8Array[];
  /** The signed and cosigned note. */
  checkpoint: string;
  /** Whole, since a leaf commits to a whole segment; in the order of the log. */
  segments: CustodySegment[];
  /** Whether all of the log was looked through, as far as its server says. */
  complete: boolean;
  /** Records from before this instant were dropped on purpose, and would have been looked through; null for none. */
  dropped: string | null;
}

export interface CustodySegment {
  index: number;
  leaf: Uint8Array;
  /** Inclusion of the leaf under the checkpoint. */
  path: Uint8Array[];
  salt: Uint8Array;
  /** The compressed records. */
  bytes: Uint8Array;
}

export function encodeCustodyReport(report: CustodyReport): string {
  const { ns, license, range, trust, anchor, keys, subjects, entries, causes, access, gaps } = report;
  return JSON.stringify({
    v: 1,
    ns,
    license,
    range: range && { from: range.from, to: range.to },
    trust: trust.map(trustStepJson),
    anchor: { entry: anchor.entry, proof: anchor.proof },
    keys: keys.map(publicKeyJson),
    subjects: subjects.map(({ id, map }) => ({ id, map: base64(map) })),
    entries: entries.map(({ index, subject, entry, path, document, cause }) => ({
      index,
      subject,
      entry: base64(entry),
      path: path.map(base64),
      salt: document && base64(document.salt),
      document: document && base64(document.bytes),
      cause,
    })),
    causes: causes.map(({ salt, document, signed }) => ({
      salt: base64(salt),
      document: base64(document),
      ...(signed && { signed: { salt: base64(signed.salt), request: base64(signed.bytes) } }),
    })),
    access: access && accessJson(access),
    gaps: gaps.map(({ code, index }) => ({ code, index })),
  });
}

function accessJson({ identity, path, checkpoint, segments, complete, dropped }: CustodyAccess): object {
  return {
    identity: base64(identity),
    path: path.map(base64),
    checkpoint,
    segments: segments.map((segment) => ({
      index: segment.index,
      leaf: base64(segment.leaf),
      path: segment.path.map(base64),
      salt: base64(segment.salt),
      bytes: base64(segment.bytes),
    })),
    complete,
    dropped,
  };
}

const multiline = new Set(['entry', 'proof', 'checkpoint']);
const members = [
  'v',
  'ns',
  'license',
  'range',
  'trust',
  'anchor',
  'keys',
  'subjects',
  'entries',
  'causes',
  'access',
  'gaps',
] as const;

/** Parses a report within its limits; throws MALFORMED or TOO_NEW. Proves nothing. */
export function parseCustodyReport(bytes: Uint8Array): CustodyReport {
  if (bytes.length > custodyLimits.bytes) throw malformed(`report larger than ${custodyLimits.bytes} bytes`);
  const json = closedMembers(parseJson(bytes, multiline), members, 'report');
  requireVersion1(json.v, 'report');
  const anchor = closedMembers(json.anchor, ['entry', 'proof'], 'anchor');
  const report: CustodyReport = {
    ns: asString(json.ns, 'ns'),
    license: asString(json.license, 'license'),
    range: parseRange(json.range),
    trust: asArray(json.trust, 'trust', custodyLimits.trustSteps).map(parseTrustStep),
    anchor: { entry: asString(anchor.entry, 'anchor.entry'), proof: asString(anchor.proof, 'anchor.proof') },
    keys: asArray(json.keys, 'keys', custodyLimits.keys).map((key) => parsePublicKey(key, 'key')),
    subjects: asArray(json.subjects, 'subjects', custodyLimits.subjects).map(parseSubject),
    entries: asArray(json.entries, 'entries', custodyLimits.entries).map(parseEntry),
    causes: asArray(json.causes, 'causes', custodyLimits.entries).map(parseCause),
    access: json.access === null ? null : parseAccess(json.access),
    gaps: asArray(json.gaps, 'gaps', custodyLimits.gaps).map(parseGap),
  };
  if (!isNamespaceName(report.ns)) throw malformed('report.ns');
  if (!report.license.startsWith('lic_') || !isSubjectId(report.license)) throw malformed('report.license');
  if (new Set(report.subjects.map(({ id }) => id)).size !== report.subjects.length)
    throw malformed('report names a subject twice');
  checkOrder(report);
  return report;
}

/** Nothing stands there twice, nothing is left over, and there is one way to write it. */
function checkOrder({ entries, causes }: CustodyReport): void {
  let [indexBefore, causesSeen] = [-1, 0];
  for (const { index, cause } of entries) {
    if (index <= indexBefore) throw malformed('entries are not in the order of the log');
    if (cause !== null && cause > causesSeen) throw malformed('causes are not in the order of the entries');
    if (cause === causesSeen) causesSeen += 1;
    indexBefore = index;
  }
  if (causesSeen !== causes.length) throw malformed('causes and entries do not fit each other');
}

function parseRange(value: JsonValue): CustodyReport['range'] {
  if (value === null) return null;
  const json = closedMembers(value, ['from', 'to'], 'range');
  const range = { from: asCount(json.from, 'range.from'), to: asCount(json.to, 'range.to') };
  if (range.from > range.to) throw malformed('range: it ends before it begins');
  return range;
}

function parseSubject(value: JsonValue): CustodySubject {
  const json = closedMembers(value, ['id', 'map'], 'subject');
  const id = asString(json.id, 'subject.id');
  if (!isSubjectId(id)) throw malformed('subject.id');
  return { id, map: decodeBase64(asString(json.map, 'subject.map')) };
}

function parseEntry(value: JsonValue): CustodyEntry {
  const names = ['index', 'subject', 'entry', 'path', 'salt', 'document', 'cause'] as const;
  const json = closedMembers(value, names, 'entry');
  const subject = json.subject === null ? null : asString(json.subject, 'entry.subject');
  if (subject !== null && !isSubjectId(subject)) throw malformed('entry.subject');
  if ((json.salt === null) !== (json.document === null))
    throw malformed('entry: salt and document go together');
  return {
    index: asCount(json.index, 'entry.index'),
    subject,
    entry: boundedBytes(json.entry, 'entry', custodyLimits.entry),
    path: parsePath(json.path),
    document:
      json.document === null
        ? null
        : {
            bytes: boundedBytes(json.document, 'document', custodyLimits.document),
            salt: decodeBase64(asString(json.salt, 'salt'), hashLength),
          },
    cause: json.cause === null ? null : asCount(json.cause, 'entry.cause'),
  };
}

function parseCause(value: JsonValue): CustodyCause {
  const isOpened = asObject(value, 'cause').signed !== undefined;
  const json = isOpened
    ? closedMembers(value, ['salt', 'document', 'signed'], 'cause')
    : { ...closedMembers(value, ['salt', 'document'], 'cause'), signed: undefined };
  return {
    salt: decodeBase64(asString(json.salt, 'cause.salt'), hashLength),
    document: boundedBytes(json.document, 'cause.document', custodyLimits.cause),
    ...(json.signed !== undefined && { signed: parseOpening(json.signed) }),
  };
}

function parseOpening(value: JsonValue): Opening {
  const json = closedMembers(value, ['salt', 'request'], 'cause.signed');
  return {
    salt: decodeBase64(asString(json.salt, 'signed.salt'), hashLength),
    bytes: boundedBytes(json.request, 'signed.request', custodyLimits.signedRequest),
  };
}

function parseAccess(value: JsonValue): CustodyAccess {
  const names = ['identity', 'path', 'checkpoint', 'segments', 'complete', 'dropped'] as const;
  const json = closedMembers(value, names, 'access');
  if (typeof json.complete !== 'boolean') throw malformed('access.complete: neither true nor false');
  const segments = asArray(json.segments, 'access.segments', custodyLimits.segments).map(parseSegment);
  if (segments.some(({ index }, at) => index <= (segments[at - 1]?.index ?? 0)))
    throw malformed('segments are not in the order of the log');
  return {
    identity: boundedBytes(json.identity, 'access.identity', custodyLimits.entry),
    path: parsePath(json.path),
    checkpoint: asString(json.checkpoint, 'access.checkpoint'),
    segments,
    complete: json.complete,
    dropped: json.dropped === null ? null : asInstant(json.dropped),
  };
}

function asInstant(value: JsonValue): string {
  const text = asString(value, 'access.dropped');
  parseInstant(text);
  return text;
}

function parseSegment(value: JsonValue): CustodySegment {
  const json = closedMembers(value, ['index', 'leaf', 'path', 'salt', 'bytes'], 'segment');
  return {
    index: asCount(json.index, 'segment.index'),
    leaf: boundedBytes(json.leaf, 'segment.leaf', custodyLimits.entry),
    path: parsePath(json.path),
    salt: decodeBase64(asString(json.salt, 'segment.salt'), hashLength),
    bytes: boundedBytes(json.bytes, 'segment.bytes', custodyLimits.bytes),
  };
}

function parsePath(value: JsonValue): Uint8Array[] {
  return asArray(value, 'path', 63).map((hash) => decodeBase64(asString(hash, 'path'), hashLength));
}

function parseGap(value: JsonValue): CustodyGap {
  const json = closedMembers(value, ['code', 'index'], 'gap');
  const code = asString(json.code, 'gap.code');
  if (!isGapCode(code)) throw new IntegrityError('TOO_NEW', `gap ${code}`);
  return { code, index: json.index === null ? null : asCount(json.index, 'gap.index') };
}

function boundedBytes(value: JsonValue, what: string, lengthMax: number): Uint8Array {
  const bytes = decodeBase64(asString(value, what));
  if (bytes.length > lengthMax) throw malformed(`${what} too long`);
  return bytes;
}

/** The text of a report with what the access log says of its license. Throws MALFORMED or TOO_NEW for what is none. */
export function addCustodyAccess(text: string, access: CustodyAccess): string {
  const report = { ...parseCustodyReport(utf8(text)), access };
  const statements = report.causes.map(({ document }) => readCauseStatement(document));
  return encodeCustodyReport({ ...report, gaps: custodyGaps(report, statements) });
}
