/**
 * A small log of one namespace, built entry by entry. Every part of an entry can be overridden, so that a test
 * breaks one rule and no other.
 */
import {
  type BrakeDocument,
  base64,
  cosignedMessage,
  documentCommitment,
  encodeMapRoot,
  encodeRecord,
  encodeTimestampedSignature,
  formatCheckpoint,
  formatInstant,
  formatNote,
  formatSignatureLine,
  formatVerifierKey,
  type LogRecord,
  LogTree,
  leafHash,
  makeVerifierKey,
  type NamespaceDocument,
  type NamespaceKey,
  noteSignatureType,
  payloadTypes,
  publicKeyJson,
  SubjectMap,
  sha256,
  subjectKey,
  u64be,
  utf8,
  type VerifierKey,
  zeroSalt,
} from '@tallystick/core';
import { newKey, type SigningKey, sealEnvelope, signBytes } from './signing-key.ts';

export const testNamespace = 'acme';

/** Where the test's clock stands, in seconds; entries are made a second apart from an hour before. */
export const testNow: number = Date.UTC(2026, 10, 23, 12) / 1000;

export interface TrustOptions {
  version?: number;
  authority?: SigningKey;
  /** Who signs; default the root key. */
  signers?: SigningKey[];
  prev?: Uint8Array | null;
  /** Algorithms by usage and log index. */
  require?: Record<string, { from: number; algs: string[] }[]>;
}

export class TestLog {
  readonly origin: string;
  readonly keys: Record<'root' | 'log' | 'authority' | 'license' | 'brake' | 'plan', SigningKey> = {
    root: newKey(),
    log: newKey(),
    authority: newKey(),
    license: newKey(),
    brake: newKey(),
    plan: newKey(),
  };
  readonly vkey: VerifierKey;
  readonly entries: Uint8Array[] = [];
  readonly tree: LogTree = new LogTree();
  readonly map: SubjectMap = new SubjectMap();
  /** By `<type>/<rev>`. */
  readonly documents: Map<string, Uint8Array> = new Map();
  /** What `/trust/acme/keys` answers. */
  readonly publicKeys: SigningKey[];
  /** Hashes of trust root payloads, by version − 1. */
  readonly trustHashes: Uint8Array[] = [];
  #clockMs = testNow * 1000 - 3_600_000;

  constructor(origin = 'log.example/test') {
    this.origin = origin;
    this.vkey = makeVerifierKey(origin, noteSignatureType.ed25519, this.keys.log.key);
    this.publicKeys = [this.keys.license, this.keys.brake, this.keys.plan];
  }

  /** H(payload of trust root version 1). */
  get genesis(): Uint8Array {
    return this.trustHashes[0] as Uint8Array;
  }

  get size(): number {
    return this.entries.length;
  }

