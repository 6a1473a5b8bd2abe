/**
 * Evidence: what contradicts itself in a log, as a file that a third party can check with nothing but the trust root.
 *
 * A DSSE envelope, signed by the monitor that found it, over
 *
 *     {"v":1,"origin","at","by":{"alg","key"},"found":{"kind",…}}
 *
 * What convicts the log is its own signatures within `found`. The monitor's signature only says who found it, and when.
 */
import {
  asArray,
  asCount,
  asObject,
  asString,
  base64,
  closedMembers,
  decodeBase64,
  encodeEnvelope,
  hashLength,
  IntegrityError,
  type JsonValue,
  type KeptPromise,
  keyIdOf,
  type PublicKey,
  parseEnvelope,
  parseInstant,
  parseJson,
  parsePublicKey,
  preAuthEncoding,
  publicKeyJson,
  requireVersion1,
  signersOf,
  utf8,
} from '@tallystick/core';

const evidenceType = 'application/vnd.tallystick.evidence.v1+json';

/** Two checkpoints that the log signed for one size, with different roots. */
export interface SameSize {
  kind: 'same-size';
  a: string;
  b: string;
}

/** The larger tree's own first entries have another root than the smaller checkpoint says, and `proof` shows it. */
export interface NotAPrefix {
  kind: 'not-a-prefix';
  smaller: string;
  larger: string;
  /** Of the first entries of the larger tree, as many as the smaller one has. */
  root: Uint8Array;
  /** RFC 9162 consistency proof from there to the larger tree. */
  proof: readonly Uint8Array[];
}

/** The smaller checkpoint was cosigned more than an hour after the larger one. */
export interface RolledBack {
  kind: 'rolled-back';
  larger: string;
  smaller: string;
}

/** A checkpoint that was cosigned when a promise was due, or covers its index, and does not keep it. */
export interface BrokenPromise {
  kind: 'broken-promise';
  promise: KeptPromise;
  note: string;
  /** What is at the promised index instead, and its inclusion path; null and none where the log has not come so far. */
  leaf: Uint8Array | null;
  path: readonly Uint8Array[];
}

/** Every entry up to one that breaks a rule, which replaying them shows. */
export interface BrokenRule {
  kind: 'broken-rule';
  rule: string;
  index: number;
  note: string;
  /** All from 0 up to the one that breaks the rule. */
  entries: readonly Uint8Array[];
  /** From those entries to the checkpoint. */
  proof: readonly Uint8Array[];
  documents: readonly { ns: string; type: string; rev: number; document: Uint8Array }[];
  keys: readonly { ns: string; keys: readonly PublicKey[] }[];
}

export type Contradiction = SameSize | NotAPrefix | RolledBack | BrokenPromise | BrokenRule;

export interface Evidence {
  origin: string;
  /** When it was found: an instant of the monitor's clock. */
  at: string;
  /** The monitor's key. */
  by: PublicKey;
  found: Contradiction;
}

const multiline: ReadonlySet<string> = new Set(['a', 'b', 'smaller', 'larger', 'note']);
const proofMax = 63;
const entriesMax = 1_000_000;
const documentsMax = 10_000;
const keysMax = 1024;

/** The bytes of a whole evidence file. `sign` makes an Ed25519 signature by the key in `by`. */
export function encodeEvidence(evidence: Evidence, sign: (message: Uint8Array) => Uint8Array): Uint8Array {
  const { origin, at, by, found } = evidence;
  const body = { v: 1, origin, at, by: publicKeyJson(by), found: jsonOf(found) };
  const payload = utf8(JSON.stringify(body));
  const sig = sign(preAuthEncoding(evidenceType, payload));
  return encodeEnvelope({ payload, payloadType: evidenceType, signatures: [{ keyid: keyIdOf(by), sig }] });
}

/** What is found, as it stands in a file: one encoding, so that the same contradiction has the same bytes. */
export function jsonOf(found: Contradiction): JsonValue {
  const { kind } = found;
  switch (kind) {
    case 'same-size':
      return { kind, a: found.a, b: found.b };
    case 'not-a-prefix': {
      const { smaller, larger, root, proof } = found;
      return { kind, smaller, larger, root: base64(root), proof: proof.map(base64) };
    }
    case 'rolled-back':
      return { kind, larger: found.larger, smaller: found.smaller };
    case 'broken-promise': {
      const { envelope, index, leaf, path } = found.promise;
      const promise = { envelope, index, leaf, path: [...path] };
      const instead = found.leaf === null ? null : base64(found.leaf);
      return { kind, promise, note: found.note, leaf: instead, path: found.path.map(base64) };
    }
    case 'broken-rule': {
      const { rule, index, note, entries, proof, documents, keys } = found;
      return {
        kind,
        rule,
        index,
        note,
        entries: entries.map(base64),
        proof: proof.map(base64),
        documents: documents.map(({ ns, type, rev, document }) => {
          return { ns, type, rev, document: base64(document) };
        }),
        keys: keys.map(({ ns, keys: listed }) => ({ ns, keys: listed.map(publicKeyJson) })),
      };
    }
  }
}

