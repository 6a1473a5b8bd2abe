/**
 * Verification of a bundle, offline: from a pinned trust root to a license that is genuine, logged
 * and the newest of its subject as of a time. What the license permits is judged elsewhere.
 */

import { base64 } from '../encoding/base64.ts';
import { decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import { asObject, type JsonObject, parseJsonText } from '../encoding/json.ts';
import { parseDuration } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { leafHash, verifyInclusion } from '../log/merkle.ts';
import { parseTlogProof } from '../log/tlog-proof.ts';
import { parseMapRoot } from '../map/map-root.ts';
import { verifyMapProof } from '../map/proof.ts';
import { parseRecordEntry, type RecordEntry, subjectTypeOf } from '../record/record.ts';
import { documentCommitment, headValue, isPublicSubject, subjectKey, zeroSalt } from '../record/subject.ts';
import { keyFingerprintText, type PublicKey } from '../trust/key.ts';
import {
  type BrakeDocument,
  checkBrakeEpoch,
  type NamespaceDocument,
  parseDocumentHead,
  readBrake,
  readNamespace,
} from '../trust/namespace.ts';
import { type EntitledSigner, signersOfRecord } from '../trust/record-signers.ts';
import { meetsThreshold, type TrustRoot } from '../trust/trust-root.ts';
import { type Bundle, type BundledSubject, parseBundle, type SubjectState } from './bundle.ts';
import {
  checkAnchorAgainst,
  checkHeadAgainst,
  newestPublicDocuments,
  type Remembered,
  remember,
  type SeenAnchor,
} from './remembered.ts';
import { verifyAnchor } from './verify-anchor.ts';
import { verifyTrust } from './verify-trust.ts';

export interface BundleRequest {
  /** The pinned trust roots, version 1 first, as `verifyTrustChain` returned them. */
  pin: readonly TrustRoot[];
  /** The pinned namespace. */
  namespace: string;
  remembered?: Remembered | null;
}

export interface ProvenLicense {
  document: Uint8Array;
  /** The document as JSON of the profile. */
  json: JsonObject;
  /** `license.issued` and so on. */
  recordType: string;
  /** Milliseconds; the shortest `offlineMax` among the keys that signed, null for none. */
  keyOfflineMaxMs: number | null;
}

/** What a bundle proves. */
export interface ProvenBundle {
  licenseId: string;
  /** null where the bundle proves that the license was never issued. */
  license: ProvenLicense | null;
  /** `asOf` in seconds: no later than this was the license still the newest. */
  anchor: SeenAnchor;
  trust: TrustRoot;
  /** The newest ever seen, which may be newer than the bundle's own. */
  namespace: NamespaceDocument;
  brake: BrakeDocument;
  remembered: Remembered;
}

/**
 * Verifies a bundle without network or clock. Throws IntegrityError with the code that says who or
 * what failed.
 */
export async function verifyBundle(bytes: Uint8Array, request: BundleRequest): Promise<ProvenBundle> {
  const bundle = parseBundle(bytes);
  const mapRoot = parseMapRoot(utf8(bundle.anchor.entry));
  const proof = parseTlogProof(bundle.anchor.proof);
  const trust = await verifyTrust(bundle.trust, mapRoot, proof, request.pin);
  const anchor = await verifyAnchor(bundle.anchor.entry, mapRoot, proof, trust);
  const remembered = applicable(request.remembered ?? null, trust, request.namespace);
  if (remembered !== null) checkAnchorAgainst(remembered, { ...anchor, trustVersion: trust.version });
  const subjects = verifySubjects(bundle, { ns: request.namespace, trust, anchor, mapRoot: mapRoot.root });
  const proven = await verifySignatures(bundle, subjects, trust, remembered, request.namespace);
  if (remembered !== null) checkHeadAgainst(remembered, proven.licenseKey, subjects.license.index);
  return {
    licenseId: subjects.license.id,
    license: proven.license,
    anchor,
    trust,
    namespace: proven.newest.namespace.document,
    brake: proven.newest.brake.document,
    remembered: remember(remembered, {
      genesis: trust.genesis,
      ns: request.namespace,
      anchor,
      trustVersion: trust.version,
      heads:
        subjects.license.index === null ? [] : [{ key: proven.licenseKey, index: subjects.license.index }],
      ...proven.newest,
    }),
  };
}

/** Memories of another trust root or namespace say nothing here. */
function applicable(remembered: Remembered | null, trust: TrustRoot, ns: string): Remembered | null {
  return remembered?.genesis === base64(trust.genesis) && remembered.ns === ns ? remembered : null;
}

interface SubjectContext {
  ns: string;
  trust: TrustRoot;
  anchor: SeenAnchor;
  mapRoot: Uint8Array;
}

/** A subject whose place in log and map is proven; its signature is not yet. */
interface LoggedSubject {
  id: string;
  key: Uint8Array;
  index: number;
  document: Uint8Array;
  text: string;
  /** The document, checked against the JSON profile. */
  json: JsonObject;
  entry: RecordEntry;
}

interface LoggedSubjects {
  namespace: LoggedSubject;
  brake: LoggedSubject;
  license: { id: string; key: Uint8Array; index: number | null; logged: LoggedSubject | null };
}

function verifySubjects(bundle: Bundle, context: SubjectContext): LoggedSubjects {
  const found = new Map<string, BundledSubject>();
  for (const subject of bundle.subjects) {
    const role = subject.id.startsWith('lic_') ? 'license' : subject.id;
    if (role !== 'license' && !isPublicSubject(role)) {
      throw new IntegrityError('TOO_NEW', `bundle with a subject ${subject.id}`);
    }
    if (found.has(role)) throw malformed(`bundle with two subjects of the kind ${role}`);
    found.set(role, subject);
  }
  const license = required(found, 'license');
  const namespace = required(found, 'namespace');
  const brake = required(found, 'brake');
  if (namespace.state === null || brake.state === null) throw malformed('bundle without namespace or brake');
  const logged =
    license.state === null ? verifyAbsence(license, context) : verifyLogged(license, license.state, context);
  return {
    namespace: verifyLogged(namespace, namespace.state, context),
    brake: verifyLogged(brake, brake.state, context),
    license: {
      id: license.id,
      key: logged?.key ?? subjectKey(context.trust.genesis, context.ns, license.id),
      index: logged?.index ?? null,
      logged,
    },
  };
}

function required(found: Map<string, BundledSubject>, role: string): BundledSubject {
  const subject = found.get(role);
  if (subject === undefined) throw malformed(`bundle without a ${role}`);
  return subject;
}

/** Proves that the subject never had an entry. */
function verifyAbsence(subject: BundledSubject, context: SubjectContext): null {
  verifyMapProof(
    subject.map,
    subjectKey(context.trust.genesis, context.ns, subject.id),
    null,
    context.mapRoot,
  );
  return null;
}

/** Proves that the entry is logged, the newest of its subject, and about this document. */
function verifyLogged(subject: BundledSubject, state: SubjectState, context: SubjectContext): LoggedSubject {
  const entry = parseRecordEntry(state.entry);
  const { record } = entry;
  if (record.ns !== context.ns) {
    throw new IntegrityError('NAMESPACE_MISMATCH', `${subject.id} belongs to namespace ${record.ns}`);
  }
  const key = subjectKey(context.trust.genesis, context.ns, subject.id);
  if (!equalBytes(record.subject, key)) throw altered(`entry is about another subject than ${subject.id}`);
  const type = subjectTypeOf(record.type);
  checkRecordType(subject.id, record.type, record.rev);
  const leaf = leafHash(state.entry);
  verifyInclusion(leaf, state.index, context.anchor.size, state.path, context.anchor.root);
  verifyMapProof(subject.map, key, headValue(state.index, leaf), context.mapRoot);
  if (isPublicSubject(subject.id) && !equalBytes(state.salt, zeroSalt))
    throw altered('salt of a public document');
  if (!equalBytes(documentCommitment(state.salt, state.document), record.doc)) {
    throw altered(`document of ${subject.id} is not the one that was logged`);
  }
  const text = decodeUtf8(state.document);
  const json = isPublicSubject(subject.id) ? publicJson(subject.id, text) : jsonOf(text);
  if (json.type !== type) throw altered(`document of ${subject.id} is of another type than its record`);
  const head = parseDocumentHead(json, type);
  if (head.ns !== record.ns || head.id !== subject.id || head.rev !== record.rev) {
    throw altered(`document of ${subject.id} names another subject or revision`);
  }
  return { id: subject.id, key, index: state.index, document: state.document, text, json, entry };
}

/** The newest text of each public document and its JSON, which nobody changes: a client has files of one namespace. */
const knownPublic = new Map<string, { text: string; json: JsonObject }>();

function publicJson(id: string, text: string): JsonObject {
  const known = knownPublic.get(id);
  if (known?.text === text) return known.json;
  const json = jsonOf(text);
  knownPublic.set(id, { text, json });
  return json;
}

function jsonOf(text: string): JsonObject {
  return asObject(parseJsonText(text), 'document');
}

/** A key for one kind of subject must not speak about another; the public ones have two participles only. */
function checkRecordType(id: string, recordType: string, rev: number): void {
  const isPublic = isPublicSubject(id);
  const isRight = isPublic
    ? recordType === `${id}.${rev === 0 ? 'created' : 'updated'}`
    : subjectTypeOf(recordType) === 'license';
  if (!isRight) throw altered(`a record of type ${recordType} says nothing about ${id}`);
}

async function verifySignatures(
  bundle: Bundle,
  subjects: LoggedSubjects,
  trust: TrustRoot,
  remembered: Remembered | null,
  ns: string,
): Promise<{
  license: ProvenLicense | null;
  licenseKey: Uint8Array;
  newest: ReturnType<typeof newestPublicDocuments>;
}> {
  const authority = trust.namespaces.get(ns)?.authority;
  if (authority === undefined || !(await meetsThreshold(subjects.namespace.entry.envelope, authority))) {
    throw new IntegrityError('KEY_NOT_VALID', 'namespace is not signed by its authority');
  }
  const own = readNamespace(subjects.namespace.json);
  const newest = newestPublicDocuments(remembered, {
    namespace: {
      index: subjects.namespace.index,
      text: subjects.namespace.text,
      document: own,
    },
    brake: {
      index: subjects.brake.index,
      text: subjects.brake.text,
      document: readBrake(subjects.brake.json),
    },
  });
  const namespace = newest.namespace.document;
  const brake = newest.brake.document;
  checkBrakeEpoch(namespace, brake);
  const rules = { trust, ns, namespace, keys: bundle.keys };
  const used = await signersOfRecord(subjects.brake, { ...rules, brake: null });
  const licenseSigners =
    subjects.license.logged === null
      ? []
      : await signersOfRecord(subjects.license.logged, { ...rules, brake });
  checkNoUnusedKeys(bundle.keys, [...used, ...licenseSigners]);
  return {
    license: subjects.license.logged && {
      document: subjects.license.logged.document,
      json: subjects.license.logged.json,
      recordType: subjects.license.logged.entry.record.type,
      keyOfflineMaxMs: shortestOfflineMax(licenseSigners),
    },
    licenseKey: subjects.license.key,
    newest,
  };
}

function checkNoUnusedKeys(keys: readonly PublicKey[], used: readonly EntitledSigner[]): void {
  const fingerprints = new Set(keys.map(keyFingerprintText));
  if (fingerprints.size !== keys.length || keys.some((key) => !used.some((signer) => signer.key === key))) {
    throw malformed('bundle carries keys that it does not use');
  }
}

function shortestOfflineMax(signers: readonly EntitledSigner[]): number | null {
  const limits = signers.flatMap(({ listed }) => listed.limits.offlineMax ?? []);
  return limits.length === 0 ? null : Math.min(...limits.map(parseDuration));
}

function altered(message: string): IntegrityError {
  return new IntegrityError('ALTERED', message);
}