  /** An instant a second after the one before. */
  nextAt(): string {
    this.#clockMs += 1;
    return formatInstant(this.#clockMs);
  }

  /** Appends an entry as it is; `change` moves a subject in the map. Returns its index. */
  push(entry: Uint8Array, change?: { subject: Uint8Array; rev: number }): number {
    const index = this.entries.push(entry) - 1;
    const leaf = leafHash(entry);
    this.tree.append(leaf);
    if (change !== undefined) this.map.set({ key: change.subject, rev: change.rev, index, leaf });
    return index;
  }

  pushTrust(options: TrustOptions = {}): number {
    const payload = this.trustPayload(options);
    this.trustHashes.push(sha256(payload));
    return this.push(sealEnvelope(payload, payloadTypes.trustRoot, options.signers ?? [this.keys.root]));
  }

  trustPayload(options: TrustOptions): Uint8Array {
    const version = options.version ?? this.trustHashes.length + 1;
    const authority = options.authority ?? this.keys.authority;
    const witness = makeVerifierKey(
      'witness.example/w1',
      noteSignatureType.ed25519Cosignature,
      cosignerKey('w1').key,
    );
    const replayer = makeVerifierKey(
      'replayer.example/r1',
      noteSignatureType.ed25519Cosignature,
      cosignerKey('r1').key,
    );
    const prev = options.prev === undefined ? (this.trustHashes.at(-1) ?? null) : options.prev;
    return utf8(
      JSON.stringify({
        v: 1,
        version,
        genesis: version === 1 ? null : base64(this.genesis),
        prev: version === 1 || prev === null ? null : base64(prev),
        expires: '2030-01-01T00:00:00.000Z',
        root: { threshold: 1, keys: [publicKeyJson(this.keys.root)] },
        log: { origin: this.origin, vkeys: [formatVerifierKey(this.vkey)] },
        quorum:
          `witness w1 ${formatVerifierKey(witness)}\nwitness r1 ${formatVerifierKey(replayer)}\n` +
          'group witnesses 1 w1\ngroup replayers 1 r1\ngroup quorum all witnesses replayers\nquorum quorum\n',
        freshness: { offlineMax: 'P90D' },
        namespaces: {
          [testNamespace]: {
            authority: { threshold: 1, keys: [publicKeyJson(authority)] },
            require: options.require ?? {},
          },
        },
      }),
    );
  }

  subject(id: string): Uint8Array {
    return subjectKey(this.genesis, testNamespace, id);
  }

  /** A record that continues its subject's chain, with parts replaced by `overrides`. */
  record(id: string, type: string, overrides: Partial<LogRecord> = {}): LogRecord {
    const subject = overrides.subject ?? this.subject(id);
    const head = this.map.head(subject);
    return {
      ns: testNamespace,
      type,
      subject,
      rev: head === undefined ? 0 : head.rev + 1,
      prev: head === undefined ? null : this.tree.leaf(head.index),
      doc: sha256(utf8(`${id} ${this.size}`)),
      cause: sha256(utf8(`cause ${this.size}`)),
      at: overrides.at ?? this.nextAt(),
      ...overrides,
    };
  }

  pushRecord(record: LogRecord, signers: readonly SigningKey[] = [this.keys.license]): number {
    return this.push(sealEnvelope(encodeRecord(record), payloadTypes.record, signers), record);
  }

  pushLicense(id: string, type = 'license.issued', overrides: Partial<LogRecord> = {}): number {
    return this.pushRecord(this.record(id, type, overrides));
  }

  /** The namespace's next revision. */
  pushNamespace(
    changes: Partial<NamespaceDocument> = {},
    signers: readonly SigningKey[] = [this.keys.authority],
    overrides: Partial<LogRecord> = {},
  ): number {
    const rev = this.#nextRev('namespace');
    const document = { ...this.namespaceDocument(rev), ...changes };
    return this.#pushPublic('namespace', document, signers, overrides);
  }

  pushBrake(
    changes: Partial<BrakeDocument> = {},
    signers: readonly SigningKey[] = [this.keys.brake],
    overrides: Partial<LogRecord> = {},
  ): number {
    const rev = this.#nextRev('brake');
    const document: BrakeDocument = {
      v: 1,
      type: 'brake',
      ns: testNamespace,
      id: 'brake',
      rev,
      crit: [],
      epoch: 0,
      lock: 'open',
      minEpoch: 0,
      until: [],
      ...changes,
    };
    return this.#pushPublic('brake', document, signers, overrides);
  }

  namespaceDocument(rev: number): NamespaceDocument {
    return {
      v: 1,
      type: 'namespace',
      ns: testNamespace,
      id: 'namespace',
      rev,
      crit: [],
      name: 'Acme',
      mode: 'test',
      support: { name: null, email: null, url: null },
      epoch: 0,
      lock: 'open',
      minEpoch: 0,
      keys: [
        listedKey(this.keys.license, ['license'], 1),
        listedKey(this.keys.brake, ['brake'], 1),
        listedKey(this.keys.plan, ['plan'], 1),
      ],
    };
  }

  pushMapRoot(
    overrides: { index?: number; root?: Uint8Array; trust?: Uint8Array; at?: string } = {},
  ): number {
    const entry = {
      index: this.size,
      root: this.map.root(),
      trust: this.trustHashes.at(-1) as Uint8Array,
      at: overrides.at ?? this.nextAt(),
      ...overrides,
    };
    return this.push(encodeMapRoot(entry));
  }

  /** Leaf 0, the namespace, the brake: indexes 0 to 2. */
  bootstrap(options: TrustOptions = {}): this {
    this.pushTrust(options);
    this.pushNamespace();
    this.pushBrake();
    return this;
  }

  /** A signed checkpoint of the first `size` entries. */
  checkpoint(size: number = this.size, root: Uint8Array = this.tree.root(size)): string {
    const text = formatCheckpoint({ origin: this.origin, size, root });
    const signature = signBytes(this.keys.log, utf8(text));
    return formatNote({ text, signatures: [{ name: this.origin, id: this.vkey.id, signature }] });
  }

  /** The checkpoint of the first `size` entries with the quorum's signatures. */
  published(size: number = this.size): string {
    const checkpoint = { origin: this.origin, size, root: this.tree.root(size) };
    const text = formatCheckpoint(checkpoint);
    const lines = (['w1', 'r1'] as const).map((name) => {
      const key = cosignerKey(name);
      const cosigner = name === 'w1' ? 'witness.example/w1' : 'replayer.example/r1';
      const vkey = makeVerifierKey(cosigner, noteSignatureType.ed25519Cosignature, key.key);
      const message = cosignedMessage(vkey, text, checkpoint, u64be(testNow));
      const signature = encodeTimestampedSignature(testNow, signBytes(key, message));
      return formatSignatureLine({ name: cosigner, id: vkey.id, signature });
    });
    return this.checkpoint(size) + lines.join('');
  }

  /** An `add-checkpoint` body from `oldSize` to `size`. */
  request(oldSize: number, size: number = this.size): Uint8Array {
    const proof = oldSize > size ? [] : this.tree.consistencyProof(oldSize, size);
    return requestBody(oldSize, proof, this.checkpoint(size));
  }

  #nextRev(id: string): number {
    return (this.map.head(this.subject(id))?.rev ?? -1) + 1;
  }

