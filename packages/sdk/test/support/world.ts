/**
 * A vendor with a log, in memory, for Node and browsers alike: real keys, real entries, real checkpoints, and
 * every argument of a change can be spoiled. Signs with WebCrypto, which the code under test does not sign with.
 */
import {
  type Bundle,
  base64,
  cosignedMessage,
  documentCommitment,
  encodeBundle,
  encodeEnvelope,
  encodeMapRoot,
  encodePromise,
  encodeRecord,
  encodeTimestampedSignature,
  encodeTrustRootPayload,
  formatCheckpoint,
  formatInstant,
  formatNote,
  formatTlogProof,
  type KeptPromise,
  keyFingerprint,
  keyIdOf,
  LogTree,
  leafHash,
  makeVerifierKey,
  type NoteSignature,
  noteSignatureType,
  type PublicKey,
  parseSignedCheckpoint,
  payloadTypes,
  preAuthEncoding,
  SubjectMap,
  sha256,
  subjectKey,
  u64be,
  utf8,
  type VerifierKey,
  zeroSalt,
} from '@tallystick/core';
import type { LicenseDocument } from '@tallystick/license';

export const day = 86_400_000;
export const startMs: number = Date.UTC(2026, 5, 1);
const origin = 'log.example/acme';
export const licenseId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4wt';
export const otherLicenseId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4wv';
export const strangerId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4ww';

export interface Key {
  publicKey: PublicKey;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

async function newKey(): Promise<Key> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return {
    publicKey: { alg: 'ed25519', key: raw },
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(message))),
  };
}

async function envelope(payloadType: string, payload: Uint8Array, key: Key): Promise<Uint8Array> {
  const sig = await key.sign(preAuthEncoding(payloadType, payload));
  return encodeEnvelope({ payload, payloadType, signatures: [{ keyid: keyIdOf(key.publicKey), sig }] });
}

export function licenseDocument(rev: number, change: Partial<LicenseDocument> = {}): LicenseDocument {
  return {
    v: 1,
    type: 'license',
    ns: 'acme',
    id: licenseId,
    rev,
    crit: [],
    product: { id: 'prd_01jd8x5q0xe8zrk3v7m2n9p4wt', code: 'studio' },
    plan: { id: 'pln_01jd8x5q0xe8zrk3v7m2n9p4wt', rev: 0, code: 'pro', name: 'Pro' },
    addons: [],
    customer: null,
    licensee: 'Contoso GmbH',
    purpose: 'production',
    status: { state: 'active', reason: null, message: null, since: formatInstant(startMs), successor: null },
    term: {
      from: formatInstant(startMs - 30 * day),
      until: formatInstant(startMs + 300 * day),
      grace: 'P7D',
    },
    updates: { until: null, fallback: null, maxMajor: null },
    seats: { model: 'none', max: null, over: 0 },
    entitlements: {
      pdf: { value: true, until: null, via: 'plan' },
      tokens: { limit: 1000, per: 'P1M', over: 'block', until: null, via: 'plan' },
    },
    offline: { maxAge: 'P30D', grace: 'P10D', clock: 'strict' },
    generation: 0,
    epoch: 0,
    metadata: {},
    private: null,
    ...change,
  };
}

export const suspended: Partial<LicenseDocument> = {
  status: {
    state: 'suspended',
    reason: 'payment',
    message: null,
    since: formatInstant(startMs),
    successor: null,
  },
};
export const revoked: Partial<LicenseDocument> = {
  status: {
    state: 'revoked',
    reason: 'refund',
    message: null,
    since: formatInstant(startMs),
    successor: null,
  },
};

interface Logged {
  index: number;
  rev: number;
  document: Uint8Array;
  salt: Uint8Array;
  entry: Uint8Array;
}

interface Change {
  id?: string;
  /** `issued` and so on. */
  participle?: string;
  document?: object;
  key?: Key;
}

interface Keys {
  root: Key;
  authority: Key;
  log: Key;
  license: Key;
  brake: Key;
  cosigners: { key: Key; vkey: VerifierKey }[];
}

export interface WorldOptions {
  offlineMax?: string;
  expires?: string;
  keyOfflineMax?: string | null;
}

/** What was published: the checkpoint, as a note, and its last entry. */
export interface Anchor {
  size: number;
  note: string;
}

