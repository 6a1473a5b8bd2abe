/**
 * A new vendor's identity: trust root version 1, and the first namespace with its brake, under keys of all three
 * tiers. Nothing here touches a disk, and no private key: whoever calls decides where each is.
 */
import {
  type AlgorithmRequirement,
  type BrakeDocument,
  base64,
  encodeEnvelope,
  encodeTrustRootPayload,
  formatInstant,
  type KeyThreshold,
  keyFingerprint,
  logVerifierKey,
  type NamespaceDocument,
  payloadTypes,
  preAuthEncoding,
  type QuorumContent,
} from '@tallystick/core';
import { bootstrapLog, RandomPool, type Store } from '@tallystick/ledger';
import {
  generateKeySpec,
  type KeySpec,
  type KeystoreKey,
  type LoggedDocument,
  noLimits,
  type SigningAlgorithm,
  SigningKey,
} from '@tallystick/signer';

export interface IdentityOptions {
  /** Namespace, `[a-z][a-z0-9-]{0,30}`. */
  ns: string;
  /** The vendor's name, for people. */
  name: string;
  mode: 'live' | 'test';
  support: NamespaceDocument['support'];
  /** Name of the log: a schema-less URL. */
  origin: string;
  quorum: QuorumContent;
  /** Milliseconds. */
  now: number;
  /** Years until trust root version 1 expires. */
  trustYears: number;
  /** The longest that any client may go without fresh proof. */
  offlineMax: string;
  /** What perpetual licenses are signed with; Ed25519 alone, as everything else, where left out. */
  perpetual?: SystemAlgorithms;
}

/** A new system's keys, by what they are for. */
export interface IdentityKeys<Key = KeystoreKey> {
  /** Root and authority: used now, then kept where no server reaches. All keys of each have to sign. */
  root: Key[];
  authority: Key[];
  /** Log, access, issuing, brake and lease keys, for the signer. The log has one of each algorithm. */
  log: Key[];
  /** Signs the log that is kept of requests. */
  access: Key;
  /** Of each algorithm the first signs, where it is needed, and the others stand by for rotations. */
  issuing: Key[];
  brake: Key;
  lease: Key;
}

export interface Identity<Key extends KeystoreKey = KeystoreKey> {
  keys: IdentityKeys<Key>;
  /** Envelope of trust root version 1: what clients pin. */
  trustRoot: Uint8Array;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
}

/** One signs, and one stands by for the next rotation: each is listed in every license file. */
const issuingKeys = 2;

/** What root, log and cosigners sign with: with both a forger has to break both. */
export type SystemAlgorithms = readonly [SigningAlgorithm, ...SigningAlgorithm[]];
export const systemAlgorithms: SystemAlgorithms = ['ed25519', 'ml-dsa-44'];

/** What a namespace's keys are for, by the name of their kind. */
export const onlineKeyUsages = {
  issuing: ['product', 'plan', 'customer', 'license', 'gate'],
  brake: ['brake'],
  lease: ['lease'],
} as const;

export type OnlineKeyKind = keyof typeof onlineKeyUsages;

/** A key that a namespace may list. */
export function generateOnlineKey(
  kind: OnlineKeyKind,
  ns: string,
  alg: SigningAlgorithm = 'ed25519',
): KeySpec {
  return generateKeySpec([...onlineKeyUsages[kind]], ns, noLimits, alg);
}

/** Fresh keys of a namespace, for sealed files. */
export function generateIdentityKeys(
  ns: string,
  algorithms: SystemAlgorithms = systemAlgorithms,
  perpetual: SystemAlgorithms = ['ed25519'],
): IdentityKeys<KeySpec> {
  return {
    root: algorithms.map((alg) => generateKeySpec(['root'], null, noLimits, alg)),
    // Whoever lists the keys of perpetual licenses must be no easier to forge than they are.
    authority: perpetual.map((alg) => generateKeySpec(['authority'], ns, noLimits, alg)),
    log: algorithms.map((alg) => generateKeySpec(['log'], null, noLimits, alg)),
    access: generateKeySpec(['access'], null),
    issuing: perpetual.flatMap((alg) =>
      Array.from({ length: issuingKeys }, () => generateOnlineKey('issuing', ns, alg)),
    ),
    brake: generateOnlineKey('brake', ns),
    lease: generateOnlineKey('lease', ns),
  };
}

