/**
 * A new vendor's identity: the keys of all three tiers, trust root version 1, and the first namespace
 * with its brake. Nothing here touches a disk; whoever calls decides where each key goes.
 */
import {
  type BrakeDocument,
  base64,
  encodeEnvelope,
  encodeTrustRootPayload,
  formatInstant,
  keyFingerprint,
  makeVerifierKey,
  type NamespaceDocument,
  noteSignatureType,
  payloadTypes,
  preAuthEncoding,
  type QuorumContent,
} from '@tallystick/core';
import { bootstrapLog, RandomPool, type Store } from '@tallystick/ledger';
import { generateKeySpec, type KeySpec, noLimits, SigningKey } from '@tallystick/signer';

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
}

export interface Identity {
  /** Root and authority: used now, then kept where no server reaches. */
  offlineKeys: KeySpec[];
  /** Log, issuing, brake and lease keys, for the signer. */
  onlineKeys: KeySpec[];
  /** Envelope of trust root version 1: what clients pin. */
  trustRoot: Uint8Array;
  namespace: NamespaceDocument;
  brake: BrakeDocument;
}

/** Log index of the namespace's first record, from which its keys are valid. */
const namespaceIndex = 1;

/** One signs, and one stands by for the next rotation: each is listed in every license file. */
const issuingKeys = 2;

export function createIdentity(options: IdentityOptions): Identity {
  const { ns } = options;
  const root = generateKeySpec(['root'], null);
  const authority = generateKeySpec(['authority'], ns);
  const log = generateKeySpec(['log'], null);
  const issuing = Array.from({ length: issuingKeys }, () =>
    generateKeySpec(['product', 'plan', 'customer', 'license'], ns),
  );
  const brake = generateKeySpec(['brake'], ns);
  const lease = generateKeySpec(['lease'], ns);
  return {
    offlineKeys: [root, authority],
    onlineKeys: [log, ...issuing, brake, lease],
    trustRoot: signTrustRoot(options, { root, authority, log }),
    namespace: namespaceDocument(options, [...issuing, brake, lease]),
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

/** Writes an identity's first entries into an empty store. */
export async function bootstrapIdentity(
  store: Store,
  identity: Identity,
  context: { random: (length: number) => Uint8Array; now: number; who: { kind: string; id: string } },
): Promise<void> {
  const authority = keyWith(identity.offlineKeys, 'authority');
  const brake = keyWith(identity.onlineKeys, 'brake');
  const signBy = (key: SigningKey) => (message: Uint8Array) => ({ keyid: key.keyid, sig: key.sign(message) });
  await bootstrapLog(store, {
    trustRoot: identity.trustRoot,
    ns: identity.namespace.ns,
    namespace: identity.namespace,
    brake: identity.brake,
    signAsAuthority: signBy(authority),
    signAsBrake: signBy(brake),
    cause: { who: context.who, why: 'the log begins' },
    at: formatInstant(context.now),
    random: new RandomPool(context.random),
  });
}

function keyWith(specs: readonly KeySpec[], usage: KeySpec['usages'][number]): SigningKey {
  const spec = specs.find((each) => each.usages.includes(usage));
  if (spec === undefined) throw new Error(`no ${usage} key`);
  return new SigningKey(spec);
}

function signTrustRoot(
  options: IdentityOptions,
  specs: { root: KeySpec; authority: KeySpec; log: KeySpec },
): Uint8Array {
  const root = new SigningKey(specs.root);
  const authority = new SigningKey(specs.authority).publicKey;
  const logKey = new SigningKey(specs.log).publicKey;
  const expires = new Date(options.now);
  expires.setUTCFullYear(expires.getUTCFullYear() + options.trustYears);
  const payload = encodeTrustRootPayload({
    version: 1,
    genesis: null,
    prev: null,
    expires: expires.toISOString(),
    root: { threshold: 1, keys: [root.publicKey] },
    log: {
      origin: options.origin,
      vkeys: [makeVerifierKey(options.origin, noteSignatureType.ed25519, logKey.key)],
    },
    quorum: options.quorum,
    freshness: { offlineMax: options.offlineMax },
    namespaces: new Map([
      [options.ns, { authority: { threshold: 1, keys: [authority] }, require: new Map() }],
    ]),
  });
  const sig = root.sign(preAuthEncoding(payloadTypes.trustRoot, payload));
  return encodeEnvelope({
    payload,
    payloadType: payloadTypes.trustRoot,
    signatures: [{ keyid: root.keyid, sig }],
  });
}

function namespaceDocument(options: IdentityOptions, specs: readonly KeySpec[]): NamespaceDocument {
  const keys = specs.map((spec): NamespaceDocument['keys'][number] => {
    const { publicKey } = new SigningKey(spec);
    const usages = spec.usages as NamespaceDocument['keys'][number]['usages'];
    const id = base64(keyFingerprint(publicKey));
    return { id, alg: spec.alg, usages, from: namespaceIndex, until: null, limits: noLimits };
  });
  const { ns, name, mode, support } = options;
  const head = { v: 1, type: 'namespace', ns, id: 'namespace', rev: 0, crit: [] } as const;
  return { ...head, crit: [], name, mode, support, epoch: 0, lock: 'open', minEpoch: 0, keys };
}
