/** A trust root with an authority for `acme`, and documents that it and the brake key sign. */
import {
  type AlgorithmRequirement,
  type BrakeDocument,
  documentCommitment,
  encodeEnvelope,
  encodeRecord,
  encodeTrustRootPayload,
  keyFingerprintText,
  makeVerifierKey,
  type NamespaceDocument,
  type NamespaceKey,
  type NamespaceTrustContent,
  noteSignatureType,
  type PublicKey,
  parseTrustRoot,
  payloadTypes,
  preAuthEncoding,
  type QuorumContent,
  type TrustRootContent,
  utf8,
  zeroSalt,
} from '@tallystick/core';
import { noLimits } from '../../src/keystore/keystore-key.ts';
import { generateKeySpec, SigningKey } from '../../src/keystore/signing-key.ts';
import type { RecordToSign } from '../../src/protocol/requests.ts';
import { at, origin, record } from './record.ts';

export class TestTrust {
  readonly authority: SigningKey = new SigningKey(generateKeySpec(['authority'], 'acme'));
  /** Envelope of version 1. */
  readonly root: Uint8Array;
  readonly rootKey: SigningKey = new SigningKey(generateKeySpec(['root'], null));
  readonly #first: TrustRootContent;

  /** What it says of the log matters only to those who show a signer checkpoints. */
  constructor({
    logKey,
    quorum,
    require = [],
  }: { logKey?: PublicKey; quorum?: QuorumContent; require?: AlgorithmRequirement[] } = {}) {
    const cosigner = (name: string) => {
      const { key } = new SigningKey(generateKeySpec(['log'], null)).publicKey;
      const vkey = makeVerifierKey(name, noteSignatureType.ed25519Cosignature, key);
      return { name, vkeys: [vkey], url: null };
    };
    const { key } = logKey ?? new SigningKey(generateKeySpec(['log'], null)).publicKey;
    this.#first = {
      version: 1,
      genesis: null,
      prev: null,
      expires: '2036-01-01T00:00:00.000Z',
      root: { threshold: 1, keys: [this.rootKey.publicKey] },
      log: { origin, vkeys: [makeVerifierKey(origin, noteSignatureType.ed25519, key)] },
      quorum: quorum ?? {
        witnesses: { threshold: 1, members: [cosigner('w.example')] },
        replayers: { threshold: 1, members: [cosigner('r.example')] },
      },
      freshness: { offlineMax: 'P90D' },
      namespaces: new Map([
        [
          'acme',
          {
            authority: { threshold: 1, keys: [this.authority.publicKey] },
            require: new Map([['license', require]]),
          },
        ],
      ]),
    };
    this.root = signed(this.rootKey, payloadTypes.trustRoot, encodeTrustRootPayload(this.#first));
  }

  /** Envelope of the version after `current`: the same as version 1, but for `changes`. */
  next(
    current: Uint8Array,
    changes: Partial<TrustRootContent> = {},
    by: SigningKey = this.rootKey,
  ): Uint8Array {
    const { version, hash, genesis } = parseTrustRoot(current);
    const content = { ...this.#first, version: version + 1, genesis, prev: hash, ...changes };
    return signed(by, payloadTypes.trustRoot, encodeTrustRootPayload(content));
  }

  /** What such a version says where another key is the authority, or where records need other algorithms. */
  acme(
    authority: SigningKey = this.authority,
    require: Parameters<typeof namespaceTrust>[1] = new Map(),
  ): Partial<TrustRootContent> {
    return { namespaces: new Map([['acme', namespaceTrust(authority, require)]]) };
  }

  /** A logged record of the namespace, signed by `by`. */
  async logged(
    document: NamespaceDocument | BrakeDocument,
    by: SigningKey = this.authority,
  ): Promise<{ entry: Uint8Array; document: Uint8Array }> {
    const { record: content, content: given } = toSign(document);
    const entry = signed(by, payloadTypes.record, encodeRecord(content));
    return { entry, document: given?.document ?? new Uint8Array(0) };
  }
}

function namespaceTrust(
  authority: SigningKey,
  require: NamespaceTrustContent['require'],
): NamespaceTrustContent {
  return { authority: { threshold: 1, keys: [authority.publicKey] }, require };
}

/** A request to sign a record of a public document. */
export function toSign(document: NamespaceDocument | BrakeDocument): RecordToSign {
  const bytes = utf8(JSON.stringify(document));
  const { rev, type } = document;
  const prev = rev === 0 ? null : new Uint8Array(32).fill(8);
  const doc = documentCommitment(zeroSalt, bytes);
  const verb = rev === 0 ? 'created' : 'updated';
  return {
    record: record(`${type}.${verb}`, { rev, prev, doc, at }),
    content: { salt: zeroSalt, document: bytes },
  };
}

export function listed(key: PublicKey, change: Partial<NamespaceKey> = {}): NamespaceKey {
  const usages: NamespaceKey['usages'] = ['product', 'plan', 'customer', 'license'];
  const id = keyFingerprintText(key);
  return { id, alg: key.alg, usages, from: 1, until: null, limits: noLimits, ...change };
}

export function namespaceWith(
  keys: NamespaceKey[],
  change: Partial<NamespaceDocument> = {},
): NamespaceDocument {
  const support = { name: null, email: null, url: null };
  const head = { v: 1, type: 'namespace', ns: 'acme', id: 'namespace', rev: 0, crit: [] } as const;
  const locks = { epoch: 0, lock: 'open', minEpoch: 0 } as const;
  return { ...head, crit: [], name: 'Acme', mode: 'test', support, ...locks, keys, ...change };
}

export function brakeWith(change: Partial<BrakeDocument> = {}): BrakeDocument {
  const head = { v: 1, type: 'brake', ns: 'acme', id: 'brake', rev: 0 } as const;
  return { ...head, crit: [], epoch: 0, lock: 'open', minEpoch: 0, until: [], ...change };
}

function signed(key: SigningKey, payloadType: string, payload: Uint8Array): Uint8Array {
  const sig = key.sign(preAuthEncoding(payloadType, payload));
  return encodeEnvelope({ payload, payloadType, signatures: [{ keyid: key.keyid, sig }] });
}
