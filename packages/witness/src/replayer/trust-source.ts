/** The public documents and keys of namespaces, as the log's server hands them out. */
import {
  asArray,
  asObject,
  documentCommitment,
  equalBytes,
  type PublicKey,
  parseJson,
  parsePublicKey,
  zeroSalt,
} from '@tallystick/core';
import { messageOf } from '../errors.ts';
import { fetchBytes, type HttpSource } from './http-source.ts';
import { Unavailable, Violation } from './violation.ts';

const documentLengthMax = 256 * 1024;
const keysLengthMax = 1024 * 1024;
const keysMax = 1024;

/** The bytes of a public document, checked against the commitment in its record. */
export async function fetchPublicDocument(
  source: HttpSource,
  wanted: { ns: string; type: 'namespace' | 'brake'; rev: number; commitment: Uint8Array; index: number },
): Promise<Uint8Array> {
  const { ns, type, rev, index } = wanted;
  const document = await fetchBytes(source, `${ns}/${type}/${rev}`, documentLengthMax);
  if (document === null) throw new Unavailable(`revision ${rev} of the ${type} of ${ns} is not served`);
  if (!equalBytes(documentCommitment(zeroSalt, document), wanted.commitment)) {
    throw new Violation('document', index, `the ${type} of ${ns} is not the one that was logged`);
  }
  return document;
}

/** `{"keys":[{"alg","key"}…]}`; whom they belong to is for the namespace to say. */
export async function fetchKeys(source: HttpSource, ns: string): Promise<PublicKey[]> {
  const bytes = await fetchBytes(source, `${ns}/keys`, keysLengthMax);
  if (bytes === null) throw new Unavailable(`the keys of ${ns} are not served`);
  try {
    return parseKeys(bytes);
  } catch (error) {
    // Keys are not committed to by the log: a bad answer proves nothing against it.
    throw new Unavailable(`the keys of ${ns}: ${messageOf(error)}`, { cause: error });
  }
}

/** Throws MALFORMED. */
export function parseKeys(bytes: Uint8Array): PublicKey[] {
  const { keys } = asObject(parseJson(bytes), 'keys');
  return asArray(keys, 'keys', keysMax).map((key) => parsePublicKey(key, 'key'));
}
