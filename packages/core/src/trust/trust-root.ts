/**
 * The trust root: what a client pins, signed by a threshold of offline keys, and the chain of its
 * versions.
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { equalBytes } from '../encoding/bytes.ts';
import {
  asArray,
  asCount,
  asObject,
  asString,
  closedMembers,
  type JsonValue,
  parseJson,
  parseJsonText,
  requireVersion1,
} from '../encoding/json.ts';
import { parseDuration, parseInstant } from '../encoding/time.ts';
import { failingAs, IntegrityError, malformed } from '../errors.ts';
import { hashLength, sha256 } from '../hash.ts';
import { isKeyName, noteSignatureType, parseVerifierKey, type VerifierKey } from '../log/note.ts';
import { type Policy, parsePolicy } from '../log/policy.ts';
import { type Envelope, parseEnvelope, payloadTypes, signersOf } from '../record/dsse.ts';
import { isNamespaceName } from '../record/subject.ts';
import { isKeyAlgorithm, type KeyAlgorithm, type PublicKey, parsePublicKey } from './key.ts';
import { keyUsages } from './namespace.ts';

export interface KeyThreshold {
  threshold: number;
  keys: PublicKey[];
}

/** From log index `from` on, a record of the usage needs one valid signature per algorithm. */
export interface AlgorithmRequirement {
  from: number;
  algs: KeyAlgorithm[];
  /** Of licenses alone: what one that is perpetual needs in place of `algs`, and never less. */
  perpetual?: KeyAlgorithm[];
}

export interface NamespaceTrust {
  authority: KeyThreshold;
  /** By key usage; usages that are not listed need `ed25519`. */
  require: Map<string, AlgorithmRequirement[]>;
}

export interface TrustRoot {
  version: number;
  /** H(payload of version 1) */
  genesis: Uint8Array;
  /** H(payload of the version before), null in version 1. */
  prev: Uint8Array | null;
  expires: string;
  root: KeyThreshold;
  log: { origin: string; vkeys: VerifierKey[] };
  quorum: Policy;
  freshness: { offlineMax: string };
  namespaces: Map<string, NamespaceTrust>;
  /** H(payload): what map.root entries name this version by. */
  hash: Uint8Array;
  envelope: Envelope;
}

const members = [
  'v',
  'version',
  'genesis',
  'prev',
  'expires',
  'root',
  'log',
  'quorum',
  'freshness',
  'namespaces',
] as const;
const trustRootMultiline = new Set(['quorum']);
const keysMax = 32;
const versionsMax = 10_000;
const requirementsMax = 64;

/** Parses the envelope of a trust root, without checking who signed it. Throws MALFORMED or TOO_NEW. */
export function parseTrustRoot(bytes: Uint8Array): TrustRoot {
  const envelope = parseEnvelope(bytes, payloadTypes.trustRoot);
  const json = closedMembers(parseJson(envelope.payload, trustRootMultiline), members, 'trust root');
  requireVersion1(json.v, 'trust root');
  const version = asCount(json.version, 'trust root.version');
  const hash = sha256(envelope.payload);
  const log = closedMembers(json.log, ['origin', 'vkeys'], 'trust root.log');
  const freshness = closedMembers(json.freshness, ['offlineMax'], 'trust root.freshness');
  const trust: TrustRoot = {
    version,
    genesis: json.genesis === null ? hash : parseHash(json.genesis, 'trust root.genesis'),
    prev: json.prev === null ? null : parseHash(json.prev, 'trust root.prev'),
    expires: asString(json.expires, 'trust root.expires'),
    root: parseThreshold(json.root, 'trust root.root'),
    log: parseLog(asString(log.origin, 'log.origin'), asArray(log.vkeys, 'log.vkeys', 8)),
    quorum: parseQuorum(asString(json.quorum, 'trust root.quorum')),
    freshness: { offlineMax: asString(freshness.offlineMax, 'freshness.offlineMax') },
    namespaces: parseNamespaces(json.namespaces),
    hash,
    envelope,
  };
  if (
    version < 1 ||
    (version === 1) !== (json.genesis === null) ||
    (version === 1) !== (json.prev === null)
  ) {
    throw malformed('trust root: version, genesis and prev disagree');
  }
  parseInstant(trust.expires);
  parseDuration(trust.freshness.offlineMax);
  checkKeysOnce(trust);
  return trust;
}

/**
 * Checks a pin: the envelopes of all versions, from 1 up. Returns them parsed. Throws TRUST_INVALID
 * where a version does not follow from the one before.
 */
export async function verifyTrustChain(envelopes: readonly Uint8Array[]): Promise<TrustRoot[]> {
  const chain: TrustRoot[] = [];
  for (const bytes of envelopes) {
    const next = failingAs('TRUST_INVALID', `trust root ${chain.length + 1}`, () => parseTrustRoot(bytes));
    await verifyTrustStep(chain.at(-1) ?? null, next);
    chain.push(next);
  }
  if (chain.length === 0) throw new IntegrityError('TRUST_INVALID', 'no trust root');
  return chain;
}

