/** Reads entries: strictly, or, where hashes alone are checked, just what those need. */
import { type LogRecord, parseRecordEntry } from '@tallystick/core';

const opening = '{"payload":"';

/** The one encoding that records have, so that a pattern reads what a strict parser would. */
const recordPattern =
  /^\{"v":1,"ns":"([a-z0-9-]+)","type":"([a-z_.]+)","subject":"([^"]{44})","rev":(\d+),"prev":(?:null|"([^"]{44})"),"doc":"([^"]{44})","cause":"([^"]{44})","at":"([^"]{24})"\}$/;

/**
 * What a record says, without the checks of a strict reading, which costs several times the hashing. Where the
 * bytes do not look like a record, the strict reading says why: throws MALFORMED or TOO_NEW.
 */
export function readRecordQuickly(entry: Uint8Array): LogRecord {
  const text = asBuffer(entry).toString('latin1');
  const end = text.startsWith(opening) ? text.indexOf('"', opening.length) : -1;
  const payload = end < 0 ? '' : Buffer.from(text.slice(opening.length, end), 'base64').toString('latin1');
  const found = recordPattern.exec(payload);
  if (found === null) return parseRecordEntry(entry).record;
  const [, ns = '', type = '', subject = '', rev = '', prev, doc = '', cause = '', at = ''] = found;
  return {
    ns,
    type,
    subject: bytesOf(subject),
    rev: Number(rev),
    prev: prev === undefined ? null : bytesOf(prev),
    doc: bytesOf(doc),
    cause: bytesOf(cause),
    at,
  };
}

function bytesOf(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64');
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
