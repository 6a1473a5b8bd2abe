/** A record's content against what the record commits to: document, companion and subject id. */
import {
  asObject,
  companionCommitment,
  decodeBase64,
  documentCommitment,
  equalBytes,
  hashLength,
  isPublicSubject,
  type LogRecord,
  messageOf,
  parseJson,
  subjectKey,
} from '@tallystick/core';
import type { StoredContent } from '@tallystick/ledger';
import { isUnknownSubject } from '@tallystick/ledger/derive';
import {
  isRecordType,
  type LicenseCompanion,
  parseCompanion,
  parseDocument,
  subjectTypeOf,
  type TallyDocument,
} from '@tallystick/license';
import { type FsckCounts, type FsckProblem, mismatch, problemAt } from './report.ts';

/** True where everything that an erasure removes is gone. */
export function isErased(content: StoredContent): boolean {
  const { salt, document, companionSalt, companion } = content;
  return salt === null && document === null && companionSalt === null && companion === null;
}

/** Hashes alone: the document and the companion are the ones committed to, whatever they say. */
export function checkCommitments(
  index: number,
  record: LogRecord,
  content: StoredContent,
  counts: FsckCounts,
): FsckProblem | null {
  const { salt, document } = content;
  if (document === null || salt === null) {
    const gone = document === null ? 'document' : 'salt';
    return problemAt(
      index,
      'contents',
      gone,
      `the ${gone} is missing, and what an erasure removes is not all gone`,
    );
  }
  if (isPublicSubject(content.id) && !(salt.length === hashLength && salt.every((byte) => byte === 0))) {
    return problemAt(index, 'contents', 'salt', 'a public document has a salt of zero bytes');
  }
  const found = documentCommitment(salt, document);
  if (!equalBytes(found, record.doc)) {
    const message = `the document or its salt is not what the record commits to${claimOf(document, content.id, record.rev)}`;
    return mismatch(index, 'contents', 'document', message, record.doc, found);
  }
  counts.documents += 1;
  return checkCompanion(index, document, content, counts);
}

/** What a document that does not fit says that it is, where that is another subject or revision. */
function claimOf(document: Uint8Array, id: string, rev: number): string {
  try {
    const claim = asObject(parseJson(document), 'document');
    if (typeof claim.rev !== 'number' || (claim.id === id && claim.rev === rev)) return '';
    return `: it says revision ${claim.rev} of ${claim.id === id ? 'this subject' : 'another subject'}`;
  } catch {
    // Bytes that are no document claim nothing.
    return '';
  }
}

function checkCompanion(
  index: number,
  document: Uint8Array,
  content: StoredContent,
  counts: FsckCounts,
): FsckProblem | null {
  const committed = companionCommitmentIn(document);
  const { companion, companionSalt } = content;
  if (committed === null) {
    if (companion === null && companionSalt === null) return null;
    return problemAt(index, 'contents', 'companion', 'there is one, and the document commits to none');
  }
  if (companion === null || companionSalt === null) {
    return problemAt(index, 'contents', 'companion', 'the companion or its salt is missing');
  }
  const found = companionCommitment(companionSalt, companion);
  const expected = decodeBase64(committed);
  if (!equalBytes(found, expected)) {
    const message = 'the companion or its salt is not what the document commits to';
    return mismatch(index, 'contents', 'companion', message, expected, found);
  }
  counts.companions += 1;
  return null;
}

const noCompanion = Buffer.from('"private":null}');
const ending = /"private":"([A-Za-z0-9+/]{43}=)"\}$/;

/** The member `private`, which this software writes last; other encodings are parsed. */
function companionCommitmentIn(document: Uint8Array): string | null {
  const bytes = asBuffer(document);
  if (bytes.subarray(-noCompanion.length).equals(noCompanion)) return null;
  const atEnd = ending.exec(bytes.toString('latin1', Math.max(0, bytes.length - 60)));
  if (atEnd !== null) return atEnd[1] as string;
  const parsed = asObject(parseJson(document), 'document');
  return typeof parsed.private === 'string' ? parsed.private : null;
}

/** K belongs to the id that the content is filed under. */
export function checkSubject(
  index: number,
  record: LogRecord,
  content: StoredContent,
  genesis: Uint8Array,
): FsckProblem | null {
  if (isUnknownSubject(content.id)) {
    const lost = 'the document is lost, and what its subject is called: the entry was given back without it';
    return problemAt(index, 'contents', 'document', lost);
  }
  const found = subjectKey(genesis, record.ns, content.id);
  if (equalBytes(found, record.subject)) return null;
  return mismatch(
    index,
    'contents',
    'id',
    'the content is filed under another subject',
    record.subject,
    found,
  );
}

/** What the content says, once its commitments hold. */
export interface OpenedContent {
  document: TallyDocument;
  companion: LicenseCompanion | null;
}

/** Parses document and companion, and compares what they say of themselves with the record. */
export function openContent(
  index: number,
  record: LogRecord,
  content: StoredContent,
): OpenedContent | FsckProblem {
  const { document: bytes, companion } = content;
  if (bytes === null || !isRecordType(record.type)) {
    return problemAt(index, 'entries', 'record-type', `unknown record type ${record.type}`);
  }
  let document: TallyDocument;
  try {
    document = parseDocument(subjectTypeOf(record.type), parseJson(bytes));
  } catch (error) {
    return problemAt(index, 'contents', 'document', `the document cannot be read: ${messageOf(error)}`);
  }
  let opened: LicenseCompanion | null;
  try {
    opened = companion === null ? null : parseCompanion(parseJson(companion));
  } catch (error) {
    return problemAt(index, 'contents', 'companion', `the companion cannot be read: ${messageOf(error)}`);
  }
  if (document.id !== content.id || document.ns !== record.ns || document.rev !== record.rev) {
    const message = 'the document names another subject, namespace or revision than the record';
    return problemAt(index, 'contents', 'document', message, {
      expected: `${record.ns} ${content.id} ${record.rev}`,
      found: `${document.ns} ${document.id} ${document.rev}`,
    });
  }
  return { document, companion: opened };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
