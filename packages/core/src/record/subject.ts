/** Subjects: what the map is keyed by, and the commitments to their documents. */
import { bytesAsText } from '#platform';
import { utf8 } from '../encoding/bytes.ts';
import { malformed } from '../errors.ts';
import { domainHash, hashDomain, hashLength, sha256, sha256Into } from '../hash.ts';

const subjectDomain = hashDomain('tallystick/subject/v1');
const documentDomain = hashDomain('tallystick/document/v1');
const companionDomain = hashDomain('tallystick/private/v1');
const causeDomain = hashDomain('tallystick/cause/v1');
const signedRequestDomain = hashDomain('tallystick/signed-request/v1');
const askedDomain = hashDomain('tallystick/asked/v1');

const namespaceRule = /^[a-z][a-z0-9-]{0,30}$/;
const subjectIdRule = /^[a-z][a-z0-9]{0,15}(_[0-9a-hjkmnp-tv-z]{26})?$/;

export const zeroSalt: Uint8Array = new Uint8Array(hashLength);

export function isNamespaceName(text: string): boolean {
  return namespaceRule.test(text);
}

/** A TypeID (`lic_` and 26 digits) or the name of a singleton (`namespace`, `brake`). */
export function isSubjectId(text: string): boolean {
  return subjectIdRule.test(text);
}

export function checkSubjectId(ns: string, id: string): void {
  if (!isNamespaceName(ns)) throw malformed(`not a namespace name: ${ns}`);
  if (!isSubjectId(id)) throw malformed(`not a subject id: ${id}`);
}

/**
 * K: the map key of a subject. `genesis` is the hash of trust root version 1's payload, so that
 * nothing of a staging system can be replayed into production.
 */
export function subjectKey(genesis: Uint8Array, ns: string, id: string): Uint8Array {
  return domainHash(subjectDomain, genesis, utf8(`${ns}\0${id}`));
}

const headDomain = utf8('tallystick/head/v1');
/** `domain || 00 || u64be(index) || leaf`, filled in anew for each hash: this runs once per record everywhere. */
const headInput = new Uint8Array(headDomain.length + 1 + 8 + hashLength);
headInput.set(headDomain);
const headNumbers = new DataView(headInput.buffer, headDomain.length + 1, 8);

/** Lays out what V is the hash of. */
function layOutHead(index: number, leaf: Uint8Array): void {
  headNumbers.setUint32(0, Math.floor(index / 2 ** 32));
  headNumbers.setUint32(4, index >>> 0);
  headInput.set(leaf, headDomain.length + 9);
}

/** Writes V, the map value of a subject whose newest entry is `leaf` at `index`, to `target`. */
export function headValueInto(index: number, leaf: Uint8Array, target: Uint8Array, offset: number): void {
  layOutHead(index, leaf);
  sha256Into(headInput, target, offset);
}

/** V: see `headValueInto`. */
export function headValue(index: number, leaf: Uint8Array): Uint8Array {
  layOutHead(index, leaf);
  return sha256(headInput);
}

/** C: what a record says of its document. The salt is 32 fresh random bytes per revision. */
export function documentCommitment(salt: Uint8Array, document: Uint8Array): Uint8Array {
  return domainHash(documentDomain, salt, document);
}

/** The commitment in a document's `private` member to its vendor-only companion. */
export function companionCommitment(salt: Uint8Array, companion: Uint8Array): Uint8Array {
  return domainHash(companionDomain, salt, companion);
}

/** The commitment in a record's `cause` member to who asked for it, why, and who allowed it. */
export function causeCommitment(salt: Uint8Array, cause: Uint8Array): Uint8Array {
  return domainHash(causeDomain, salt, cause);
}

/** What a cause says of the request as it was signed, which can be erased. The salt is 32 fresh random bytes. */
export function signedRequestCommitment(salt: Uint8Array, request: Uint8Array): Uint8Array {
  return domainHash(signedRequestDomain, salt, request);
}

/**
 * What a cause says of the SHA-256 of what was asked: few people could have asked for much else, so a hash alone would
 * tell whoever guesses. The salt is of the first record that it made, so that both are erased together.
 */
export function askedCommitment(salt: Uint8Array, hash: Uint8Array): Uint8Array {
  return domainHash(askedDomain, salt, hash);
}

/** True for the two kinds of document that are public, and so committed to with a zero salt. */
export function isPublicSubject(id: string): boolean {
  return id === 'namespace' || id === 'brake';
}

/** A short byte string as a key for JavaScript maps. */
export function bytesKey(bytes: Uint8Array): string {
  return bytesAsText(bytes);
}