/** `{"v":1,"envelopes":[b64…]}` and a line feed: the file that clients pin, every version from 1 up. */
export function formatTrustRootFile(envelopes: readonly Uint8Array[]): string {
  return `${JSON.stringify({ v: 1, envelopes: envelopes.map(base64) })}\n`;
}

/** The envelopes of a trust root file, unchecked; throws MALFORMED. */
export function parseTrustRootFile(text: string): Uint8Array[] {
  const json = closedMembers(parseJsonText(text.trimEnd()), ['v', 'envelopes'], 'trust root file');
  requireVersion1(json.v, 'trust root file');
  return asArray(json.envelopes, 'envelopes', versionsMax).map((envelope) =>
    decodeBase64(asString(envelope, 'envelope')),
  );
}

/**
 * Checks that `next` is signed by the threshold of `current` and by its own, and continues it.
 * `current` is null for version 1; `index` is the log index of `next`, where it is known. Throws TRUST_INVALID.
 */
export async function verifyTrustStep(
  current: TrustRoot | null,
  next: TrustRoot,
  index?: number,
): Promise<void> {
  checkTrustStep(current, next, index);
  if (!(await meetsThreshold(next.envelope, next.root))) {
    throw untrusted(`version ${next.version} is not signed by its own threshold`);
  }
  if (current !== null && !(await meetsThreshold(next.envelope, current.root))) {
    throw untrusted(`version ${next.version} is not signed by the threshold of version ${current.version}`);
  }
}

/**
 * As `verifyTrustStep`, without looking at signatures: whether `next` could follow `current` once enough people have
 * signed it. Throws TRUST_INVALID.
 */
export function checkTrustStep(current: TrustRoot | null, next: TrustRoot, index?: number): void {
  if (next.version !== (current?.version ?? 0) + 1)
    throw untrusted(`version ${next.version} is out of order`);
  if (current === null) return;
  if (next.prev === null || !equalBytes(next.prev, current.hash))
    throw untrusted('prev is not the version before');
  if (!equalBytes(next.genesis, current.genesis)) throw untrusted('genesis changed');
  checkRequirementsGrow(current, next, index ?? 0);
}

/** True where at least `threshold` of the keys signed; a key counts once. */
export async function meetsThreshold(envelope: Envelope, rule: KeyThreshold): Promise<boolean> {
  return (await signersOf(envelope, rule.keys)).length >= rule.threshold;
}

/**
 * The namespaces of `current` whose authority `next` changes, in keys or threshold: each has to be signed anew, right
 * after `next` is logged.
 */
export function changedAuthorities(current: TrustRoot, next: TrustRoot): string[] {
  return [...current.namespaces].flatMap(([ns, before]) => {
    const after = next.namespaces.get(ns);
    return after === undefined || isSameThreshold(before.authority, after.authority) ? [] : [ns];
  });
}

function isSameThreshold(a: KeyThreshold, b: KeyThreshold): boolean {
  const names = (rule: KeyThreshold): string =>
    rule.keys
      .map((key) => `${key.alg} ${base64(key.key)}`)
      .sort()
      .join();
  return a.threshold === b.threshold && names(a) === names(b);
}

const requiredByDefault: readonly KeyAlgorithm[] = ['ed25519'];

/**
 * The algorithms of which a record of this usage at this index needs a valid signature each; of a license, also by
 * whether it is perpetual.
 */
export function requiredAlgorithms(
  trust: Pick<NamespaceTrust, 'require'>,
  usage: string,
  index: number,
  isPerpetual: boolean,
): readonly KeyAlgorithm[] {
  const rule = trust.require.get(usage)?.findLast((requirement) => requirement.from <= index);
  return (isPerpetual ? rule?.perpetual : undefined) ?? rule?.algs ?? requiredByDefault;
}

/** A requirement, once made, stays for its range of indexes: new ones are appended, and reach back to nothing. */
function checkRequirementsGrow(current: TrustRoot, next: TrustRoot, index: number): void {
  for (const [ns, before] of current.namespaces) {
    const after = next.namespaces.get(ns);
    if (after === undefined) throw untrusted(`namespace ${ns} was dropped`);
    for (const [usage, rules] of before.require) {
      const kept = after.require.get(usage) ?? [];
      const same = rules.every((rule, at) => {
        const now = kept[at];
        return now !== undefined && isSameRequirement(now, rule);
      });
      if (!same) throw untrusted(`an algorithm requirement of namespace ${ns} changed`);
    }
    for (const [usage, rules] of after.require) {
      const added = rules.slice(before.require.get(usage)?.length ?? 0);
      if (added.some((rule) => rule.from < index))
        throw untrusted(`a requirement of ${ns} reaches back in the log`);
    }
  }
}

function isSameRequirement(a: AlgorithmRequirement, b: AlgorithmRequirement): boolean {
  const isSamePerpetual = a.perpetual?.join() === b.perpetual?.join();
  return a.from === b.from && a.algs.join() === b.algs.join() && isSamePerpetual;
}