export class World {
  readonly #keys: Keys;
  readonly trustRoot: Uint8Array;
  readonly trustFile: string;
  readonly #genesis: Uint8Array;
  readonly #options: WorldOptions;
  readonly #tree: LogTree = new LogTree();
  readonly #map: SubjectMap = new SubjectMap();
  readonly #entries: Uint8Array[] = [];
  readonly #heads: Map<string, Logged> = new Map();

  private constructor(keys: Keys, trustRoot: Uint8Array, genesis: Uint8Array, options: WorldOptions) {
    this.#keys = keys;
    this.#options = options;
    this.trustRoot = trustRoot;
    this.#genesis = genesis;
    this.trustFile = `${JSON.stringify({ v: 1, envelopes: [base64(trustRoot)] })}\n`;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    const [root, authority, log, license, brake, ...rest] = await Promise.all(
      Array.from({ length: 8 }, newKey),
    );
    const cosigners = rest.map((key, at) => ({
      key,
      vkey: makeVerifierKey(`w${at}.example`, noteSignatureType.ed25519Cosignature, key.publicKey.key),
    }));
    const keys: Keys = {
      root: root!,
      authority: authority!,
      log: log!,
      license: license!,
      brake: brake!,
      cosigners,
    };
    const payload = trustPayload(keys, options);
    const world = new World(
      keys,
      await envelope(payloadTypes.trustRoot, payload, keys.root),
      sha256(payload),
      options,
    );
    world.#append(world.trustRoot);
    await world.change({ id: 'namespace' });
    await world.change({ id: 'brake' });
    return world;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The same keys and the same first entries, from which the other history goes its own way. */
  fork(): World {
    const other = new World(this.#keys, this.trustRoot, this.#genesis, this.#options);
    for (const entry of this.#entries) other.#append(entry);
    for (const [id, head] of this.#heads) {
      const leaf = leafHash(head.entry);
      other.#heads.set(id, head);
      other.#map.set({ key: subjectKey(this.#genesis, 'acme', id), leaf, index: head.index, rev: head.rev });
    }
    return other;
  }

  /** Logs the next revision of a subject and returns its index. */
  async change({ id = licenseId, participle, document = {}, key }: Change = {}): Promise<number> {
    const before = this.#heads.get(id);
    const rev = before === undefined ? 0 : before.rev + 1;
    const bytes = utf8(JSON.stringify(this.#document(id, rev, document)));
    const isPublic = !id.includes('_');
    const salt = isPublic ? zeroSalt : sha256(utf8(`${id} ${rev}`));
    const type = isPublic ? id : 'license';
    const subject = subjectKey(this.#genesis, 'acme', id);
    const record = encodeRecord({
      ns: 'acme',
      type: `${type}.${participle ?? defaultParticiple(isPublic, rev)}`,
      subject,
      rev,
      prev: before === undefined ? null : leafHash(before.entry),
      doc: documentCommitment(salt, bytes),
      cause: sha256(utf8('cause')),
      at: formatInstant(startMs),
    });
    const entry = await envelope(payloadTypes.record, record, key ?? this.#signerOf(id));
    const index = this.#append(entry);
    this.#heads.set(id, { index, rev, document: bytes, salt, entry });
    this.#map.set({ key: subject, leaf: leafHash(entry), index, rev });
    return index;
  }

  /** Ends the log in a map root and has the checkpoint signed; `ms` is when the cosigners do that. */
  async publish(ms: number = startMs): Promise<Anchor> {
    const index = this.size;
    const at = formatInstant(startMs);
    this.#append(encodeMapRoot({ index, root: this.#map.root(), trust: this.#genesis, at }));
    return this.republish(ms);
  }

  /** Has the log as it stands signed again. */
  async republish(ms: number): Promise<Anchor> {
    const checkpoint = { origin, size: this.size, root: this.#tree.root() };
    const text = formatCheckpoint(checkpoint);
    const logVkey = makeVerifierKey(origin, noteSignatureType.ed25519, this.#keys.log.publicKey.key);
    const signatures: NoteSignature[] = [
      { name: origin, id: logVkey.id, signature: await this.#keys.log.sign(utf8(text)) },
    ];
    const seconds = Math.floor(ms / 1000);
    for (const { key, vkey } of this.#keys.cosigners) {
      const signed = await key.sign(cosignedMessage(vkey, text, checkpoint, u64be(seconds)));
      signatures.push({
        name: vkey.name,
        id: vkey.id,
        signature: encodeTimestampedSignature(seconds, signed),
      });
    }
    const note = formatNote({ text, signatures });
    parseSignedCheckpoint(utf8(note));
    return { size: this.size, note };
  }

  /** The license file of the newest state: to be made before anything else is logged. */
  bundle(anchor: Anchor, id: string = licenseId, edit: (bundle: Bundle) => void = () => undefined): string {
    const index = anchor.size - 1;
    const proof = formatTlogProof(index, this.#tree.inclusionProof(index, anchor.size), anchor.note);
    const license = this.#heads.has(id) ? [this.#keys.license.publicKey] : [];
    const bundle: Bundle = {
      trust: [],
      anchor: { entry: new TextDecoder().decode(this.#entries[index]), proof },
      keys: [...license, this.#keys.brake.publicKey],
      subjects: [id, 'namespace', 'brake'].map((each) => this.#subject(each, anchor.size)),
    };
    edit(bundle);
    return encodeBundle(bundle);
  }

  /** Logs a change, publishes it, and returns the license file. */
  async file(change: Change & { ms?: number } = {}): Promise<string> {
    await this.change(change);
    return this.bundle(await this.publish(change.ms), change.id);
  }

  /** What the log promises of one leaf. */
  async promise(index: number, leaf: Uint8Array, publishBy: number): Promise<KeptPromise> {
    const payload = encodePromise({
      origin,
      index,
      count: 1,
      root: leaf,
      publishBy: formatInstant(publishBy),
    });
    const signed = await envelope(payloadTypes.promise, payload, this.#keys.log);
    return { envelope: base64(signed), index, leaf: base64(leaf), path: [] };
  }

  leafAt(index: number): Uint8Array {
    return this.#tree.leaf(index);
  }

  #subject(id: string, size: number): Bundle['subjects'][number] {
    const map = this.#map.prove(subjectKey(this.#genesis, 'acme', id));
    const head = this.#heads.get(id);
    if (head === undefined) return { id, state: null, map };
    const { document, salt, index, entry } = head;
    return { id, state: { document, salt, index, entry, path: this.#tree.inclusionProof(index, size) }, map };
  }

  #append(entry: Uint8Array): number {
    this.#entries.push(entry);
    this.#tree.append(leafHash(entry));
    return this.#entries.length - 1;
  }

  #signerOf(id: string): Key {
    if (id === 'namespace') return this.#keys.authority;
    return id === 'brake' ? this.#keys.brake : this.#keys.license;
  }

  #document(id: string, rev: number, change: object): object {
    const head = { v: 1, type: id, ns: 'acme', id, rev, crit: [] };
    const locks = { epoch: 0, lock: 'open', minEpoch: 0 };
    if (id === 'brake') return { ...head, ...locks, until: [], ...change };
    if (id !== 'namespace') return { ...licenseDocument(rev), id, ...change };
    const limits = {
      offlineMax: this.#options.keyOfflineMax ?? null,
      termMax: null,
      seatsMax: null,
      perMinute: null,
    };
    const keys = [this.#keys.license, this.#keys.brake].map(({ publicKey }, at) => ({
      id: base64(keyFingerprint(publicKey)),
      alg: publicKey.alg,
      usages: [at === 0 ? 'license' : 'brake'],
      from: 1,
      until: null,
      limits,
    }));
    const support = { name: 'Acme', email: 'help@acme.example', url: null };
    return { ...head, name: 'Acme', mode: 'live', support, ...locks, keys, ...change };
  }
}

function defaultParticiple(isPublic: boolean, rev: number): string {
  if (isPublic) return rev === 0 ? 'created' : 'updated';
  return rev === 0 ? 'issued' : 'amended';
}

function trustPayload(
  keys: Keys,
  { offlineMax = 'P90D', expires = '2030-01-01T00:00:00.000Z' }: WorldOptions,
): Uint8Array {
  const members = keys.cosigners.map(({ vkey }) => ({ name: vkey.name, vkeys: [vkey], url: null }));
  return encodeTrustRootPayload({
    version: 1,
    genesis: null,
    prev: null,
    expires,
    root: { threshold: 1, keys: [keys.root.publicKey] },
    log: { origin, vkeys: [makeVerifierKey(origin, noteSignatureType.ed25519, keys.log.publicKey.key)] },
    quorum: {
      witnesses: { threshold: 1, members: members.slice(0, 2) },
      replayers: { threshold: 1, members: members.slice(2) },
    },
    freshness: { offlineMax },
    namespaces: new Map([
      ['acme', { authority: { threshold: 1, keys: [keys.authority.publicKey] }, require: new Map() }],
    ]),
  });
}