/** Parses a file and checks the monitor's signature, and nothing of what it says. Throws IntegrityError. */
export async function parseEvidence(bytes: Uint8Array): Promise<Evidence> {
  const envelope = parseEnvelope(bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes, evidenceType);
  const names = ['v', 'origin', 'at', 'by', 'found'] as const;
  const json = closedMembers(parseJson(envelope.payload, multiline), names, 'evidence');
  requireVersion1(json.v, 'evidence');
  const by = parsePublicKey(json.by, 'evidence.by');
  if ((await signersOf(envelope, [by])).length === 0)
    throw new IntegrityError('ALTERED', 'the file is not signed by the monitor that it names');
  const at = asString(json.at, 'evidence.at');
  parseInstant(at);
  return { origin: asString(json.origin, 'evidence.origin'), at, by, found: parseFound(json.found) };
}

function parseFound(value: JsonValue): Contradiction {
  const kind = asString(asObject(value, 'found').kind, 'found.kind');
  switch (kind) {
    case 'same-size': {
      const { a, b } = closedMembers(value, ['kind', 'a', 'b'], 'found');
      return { kind, a: asString(a, 'a'), b: asString(b, 'b') };
    }
    case 'not-a-prefix': {
      const json = closedMembers(value, ['kind', 'smaller', 'larger', 'root', 'proof'], 'found');
      return {
        kind,
        smaller: asString(json.smaller, 'smaller'),
        larger: asString(json.larger, 'larger'),
        root: asHash(json.root, 'root'),
        proof: asHashes(json.proof, 'proof'),
      };
    }
    case 'rolled-back': {
      const json = closedMembers(value, ['kind', 'larger', 'smaller'], 'found');
      return { kind, larger: asString(json.larger, 'larger'), smaller: asString(json.smaller, 'smaller') };
    }
    case 'broken-promise':
      return parseBrokenPromise(value);
    case 'broken-rule':
      return parseBrokenRule(value);
    default:
      throw new IntegrityError('TOO_NEW', `evidence of kind ${kind}`);
  }
}

function parseBrokenPromise(value: JsonValue): BrokenPromise {
  const json = closedMembers(value, ['kind', 'promise', 'note', 'leaf', 'path'], 'found');
  const promise = closedMembers(json.promise, ['envelope', 'index', 'leaf', 'path'], 'promise');
  return {
    kind: 'broken-promise',
    promise: {
      envelope: asString(promise.envelope, 'promise.envelope'),
      index: asCount(promise.index, 'promise.index'),
      leaf: asString(promise.leaf, 'promise.leaf'),
      path: asArray(promise.path, 'promise.path', proofMax).map((hash) => asString(hash, 'promise.path')),
    },
    note: asString(json.note, 'note'),
    leaf: json.leaf === null ? null : asHash(json.leaf, 'leaf'),
    path: asHashes(json.path, 'path'),
  };
}

function parseBrokenRule(value: JsonValue): BrokenRule {
  const names = ['kind', 'rule', 'index', 'note', 'entries', 'proof', 'documents', 'keys'] as const;
  const json = closedMembers(value, names, 'found');
  return {
    kind: 'broken-rule',
    rule: asString(json.rule, 'rule'),
    index: asCount(json.index, 'index'),
    note: asString(json.note, 'note'),
    entries: asArray(json.entries, 'entries', entriesMax).map((entry) =>
      decodeBase64(asString(entry, 'entry')),
    ),
    proof: asHashes(json.proof, 'proof'),
    documents: asArray(json.documents, 'documents', documentsMax).map((item) => {
      const { ns, type, rev, document } = closedMembers(item, ['ns', 'type', 'rev', 'document'], 'document');
      return {
        ns: asString(ns, 'document.ns'),
        type: asString(type, 'document.type'),
        rev: asCount(rev, 'document.rev'),
        document: decodeBase64(asString(document, 'document.document')),
      };
    }),
    keys: asArray(json.keys, 'keys', documentsMax).map((item) => {
      const { ns, keys } = closedMembers(item, ['ns', 'keys'], 'keys');
      const listed = asArray(keys, 'keys', keysMax).map((key) => parsePublicKey(key, 'key'));
      return { ns: asString(ns, 'keys.ns'), keys: listed };
    }),
  };
}

function asHash(value: JsonValue | undefined, what: string): Uint8Array {
  return decodeBase64(asString(value, what), hashLength);
}

function asHashes(value: JsonValue | undefined, what: string): Uint8Array[] {
  return asArray(value, what, proofMax).map((hash) => asHash(hash, what));
}
