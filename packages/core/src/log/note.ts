/**
 * C2SP signed-note: a text and the lines of those who signed it.
 *
 *     text ending in a line feed
 *     (blank line)
 *     — key.name base64(4-byte key id || signature)
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { concatBytes, decodeUtf8, equalBytes, hex, utf8 } from '../encoding/bytes.ts';
import { malformed } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { checkPublicKey, type KeyAlgorithm, type PublicKey } from '../trust/key.ts';

/** Signature types of signed-note that this project meets. */
export const noteSignatureType = {
  ed25519: 0x01,
  ed25519Cosignature: 0x04,
  mlDsa44Cosignature: 0x06,
} as const;
export type NoteSignatureType = (typeof noteSignatureType)[keyof typeof noteSignatureType];

/** A verifier key: `name+hex(key id)+base64(type || raw key)`. */
export interface VerifierKey {
  name: string;
  type: NoteSignatureType;
  alg: KeyAlgorithm;
  /** Raw public key. */
  key: Uint8Array;
  /** Four bytes. */
  id: Uint8Array;
}

export interface NoteSignature {
  name: string;
  id: Uint8Array;
  signature: Uint8Array;
}

export interface Note {
  /** With its final line feed. */
  text: string;
  signatures: NoteSignature[];
}

export const noteLinesMax = 64;

/** What nearly every name is: printable ASCII. */
const plainKeyName = /^[!-*,-~]+$/;
const keyNameRule = /^[^\s+\p{Cc}\p{Z}]+$/u;
/** Bytes: cosignatures carry names behind a length of one byte. */
const keyNameLengthMax = 255;
const forbiddenControls = /[^\P{Cc}\n\u0080-\u009f]/u;
const signatureLineRule = /^— ([^ ]+) ([^ ]+)$/;

/** Where a key name may stand: no spaces, no plus. */
export function isKeyName(name: string): boolean {
  if (plainKeyName.test(name)) return name.length <= keyNameLengthMax;
  return keyNameRule.test(name) && utf8(name).length <= keyNameLengthMax;
}

/** The four bytes that name a key: `SHA-256(name || LF || type || key)[:4]`. */
export function noteKeyId(name: string, type: NoteSignatureType, key: Uint8Array): Uint8Array {
  return sha256(concatBytes(utf8(`${name}\n`), Uint8Array.of(type), key)).slice(0, 4);
}

export function makeVerifierKey(name: string, type: NoteSignatureType, key: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw malformed('key name has spaces, a plus or nothing in it');
  const alg = type === noteSignatureType.mlDsa44Cosignature ? 'ml-dsa-44' : 'ed25519';
  checkPublicKey(alg, key);
  return { name, type, alg, key, id: noteKeyId(name, type, key) };
}

/**
 * How a log is known by a key: Ed25519 over the text, ML-DSA-44 as a cosignature, since notes have no other form of
 * it. Throws MALFORMED for a key of another algorithm.
 */
export function logVerifierKey(origin: string, { alg, key }: PublicKey): VerifierKey {
  if (alg === 'ecdsa-p256-sha256') throw malformed('notes have no signatures of P-256');
  const { ed25519, mlDsa44Cosignature } = noteSignatureType;
  return makeVerifierKey(origin, alg === 'ed25519' ? ed25519 : mlDsa44Cosignature, key);
}

export function formatVerifierKey(vkey: VerifierKey): string {
  return `${vkey.name}+${hex(vkey.id)}+${base64(concatBytes(Uint8Array.of(vkey.type), vkey.key))}`;
}

/** Throws MALFORMED for an unknown type, a weak key or a key id that is not the key's. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, id, encoded, ...rest] = splitVerifierKey(text);
  if (name === undefined || id === undefined || encoded === undefined || rest.length > 0) {
    throw malformed('not a verifier key');
  }
  const bytes = decodeBase64(encoded);
  const type = Object.values(noteSignatureType).find((known) => known === bytes[0]);
  if (type === undefined) throw malformed('verifier key of an unknown signature type');
  const vkey = makeVerifierKey(name, type, bytes.slice(1));
  if (hex(vkey.id) !== id) throw malformed('verifier key: the key id is not the one of this key');
  return vkey;
}

/** Base64 may hold plus signs; a name and a key id never do. */
function splitVerifierKey(text: string): string[] {
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) return [];
  return [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)];
}

/** Parses a note; throws MALFORMED. Signatures are not checked here. */
export function parseNote(bytes: Uint8Array): Note {
  return parseNoteText(decodeUtf8(bytes));
}

/** As `parseNote`, for text without lone surrogates. */
export function parseNoteText(whole: string): Note {
  if (forbiddenControls.test(whole)) throw malformed('note with control characters');
  const split = whole.lastIndexOf('\n\n');
  if (split < 0 || !whole.endsWith('\n')) throw malformed('note without signatures');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > noteLinesMax) throw malformed(`note with more than ${noteLinesMax} signatures`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

export function formatNote(note: Note): string {
  return `${note.text}\n${note.signatures.map(formatSignatureLine).join('')}`;
}

/** With its line feed. */
export function formatSignatureLine(line: NoteSignature): string {
  return `— ${line.name} ${base64(concatBytes(line.id, line.signature))}\n`;
}

/** Without its line feed. */
export function parseSignatureLine(line: string): NoteSignature {
  const match = signatureLineRule.exec(line);
  const name = match?.[1];
  if (match === null || name === undefined || !isKeyName(name)) throw malformed('not a signature line');
  const bytes = decodeBase64(match[2] ?? '');
  if (bytes.length < 5) throw malformed('signature line without a signature');
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** The signatures that claim to be by `vkey`: same name and key id. */
export function signaturesBy(note: Note, vkey: VerifierKey): NoteSignature[] {
  return note.signatures.filter((line) => line.name === vkey.name && equalBytes(line.id, vkey.id));
}
