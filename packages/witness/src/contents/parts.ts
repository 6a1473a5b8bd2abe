/**
 * The parts of a record that are not in the log: what they are as bytes, and whether they are what the log commits to.
 *
 * Bytes of a part are its fields, each behind its u32be length; 2^32−1 stands for one that is not there.
 *
 *     content: id || salt || document || salt of the companion || companion
 *     cause:   salt || document
 *     request: salt || request as it was signed, of a cause that commits to it
 */
import {
  asObject,
  base64,
  causeCommitment,
  causeFacts,
  companionCommitment,
  concatBytes,
  decodeBase64,
  decodeUtf8,
  documentCommitment,
  equalBytes,
  type LogRecord,
  type Opening,
  parseJson,
  signedRequestCommitment,
  subjectKey,
  utf8,
} from '@tallystick/core';

export interface Content {
  /** Subject id. */
  id: string;
  salt: Uint8Array;
  document: Uint8Array;
  companionSalt: Uint8Array | null;
  companion: Uint8Array | null;
}

export interface StoredCauseBytes {
  salt: Uint8Array;
  document: Uint8Array;
}

const absent = 0xffff_ffff;

export function encodeContent({ id, salt, document, companionSalt, companion }: Content): Uint8Array {
  return fields([utf8(id), salt, document, companionSalt, companion]);
}

export function encodeCause({ salt, document }: StoredCauseBytes): Uint8Array {
  return fields([salt, document]);
}

export function encodeRequest({ salt, bytes }: Opening): Uint8Array {
  return fields([salt, bytes]);
}

/** Throws RangeError or IntegrityError. */
export function decodeContent(bytes: Uint8Array): Content {
  const [id, salt, document, companionSalt, companion] = fieldsIn(bytes, 5);
  if (id == null || salt == null || document == null) throw new RangeError('a content without a document');
  return {
    id: decodeUtf8(id),
    salt,
    document,
    companionSalt: companionSalt ?? null,
    companion: companion ?? null,
  };
}

/** Throws RangeError. */
export function decodeCause(bytes: Uint8Array): StoredCauseBytes {
  const [salt, document] = fieldsIn(bytes, 2);
  if (salt == null || document == null) throw new RangeError('a cause without a document');
  return { salt, document };
}

/** Throws RangeError. */
export function decodeRequest(bytes: Uint8Array): Opening {
  const [salt, request] = fieldsIn(bytes, 2);
  if (salt == null || request == null) throw new RangeError('a signed request without its bytes');
  return { salt, bytes: request };
}

/** What is wrong with a content that is said to be a record's, as one sentence without its period; null for nothing. */
export function contentProblem(content: Content, record: LogRecord, genesis: Uint8Array): string | null {
  const { id, salt, document, companionSalt, companion } = content;
  if (!equalBytes(documentCommitment(salt, document), record.doc))
    return 'the document or its salt is not what the record commits to';
  if (!equalBytes(subjectKey(genesis, record.ns, id), record.subject))
    return 'the document is filed under another subject';
  const committed = companionIn(document);
  if (committed === null)
    return companion === null && companionSalt === null
      ? null
      : 'there is a companion, and the document commits to none';
  if (companion === null || companionSalt === null) return 'the companion is missing';
  return equalBytes(companionCommitment(companionSalt, companion), committed)
    ? null
    : 'the companion or its salt is not what the document commits to';
}

/** The same of a cause. */
export function causeProblem({ salt, document }: StoredCauseBytes, record: LogRecord): string | null {
  return equalBytes(causeCommitment(salt, document), record.cause)
    ? null
    : 'the cause or its salt is not what the record commits to';
}

/** The same of a signed request, which a cause that is right commits to. */
export function requestProblem({ salt, bytes }: Opening, cause: StoredCauseBytes): string | null {
  return base64(signedRequestCommitment(salt, bytes)) === causeFacts(cause.document).signed
    ? null
    : 'the signed request or its salt is not what the cause commits to';
}

const noCompanion = Buffer.from('"private":null}');
const ending = /"private":"([A-Za-z0-9+/]{43}=)"\}$/;

function companionIn(document: Uint8Array): Uint8Array | null {
  // The last member of what this software writes: most documents need not be parsed.
  const end = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  if (end.subarray(-noCompanion.length).equals(noCompanion)) return null;
  const [, atEnd] = ending.exec(end.toString('latin1', Math.max(0, end.length - 60))) ?? [];
  if (atEnd !== undefined) return decodeBase64(atEnd, 32);
  const { private: committed } = asObject(parseJson(document), 'document');
  return typeof committed === 'string' ? decodeBase64(committed, 32) : null;
}

function fields(all: readonly (Uint8Array | null)[]): Uint8Array {
  return concatBytes(
    ...all.flatMap((field) => {
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, field?.length ?? absent);
      return field === null ? [length] : [length, field];
    }),
  );
}

function fieldsIn(bytes: Uint8Array, count: number): (Uint8Array | null)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: (Uint8Array | null)[] = [];
  let at = 0;
  while (found.length < count) {
    const length = view.getUint32(at);
    at += 4;
    if (length !== absent && at + length > bytes.length) throw new RangeError('a field is cut off');
    found.push(length === absent ? null : bytes.subarray(at, at + length));
    if (length !== absent) at += length;
  }
  if (at !== bytes.length) throw new RangeError('something stands behind the last field');
  return found;
}
