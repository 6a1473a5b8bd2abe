/**
 * A small world with a log in it: trust root, namespace, brake, licenses, map roots, cosigned
 * checkpoints and the bundles that follow, honest or not. Every argument has the honest value by
 * default; a test changes the one that it is about.
 */
import { type Bundle, LogTree, SubjectMap } from '../../src/index.ts';
import {
  b64,
  bytesOf,
  digest,
  dsse,
  ed25519Signer,
  fingerprint,
  mlDsaSigner,
  type NoteSigner,
  noteLine,
  type Signer,
  vkeyOf,
} from './signers.ts';

const origin = 'log.example/acme';
export const licenseId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4wt';
export const otherLicenseId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4wv';
export const strangerId = 'lic_01jd8x5q0xe8zrk3v7m2n9p4ww';
/** POSIX seconds of the first checkpoint. */
export const startSeconds = 1_795_000_000;

export const recordType = 'application/vnd.tallystick.record.v1+json';
const trustType = 'application/vnd.tallystick.trust.root.v1+json';

/** Everybody who signs something. `family` makes other people with the same names. */
export class Cast {
  readonly roots: Signer[];
  readonly log: NoteSigner;
  readonly logPq: NoteSigner;
  readonly witnesses: NoteSigner[];
  readonly replayer: NoteSigner;
  readonly authority: Signer;
  readonly license: Signer;
  readonly licensePq: Signer;
  readonly brake: Signer;
  readonly customer: Signer;
  readonly stranger: Signer;

  constructor(family = 'acme') {
    const ed = (name: string): Signer => ed25519Signer(`${family} ${name}`);
    this.roots = ['root 1', 'root 2', 'root 3'].map(ed);
    this.log = { name: origin, type: 1, signer: ed('log') };
    this.logPq = { name: origin, type: 6, signer: mlDsaSigner(`${family} log`) };
    this.witnesses = ['w1', 'w2'].map((name) => ({ name: `${name}.example`, type: 4, signer: ed(name) }));
    this.replayer = { name: 'replayer.example', type: 4, signer: ed('replayer') };
    this.authority = ed('authority');
    this.license = ed('license key');
    this.licensePq = mlDsaSigner(`${family} license key`);
    this.brake = ed('brake key');
    this.customer = ed('customer key');
    this.stranger = ed('stranger');
  }
}

type Json = Record<string, unknown>;

export const keyJson = ({ alg, key }: Pick<Signer, 'alg' | 'key'>): Json => ({ alg, key: b64(key) });

export function quorumText(
  witnesses: readonly NoteSigner[],
  replayers: readonly NoteSigner[],
  rule = 'all',
): string {
  const line = (party: NoteSigner, at: number, kind: string): string =>
    `witness ${kind}${at} ${vkeyOf(party)}\n`;
  return [
    ...witnesses.map((party, at) => line(party, at, 'w')),
    ...replayers.map((party, at) => line(party, at, 'r')),
    `group witnesses ${rule} ${witnesses.map((_, at) => `w${at}`).join(' ')}\n`,
    `group replayers any ${replayers.map((_, at) => `r${at}`).join(' ')}\n`,
    'group quorum all witnesses replayers\nquorum quorum\n',
  ].join('');
}

/** The payload of a trust root; `changes` replace members. */
export function trustJson(cast: Cast, changes: Json = {}): Json {
  return {
    v: 1,
    version: 1,
    genesis: null,
    prev: null,
    expires: '2030-01-01T00:00:00.000Z',
    root: { threshold: 2, keys: cast.roots.map(keyJson) },
    log: { origin, vkeys: [vkeyOf(cast.log)] },
    quorum: quorumText(cast.witnesses, [cast.replayer]),
    freshness: { offlineMax: 'P90D' },
    namespaces: { acme: { authority: { threshold: 1, keys: [keyJson(cast.authority)] }, require: {} } },
    ...changes,
  };
}

export function trustEnvelope(json: Json, signers: readonly Signer[]): Uint8Array {
  return dsse(trustType, bytesOf(JSON.stringify(json)), signers);
}

export function trustHash(envelope: Uint8Array): Uint8Array {
  return digest(payloadOf(envelope));
}

export function payloadOf(envelope: Uint8Array): Uint8Array {
  return Buffer.from((JSON.parse(Buffer.from(envelope).toString()) as { payload: string }).payload, 'base64');
}

export interface KeyPlan {
  signer: Signer;
  usages: string[];
  from?: number;
  until?: number | null;
  limits?: Json;
}

const noLimits = { offlineMax: null, termMax: null, seatsMax: null, perMinute: null };

export function namespaceKeyJson({ signer, usages, from = 0, until = null, limits = {} }: KeyPlan): Json {
  return {
    id: b64(fingerprint(signer)),
    alg: signer.alg,
    usages,
    from,
    until,
    limits: { ...noLimits, ...limits },
  };
}

