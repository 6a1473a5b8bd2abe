/**
 * The bundle: a license file. Its bytes, not yet its meaning.
 *
 *     {"v":1,"trust":[{"envelope","proof"}…],"anchor":{"entry","proof"},"keys":[{"alg","key"}…],
 *      "subjects":[{"id","document","salt","index","entry","path","map"}…]}
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import {
  asArray,
  asCount,
  asString,
  closedMembers,
  type JsonValue,
  parseJson,
  requireVersion1,
} from '../encoding/json.ts';
import { malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { isSubjectId } from '../record/subject.ts';
import { type PublicKey, parsePublicKey, publicKeyJson } from '../trust/key.ts';
import { scanBundle } from './scan-bundle.ts';

/** Bytes and counts, checked before anything is looked at. */
export const bundleLimits = {
  bytes: 1_048_576,
  document: 262_144,
  entry: 65_535,
  trustSteps: 64,
  subjects: 8,
  keys: 24,
} as const;

export const bundleMediaType = 'application/vnd.tallystick.bundle.v1+json';

/** A trust root version after the pinned one, and the tlog-proof of its leaf. */
export interface TrustStep {
  envelope: Uint8Array;
  proof: string;
}

/** The newest state of a subject, and what proves it. */
export interface BundledSubject {
  id: string;
  state: SubjectState | null;
  /** Map proof: of inclusion where there is a state, of absence where there is none. */
  map: Uint8Array;
}

export interface SubjectState {
  document: Uint8Array;
  salt: Uint8Array;
  index: number;
  entry: Uint8Array;
  /** Inclusion of the entry under the anchor's checkpoint, leaf side first. */
  path: Uint8Array[];
}

/** A map.root entry (text) and its tlog-proof. */
export interface BundleAnchor {
  entry: string;
  proof: string;
}

export interface Bundle {
  trust: TrustStep[];
  anchor: BundleAnchor;
  keys: PublicKey[];
  subjects: BundledSubject[];
}

export function encodeBundle(bundle: Bundle): string {
  return JSON.stringify({
    v: 1,
    trust: bundle.trust.map(trustStepJson),
    anchor: { entry: bundle.anchor.entry, proof: bundle.anchor.proof },
    keys: bundle.keys.map(publicKeyJson),
    subjects: bundle.subjects.map(({ id, state, map }) => ({
      id,
      document: state && base64(state.document),
      salt: state && base64(state.salt),
      index: state?.index ?? null,
      entry: state && base64(state.entry),
      path: state?.path.map(base64) ?? [],
      map: base64(map),
    })),
  });
}

const bundleMultiline = new Set(['entry', 'proof']);

/** Parses a bundle within its limits; throws MALFORMED or TOO_NEW. Proves nothing. */
export function parseBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > bundleLimits.bytes) throw malformed(`bundle larger than ${bundleLimits.bytes} bytes`);
  try {
    return readBundle(scanBundle(bytes));
  } catch {
    // What is not like nearly every bundle is read strictly, which says what is wrong with it.
    return readBundle(parseJson(bytes, bundleMultiline));
  }
}

function readBundle(value: JsonValue): Bundle {
  const json = closedMembers(value, ['v', 'trust', 'anchor', 'keys', 'subjects'], 'bundle');
  requireVersion1(json.v, 'bundle');
  const anchor = closedMembers(json.anchor, ['entry', 'proof'], 'anchor');
  const keys = asArray(json.keys, 'keys', bundleLimits.keys);
  return {
    trust: asArray(json.trust, 'trust', bundleLimits.trustSteps).map(parseTrustStep),
    anchor: { entry: asString(anchor.entry, 'anchor.entry'), proof: asString(anchor.proof, 'anchor.proof') },
    keys: keys.map((key) => parsePublicKey(key, 'key')),
    subjects: asArray(json.subjects, 'subjects', bundleLimits.subjects).map(parseSubject),
  };
}

export function trustStepJson({ envelope, proof }: TrustStep): { envelope: string; proof: string } {
  return { envelope: base64(envelope), proof };
}

export function parseTrustStep(value: JsonValue): TrustStep {
  const json = closedMembers(value, ['envelope', 'proof'], 'trust step');
  return {
    envelope: decodeBase64(asString(json.envelope, 'envelope')),
    proof: asString(json.proof, 'trust step.proof'),
  };
}

function parseSubject(value: JsonValue): BundledSubject {
  const names = ['id', 'document', 'salt', 'index', 'entry', 'path', 'map'] as const;
  const json = closedMembers(value, names, 'subject');
  const id = asString(json.id, 'subject.id');
  if (!isSubjectId(id)) throw malformed('subject.id');
  const path = asArray(json.path, 'path', 63).map((hash) => decodeBase64(asString(hash, 'path'), hashLength));
  const map = decodeBase64(asString(json.map, 'subject.map'));
  if (json.document === null) {
    if (json.salt !== null || json.index !== null || json.entry !== null || path.length > 0) {
      throw malformed('subject without a document has other parts');
    }
    return { id, state: null, map };
  }
  const document = decodeBase64(asString(json.document, 'document'));
  const entry = decodeBase64(asString(json.entry, 'entry'));
  if (document.length > bundleLimits.document) throw malformed('document too long');
  if (entry.length > bundleLimits.entry) throw malformed('entry too long');
  const salt = decodeBase64(asString(json.salt, 'salt'), hashLength);
  return { id, state: { document, salt, index: asCount(json.index, 'index'), entry, path }, map };
}