  #pushPublic(
    id: 'namespace' | 'brake',
    document: NamespaceDocument | BrakeDocument,
    signers: readonly SigningKey[],
    overrides: Partial<LogRecord>,
  ): number {
    const bytes = utf8(JSON.stringify(document));
    const rev = this.#nextRev(id);
    this.documents.set(`${id}/${rev}`, bytes);
    const type = `${id}.${rev === 0 ? 'created' : 'updated'}`;
    const doc = documentCommitment(zeroSalt, bytes);
    return this.pushRecord(this.record(id, type, { doc, ...overrides }), signers);
  }
}

export function listedKey(
  key: SigningKey,
  usages: NamespaceKey['usages'],
  from: number,
  until: number | null = null,
): NamespaceKey {
  const limits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };
  return { id: key.id, alg: key.alg, usages, from, until, limits };
}

/** The body of an `add-checkpoint` request. */
export function requestBody(oldSize: number, proof: readonly Uint8Array[], checkpoint: string): Uint8Array {
  return utf8(`old ${oldSize}\n${proof.map((hash) => `${base64(hash)}\n`).join('')}\n${checkpoint}`);
}

const base32Digits = '0123456789abcdefghjkmnpqrstvwxyz';

/** A license id whose random part says `n`. */
export function licenseId(n: number): string {
  const digits = Array.from(n.toString(32), (digit) => base32Digits[Number.parseInt(digit, 32)]);
  return `lic_${digits.join('').padStart(26, '0')}`;
}

const cosignerKeys = new Map<string, SigningKey>();

function cosignerKey(name: string): SigningKey {
  const known = cosignerKeys.get(name) ?? newKey();
  cosignerKeys.set(name, known);
  return known;
}