export interface EntryPlan {
  id: string;
  /** Members of the document that replace the honest ones. */
  document?: Json;
  type?: string;
  signers?: Signer[];
  salt?: Uint8Array;
  /** Members of the record that replace the honest ones. */
  record?: Json;
  payloadType?: string;
  ns?: string;
}

export interface Logged {
  index: number;
  rev: number;
  leaf: Uint8Array;
  document: Uint8Array;
  salt: Uint8Array;
  entry: Uint8Array;
}

export interface AnchorPlan {
  /** Who cosigns, and when in seconds. */
  cosigners?: { party: NoteSigner; seconds: number }[];
  seconds?: number;
  logSigners?: NoteSigner[];
  mapRoot?: Uint8Array;
  /** H(payload) of the trust root that the entry names. */
  trust?: Uint8Array;
  index?: number;
  origin?: string;
  /** Lines added after the honest ones. */
  extraLines?: string;
  entry?: string;
}

export interface Anchor {
  size: number;
  seconds: number;
  entry: string;
  /** The checkpoint as a signed note. */
  note: string;
}

const instant = '2026-11-23T10:15:30.123Z';

export class World {
  readonly cast: Cast;
  readonly genesis: Uint8Array;
  readonly trustEnvelopes: Uint8Array[] = [];
  readonly entries: Uint8Array[] = [];
  readonly tree: LogTree = new LogTree();
  readonly map: SubjectMap = new SubjectMap();
  /** Every logged revision per subject, `ns/id`. */
  readonly logged: Map<string, Logged[]> = new Map();
  /** License, brake and customer keys of the namespace. */
  keys: KeyPlan[];

  constructor(options: { cast?: Cast; trust?: Json; keys?: KeyPlan[]; namespace?: Json; brake?: Json } = {}) {
    this.cast = options.cast ?? new Cast();
    const { cast } = this;
    this.keys = options.keys ?? [
      { signer: cast.license, usages: ['license'] },
      { signer: cast.brake, usages: ['brake'] },
      { signer: cast.customer, usages: ['customer'] },
    ];
    this.trustEnvelopes.push(trustEnvelope(trustJson(cast, options.trust), cast.roots.slice(0, 2)));
    this.genesis = trustHash(this.trustEnvelopes[0] as Uint8Array);
    this.append(this.trustEnvelopes[0] as Uint8Array);
    this.record({ id: 'namespace', document: options.namespace ?? {} });
    this.record({ id: 'brake', document: options.brake ?? {} });
  }

  append(entry: Uint8Array): number {
    this.entries.push(entry);
    this.tree.append(digest(Uint8Array.of(0), entry));
    return this.entries.length - 1;
  }

  subjectKey(id: string, ns = 'acme'): Uint8Array {
    return digest('tallystick/subject/v1', '\0', this.genesis, ns, '\0', id);
  }

  history(id: string, ns = 'acme'): Logged[] {
    return this.logged.get(`${ns}/${id}`) ?? [];
  }

  /** Logs the next revision of a subject. */
  record(plan: EntryPlan): Logged {
    const { id, ns = 'acme' } = plan;
    const before = this.history(id, ns).at(-1);
    const rev = before === undefined ? 0 : before.rev + 1;
    const type = plan.type ?? `${typeOf(id)}.${defaultParticiple(id, rev)}`;
    const document = bytesOf(JSON.stringify({ ...this.#head(id, ns, rev), ...plan.document }));
    const isPublic = id === 'namespace' || id === 'brake';
    const salt = plan.salt ?? (isPublic ? new Uint8Array(32) : digest(`salt ${ns} ${id} ${rev}`));
    const payload = JSON.stringify({
      v: 1,
      ns,
      type,
      subject: b64(this.subjectKey(id, ns)),
      rev,
      prev: before === undefined ? null : b64(before.leaf),
      doc: b64(digest('tallystick/document/v1', '\0', salt, document)),
      cause: b64(digest('cause')),
      at: instant,
      ...plan.record,
    });
    const entry = dsse(
      plan.payloadType ?? recordType,
      bytesOf(payload),
      plan.signers ?? this.#signersFor(id),
    );
    const index = this.append(entry);
    const leaf = digest(Uint8Array.of(0), entry);
    const logged = { index, rev, leaf, document, salt, entry };
    this.logged.set(`${ns}/${id}`, [...this.history(id, ns), logged]);
    this.map.set({ key: this.subjectKey(id, ns), leaf, index, rev });
    return logged;
  }

  #signersFor(id: string): Signer[] {
    if (id === 'namespace') return [this.cast.authority];
    return [id === 'brake' ? this.cast.brake : this.cast.license];
  }

  #head(id: string, ns: string, rev: number): Json {
    const head = { v: 1, type: typeOf(id), ns, id, rev, crit: [] };
    if (id === 'brake') return { ...head, epoch: 0, lock: 'open', minEpoch: 0, until: [] };
    if (id !== 'namespace') return { ...head, status: { state: 'active' }, epoch: 0 };
    const support = { name: 'Acme', email: 'help@acme.example', url: null };
    const keys = this.keys.map(namespaceKeyJson);
    return { ...head, name: 'Acme', mode: 'live', support, epoch: 0, lock: 'open', minEpoch: 0, keys };
  }