/** Keys in memory, of their seeds. */
export function keysInMemory(specs: IdentityKeys<KeySpec>): IdentityKeys<SigningKey> {
  return {
    root: specs.root.map((spec) => new SigningKey(spec)),
    authority: specs.authority.map((spec) => new SigningKey(spec)),
    log: specs.log.map((spec) => new SigningKey(spec)),
    access: new SigningKey(specs.access),
    issuing: specs.issuing.map((spec) => new SigningKey(spec)),
    brake: new SigningKey(specs.brake),
    lease: new SigningKey(specs.lease),
  };
}

/** Those that the signer has: all but root and authority. */
export function onlineKeys<Key>({ log, access, issuing, brake, lease }: IdentityKeys<Key>): Key[] {
  return [...log, access, ...issuing, brake, lease];
}

/** Log index of the namespace's first record, from which its keys are valid. */
const namespaceIndex = 1;

/** Signs trust root version 1 with the root keys, and describes the namespace that its keys are of. */
export async function createIdentity<Key extends KeystoreKey>(
  options: IdentityOptions,
  keys: IdentityKeys<Key>,
): Promise<Identity<Key>> {
  const { ns } = options;
  return {
    keys,
    trustRoot: await signTrustRoot(options, keys),
    namespace: namespaceDocument(options, [...keys.issuing, keys.brake, keys.lease]),
    brake: {
      v: 1,
      type: 'brake',
      ns,
      id: 'brake',
      rev: 0,
      crit: [],
      epoch: 0,
      lock: 'open',
      minEpoch: 0,
      until: [],
    },
  };
}

/** Writes an identity's first entries into an empty store. Returns its public documents as they were logged. */
export async function bootstrapIdentity(
  store: Store,
  identity: Identity,
  context: { random: (length: number) => Uint8Array; now: number; who: { kind: string; id: string } },
): Promise<LoggedDocument[]> {
  const { authority, brake } = identity.keys;
  const signBy = (keys: readonly KeystoreKey[]) => (message: Uint8Array) =>
    Promise.all(keys.map(async (key) => ({ keyid: key.keyid, sig: await key.sign(message) })));
  return bootstrapLog(store, {
    trustRoot: identity.trustRoot,
    ns: identity.namespace.ns,
    namespace: identity.namespace,
    brake: identity.brake,
    signAsAuthority: signBy(authority),
    signAsBrake: signBy([brake]),
    cause: { who: context.who, why: 'the log begins' },
    at: formatInstant(context.now),
    random: new RandomPool(context.random),
  });
}

async function signTrustRoot(options: IdentityOptions, keys: IdentityKeys): Promise<Uint8Array> {
  const { root, authority, log } = keys;
  const expires = new Date(options.now);
  expires.setUTCFullYear(expires.getUTCFullYear() + options.trustYears);
  const payload = encodeTrustRootPayload({
    version: 1,
    genesis: null,
    prev: null,
    expires: expires.toISOString(),
    root: thresholdOf(root),
    log: {
      origin: options.origin,
      vkeys: log.map(({ publicKey }) => logVerifierKey(options.origin, publicKey)),
    },
    quorum: options.quorum,
    freshness: { offlineMax: options.offlineMax },
    namespaces: new Map([
      [options.ns, { authority: thresholdOf(authority), require: requirements(options) }],
    ]),
  });
  const message = preAuthEncoding(payloadTypes.trustRoot, payload);
  const signatures = root.map(async (key) => ({ keyid: key.keyid, sig: await key.sign(message) }));
  return encodeEnvelope({
    payload,
    payloadType: payloadTypes.trustRoot,
    signatures: await Promise.all(signatures),
  });
}

/** All of them have to sign. */
function thresholdOf(keys: readonly KeystoreKey[]): KeyThreshold {
  return { threshold: keys.length, keys: keys.map(({ publicKey }) => publicKey) };
}

function requirements({ perpetual = ['ed25519'] }: IdentityOptions): Map<string, AlgorithmRequirement[]> {
  if (perpetual.length === 1) return new Map();
  return new Map([['license', [{ from: 0, algs: ['ed25519'], perpetual: [...perpetual] }]]]);
}

function namespaceDocument(options: IdentityOptions, issuers: readonly KeystoreKey[]): NamespaceDocument {
  const keys = issuers.map((key): NamespaceDocument['keys'][number] => {
    const usages = [...key.usages] as NamespaceDocument['keys'][number]['usages'];
    const id = base64(keyFingerprint(key.publicKey));
    const { alg } = key.publicKey;
    return { id, alg, usages, from: namespaceIndex, until: null, limits: noLimits };
  });
  const { ns, name, mode, support } = options;
  const head = { v: 1, type: 'namespace', ns, id: 'namespace', rev: 0, crit: [] } as const;
  return { ...head, crit: [], name, mode, support, epoch: 0, lock: 'open', minEpoch: 0, keys };
}