function untrusted(message: string): IntegrityError {
  return new IntegrityError('TRUST_INVALID', `trust root: ${message}`);
}

function parseHash(value: JsonValue, what: string): Uint8Array {
  return decodeBase64(asString(value, what), hashLength);
}

function parseThreshold(value: JsonValue, what: string): KeyThreshold {
  const json = closedMembers(value, ['threshold', 'keys'], what);
  const keys = asArray(json.keys, `${what}.keys`, keysMax).map((key) => parsePublicKey(key, `${what}.key`));
  const threshold = asCount(json.threshold, `${what}.threshold`);
  if (threshold < 1 || threshold > keys.length) throw malformed(`${what}: threshold out of range`);
  return { threshold, keys };
}

function parseLog(origin: string, values: JsonValue[]): TrustRoot['log'] {
  if (!isKeyName(origin)) throw malformed('trust root: log.origin');
  const vkeys = values.map((value) => parseVerifierKey(asString(value, 'log.vkey')));
  if (!vkeys.some((vkey) => vkey.type === noteSignatureType.ed25519))
    throw malformed('log without an Ed25519 key');
  for (const vkey of vkeys) {
    if (vkey.name !== origin) throw malformed('log key under another name than the origin');
    if (vkey.type === noteSignatureType.ed25519Cosignature) throw malformed('log with a witness key');
  }
  return { origin, vkeys };
}

/**
 * The one shape of quorum that is accepted: it ends in `group quorum all witnesses replayers` and
 * `quorum quorum`, so that no quorum comes about without somebody who recomputed everything.
 */
function parseQuorum(text: string): Policy {
  if (!text.endsWith('\ngroup quorum all witnesses replayers\nquorum quorum\n')) {
    throw malformed('quorum does not ask for witnesses and replayers');
  }
  const policy = parsePolicy(text);
  if (policy.logs.length > 0) throw malformed('quorum with a log line');
  for (const name of ['witnesses', 'replayers']) {
    if (!policy.groups.some((group) => group.name === name))
      throw malformed(`quorum without a group ${name}`);
  }
  return policy;
}

function parseNamespaces(value: JsonValue): Map<string, NamespaceTrust> {
  const namespaces = new Map<string, NamespaceTrust>();
  for (const [ns, item] of Object.entries(asObject(value, 'trust root.namespaces'))) {
    if (!isNamespaceName(ns)) throw malformed(`trust root: ${ns} is not a namespace name`);
    const json = closedMembers(item, ['authority', 'require'], 'namespace trust');
    const require = new Map<string, AlgorithmRequirement[]>();
    for (const [usage, rules] of Object.entries(asObject(json.require, 'require'))) {
      if (!keyUsages.some((known) => known === usage))
        throw new IntegrityError('TOO_NEW', `requirement for the usage ${usage}`);
      require.set(usage, parseRequirements(asArray(rules, 'require', requirementsMax), usage));
    }
    namespaces.set(ns, { authority: parseThreshold(json.authority, 'authority'), require });
  }
  return namespaces;
}

function parseRequirements(values: JsonValue[], usage: string): AlgorithmRequirement[] {
  const rules = values.map((value): AlgorithmRequirement => {
    // Older versions answer TOO_NEW to this member, and so never do with less.
    if (asObject(value, 'require').perpetual === undefined) {
      const json = closedMembers(value, ['from', 'algs'], 'require');
      return { from: asCount(json.from, 'require.from'), algs: parseAlgorithms(json.algs) };
    }
    const json = closedMembers(value, ['from', 'algs', 'perpetual'], 'require');
    const algs = parseAlgorithms(json.algs);
    const perpetual = parseAlgorithms(json.perpetual);
    if (usage !== 'license') throw malformed(`require: no ${usage} is perpetual`);
    if (algs.some((alg) => !perpetual.includes(alg)))
      throw malformed('require: perpetual licenses need less than others');
    return { from: asCount(json.from, 'require.from'), algs, perpetual };
  });
  if (rules.some((rule, at) => at > 0 && rule.from <= (rules[at - 1] as AlgorithmRequirement).from)) {
    throw malformed('require: ranges out of order');
  }
  return rules;
}

function parseAlgorithms(value: JsonValue): KeyAlgorithm[] {
  const algs = asArray(value, 'require.algs', 3).map((alg) => {
    const name = asString(alg, 'require.alg');
    if (!isKeyAlgorithm(name)) throw new IntegrityError('TOO_NEW', `algorithm ${name}`);
    return name;
  });
  if (algs.length === 0 || new Set(algs).size !== algs.length) throw malformed('require.algs');
  return algs;
}

/** One key in two roles would count for both: compared by key bytes, whatever their names. */
function checkKeysOnce(trust: TrustRoot): void {
  const keys = [
    ...trust.root.keys,
    ...[...trust.namespaces.values()].flatMap((namespace) => namespace.authority.keys),
    ...trust.log.vkeys,
    ...trust.quorum.witnesses.map((witness) => witness.vkey),
  ].map((key) => base64(key.key));
  if (new Set(keys).size !== keys.length) throw malformed('trust root lists a key twice');
}