  /** Logs the next version of the trust root. */
  nextTrust(changes: Json, signers: readonly Signer[]): { envelope: Uint8Array; index: number } {
    const last = this.trustEnvelopes.at(-1) as Uint8Array;
    const json = trustJson(this.cast, {
      version: this.trustEnvelopes.length + 1,
      genesis: b64(this.genesis),
      prev: b64(trustHash(last)),
      ...changes,
    });
    const envelope = trustEnvelope(json, signers);
    this.trustEnvelopes.push(envelope);
    return { envelope, index: this.append(envelope) };
  }

  /** Appends a map root and has the checkpoint that ends in it signed and cosigned. */
  anchor(plan: AnchorPlan = {}): Anchor {
    const trust = plan.trust ?? trustHash(this.trustEnvelopes.at(-1) as Uint8Array);
    const index = plan.index ?? this.entries.length;
    const root = plan.mapRoot ?? this.map.root();
    const entry = plan.entry ?? `tallystick/map.root/v1\n${index}\n${b64(root)}\n${b64(trust)}\n${instant}\n`;
    this.append(bytesOf(entry));
    return this.sign(entry, plan);
  }

  /** Signs the log as it is now. */
  sign(entry: string, plan: AnchorPlan = {}): Anchor {
    const { cast } = this;
    const seconds = plan.seconds ?? startSeconds;
    const text = `${plan.origin ?? origin}\n${this.tree.size}\n${b64(this.tree.root())}\n`;
    const cosigners =
      plan.cosigners ?? [...cast.witnesses, cast.replayer].map((party) => ({ party, seconds }));
    const lines = [
      ...(plan.logSigners ?? [cast.log]).map((party) => noteLine(party, text)),
      ...cosigners.map((each) => noteLine(each.party, text, each.seconds)),
    ];
    const note = `${text}\n${lines.join('')}${plan.extraLines ?? ''}`;
    return { size: this.tree.size, seconds, entry, note };
  }

  tlogProof(index: number, anchor: Anchor): string {
    const path = this.tree.inclusionProof(index, anchor.size).map((hash) => `${b64(hash)}\n`);
    return `c2sp.org/tlog-proof@v1\nindex ${index}\n${path.join('')}\n${anchor.note}`;
  }

  trustStep(index: number, anchor: Anchor): Bundle['trust'][number] {
    return { envelope: this.entries[index] as Uint8Array, proof: this.tlogProof(index, anchor) };
  }

  /** What a bundle says of a subject as of an anchor; `revision` another one than the newest then. */
  subject(id: string, anchor: Anchor, revision?: number, ns = 'acme'): Bundle['subjects'][number] {
    const past = this.history(id, ns).filter((each) => each.index < anchor.size);
    const found = revision === undefined ? past.at(-1) : past[revision];
    const map = this.map.at(anchor.size - 1).prove(this.subjectKey(id, ns));
    if (found === undefined) return { id, state: null, map };
    const { document, salt, index, entry } = found;
    return {
      id,
      state: { document, salt, index, entry, path: this.tree.inclusionProof(index, anchor.size) },
      map,
    };
  }

  bundle(id: string, anchor: Anchor, options: { keys?: Signer[]; trust?: Bundle['trust'] } = {}): Bundle {
    const isIssued = this.history(id).some((each) => each.index < anchor.size);
    const keys = options.keys ?? [...(isIssued ? [this.cast.license] : []), this.cast.brake];
    return {
      trust: options.trust ?? [],
      anchor: { entry: anchor.entry, proof: this.tlogProof(anchor.size - 1, anchor) },
      keys: keys.map(({ alg, key }) => ({ alg, key })),
      subjects: [id, 'namespace', 'brake'].map((each) => this.subject(each, anchor)),
    };
  }
}

function typeOf(id: string): string {
  if (id.startsWith('lic_')) return 'license';
  return id.startsWith('cus_') ? 'customer' : id;
}

function defaultParticiple(id: string, rev: number): string {
  if (id.startsWith('lic_')) return rev === 0 ? 'issued' : 'amended';
  return rev === 0 ? 'created' : 'updated';
}
