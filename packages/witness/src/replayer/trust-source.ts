/**
 * Where the rules get what the log commits to or names, and entries do not hold: the public documents of namespaces
 * and brakes, and the raw keys.
 */
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
import { Unavailable, Violation } from './violation.ts';

export type PublicDocumentType = 'namespace' | 'brake';

/** Hands out bytes that the rules check; nothing here is trusted. Throws Unavailable where it cannot answer now. */
export interface TrustSource {
  /** The bytes of one revision; null where there is none. */
  publicDocument(ns: string, type: PublicDocumentType, rev: number): Promise<Uint8Array | null>;
  /** Raw keys of a namespace; whom they belong to is for the namespace to say. */
  keys(ns: string): Promise<PublicKey[]>;
}

const keysMax = 1024;

/** The bytes of a public document, checked against the commitment in its record. */
export async function readPublicDocument(
  source: TrustSource,
  wanted: { ns: string; type: PublicDocumentType; rev: number; commitment: Uint8Array; index: number },
): Promise<Uint8Array> {
  const { ns, type, rev, index } = wanted;
  const document = await source.publicDocument(ns, type, rev);
  if (document === null) throw new Unavailable(`revision ${rev} of the ${type} of ${ns} is not served`);
  if (!equalBytes(documentCommitment(zeroSalt, document), wanted.commitment)) {
    throw new Violation('document', index, `the ${type} of ${ns} is not the one that was logged`);
  }
  return document;
}

/** Parses `{"keys":[{"alg","key"}…]}`. Throws MALFORMED. */
export function parseKeys(bytes: Uint8Array): PublicKey[] {
  const { keys } = asObject(parseJson(bytes), 'keys');
  return asArray(keys, 'keys', keysMax).map((key) => parsePublicKey(key, 'key'));
}
