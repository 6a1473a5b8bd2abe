/**
 * The two public documents of a namespace: which keys may sign what over which range of log
 * indexes, and the brake that can only tighten it.
 */
import { decodeBase64 } from '../encoding/base64.ts';
import {
  asArray,
  asCount,
  asObject,
  asString,
  closedMembers,
  type JsonObject,
  type JsonValue,
  parseJson,
  requireVersion1,
} from '../encoding/json.ts';
import { parseDuration } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { isKeyAlgorithm, type KeyAlgorithm, keyFingerprintText, type PublicKey } from './key.ts';

export const lockLevels = ['open', 'heightened', 'read-only', 'frozen', 'sealed'] as const;
export type LockLevel = (typeof lockLevels)[number];

export const keyUsages = ['product', 'plan', 'customer', 'license', 'gate', 'brake', 'lease'] as const;
export type KeyUsage = (typeof keyUsages)[number];

export interface KeyLimits {
  offlineMax: string | null;
  termMax: string | null;
  seatsMax: number | null;
  perMinute: number | null;
}

export interface NamespaceKey {
  /** H(alg || 00 || raw key), base64. */
  id: string;
  alg: KeyAlgorithm;
  usages: KeyUsage[];
  /** First log index at which the key is valid. */
  from: number;
  /** First log index at which it no longer is; null while open-ended. */
  until: number | null;
  limits: KeyLimits;
}

export interface NamespaceDocument {
  v: 1;
  type: 'namespace';
  ns: string;
  id: 'namespace';
  rev: number;
  crit: string[];
  name: string;
  mode: 'live' | 'test';
  support: { name: string | null; email: string | null; url: string | null };
  epoch: number;
  lock: LockLevel;
  minEpoch: number;
  keys: NamespaceKey[];
}

export interface BrakeDocument {
  v: 1;
  type: 'brake';
  ns: string;
  id: 'brake';
  rev: number;
  crit: string[];
  epoch: number;
  lock: LockLevel;
  minEpoch: number;
  until: KeyEnd[];
  /**
   * Keys whose private half is gone, with the log index that this was to be stated at: from there on they sign nothing,
   * in whatever epoch. Left out while there is none.
   */
  destroyed?: KeyEnd[];
}

/** A key by its fingerprint, and a log index. */
export interface KeyEnd {
  id: string;
  index: number;
}

/** The parts of the two documents that say which keys may sign. */
type KeyList = Pick<NamespaceDocument, 'epoch' | 'keys'>;
type KeyCuts = Pick<BrakeDocument, 'epoch' | 'until' | 'destroyed'>;
type Locking = Pick<BrakeDocument, 'epoch' | 'lock'>;
/** What a brake tightens. */
type Braking = Pick<BrakeDocument, 'epoch' | 'lock' | 'minEpoch' | 'until' | 'destroyed'>;

/**
 * How far the time in a namespace record may lie behind the entries before it, in milliseconds: its authority signs
 * offline, while the log goes on.
 */
export const authorityDelayMaxMs: number = 7 * 86_400_000;

const keysMax = 256;

/** What every document begins with, checked: version, type, and nothing critical that is unknown. */
export function parseDocumentHead(json: JsonObject, type: string): { ns: string; id: string; rev: number } {
  requireVersion1(json.v, type);
  if (json.type !== type) {
    const found = asString(json.type, 'type');
    throw malformed(`document of type ${found}, expected ${type}`);
  }
  for (const name of asArray(json.crit, 'crit', 64)) {
    throw new IntegrityError('TOO_NEW', `document needs a reader that knows ${asString(name, 'crit')}`);
  }
  return { ns: asString(json.ns, 'ns'), id: asString(json.id, 'id'), rev: asCount(json.rev, 'rev') };
}

/** Parses the bytes of a namespace document; throws MALFORMED or TOO_NEW. */
export function parseNamespace(bytes: Uint8Array): NamespaceDocument {
  return readNamespace(asObject(parseJson(bytes), 'namespace'));
}

/** As `parseNamespace`, for JSON that was checked against the profile. */
export function readNamespace(json: JsonObject): NamespaceDocument {
  const head = parseDocumentHead(json, 'namespace');
  const support = asObject(json.support, 'support');
  const mode = asString(json.mode, 'mode');
  if (head.id !== 'namespace' || (mode !== 'live' && mode !== 'test'))
    throw malformed('namespace: id or mode');
  const document: NamespaceDocument = {
    v: 1,
    type: 'namespace',
    ns: head.ns,
    id: 'namespace',
    rev: head.rev,
    crit: [],
    name: asString(json.name, 'name'),
    mode,
    support: {
      name: textOrNull(support.name),
      email: textOrNull(support.email),
      url: textOrNull(support.url),
    },
    ...parseEpochs(json),
    keys: asArray(json.keys, 'keys', keysMax).map(parseNamespaceKey),
  };
  const ids = document.keys.map((key) => key.id);
  if (new Set(ids).size !== ids.length) throw malformed('namespace lists a key twice');
  return document;
}

/** Parses the bytes of a brake document; throws MALFORMED or TOO_NEW. */
export function parseBrake(bytes: Uint8Array): BrakeDocument {
  return readBrake(asObject(parseJson(bytes), 'brake'));
}

/** As `parseBrake`, for JSON that was checked against the profile. */
export function readBrake(json: JsonObject): BrakeDocument {
  const head = parseDocumentHead(json, 'brake');
  if (head.id !== 'brake') throw malformed('brake: id');
  const until = parseKeyEnds(json.until, 'until');
  const destroyed = json.destroyed === undefined ? [] : parseKeyEnds(json.destroyed, 'destroyed');
  return {
    v: 1,
    type: 'brake',
    ns: head.ns,
    id: 'brake',
    rev: head.rev,
    crit: [],
    ...parseEpochs(json),
    until,
    ...(destroyed.length > 0 && { destroyed }),
  };
}

function parseKeyEnds(value: JsonValue | undefined, what: string): KeyEnd[] {
  const ends = asArray(value, what, keysMax).map((item) => {
    const { id, index } = closedMembers(item, ['id', 'index'], what);
    return { id: parseKeyId(id), index: asCount(index, `${what}.index`) };
  });
  if (new Set(ends.map(({ id }) => id)).size !== ends.length) throw malformed('brake lists a key twice');
  return ends;
}

/**
 * Throws ALTERED where a brake is of an epoch that its namespace has not reached: it can tighten only the one it
 * was made for.
 */
export function checkBrakeEpoch(namespace: NamespaceDocument, brake: BrakeDocument): void {
  if (brake.epoch > namespace.epoch)
    throw new IntegrityError('ALTERED', 'brake of a later epoch than the namespace');
}

/** The stricter of both: a brake of an earlier epoch is ignored. */
export function effectiveLock(namespace: Locking, brake: Locking): LockLevel {
  if (brake.epoch !== namespace.epoch) return namespace.lock;
  const level = Math.max(lockLevels.indexOf(namespace.lock), lockLevels.indexOf(brake.lock));
  return lockLevels[level] as LockLevel;
}

export function effectiveMinEpoch(
  namespace: Pick<NamespaceDocument, 'epoch' | 'minEpoch'>,
  brake: Pick<BrakeDocument, 'epoch' | 'minEpoch'>,
): number {
  return brake.epoch === namespace.epoch ? Math.max(namespace.minEpoch, brake.minEpoch) : namespace.minEpoch;
}

/**
 * The namespace's entry for a key that may sign records of `usage` at log `index`; undefined where
 * it may not. `brake` null judges by the namespace alone, as brake records are.
 */
export function entitledKey(
  namespace: NamespaceDocument,
  brake: BrakeDocument | null,
  key: PublicKey,
  usage: string,
  index: number,
): NamespaceKey | undefined {
  const id = keyFingerprintText(key);
  const entry = namespace.keys.find((listed) => listed.alg === key.alg && listed.id === id);
  return entry !== undefined && isEntitled(namespace, brake, entry, usage, index) ? entry : undefined;
}

/**
 * Every key that may sign records of `usage` at log `index`, in the order of the namespace. A signer takes the first
 * one of each algorithm: so the public documents alone say which key signs, and ending its range hands over to the next.
 */
export function entitledKeys(
  namespace: KeyList,
  brake: KeyCuts | null,
  usage: string,
  index: number,
): NamespaceKey[] {
  return namespace.keys.filter((entry) => isEntitled(namespace, brake, entry, usage, index));
}

/** The first log index from `index` on at which a key is entitled to a usage; null where none is listed for that. */
export function entitledFrom(
  namespace: KeyList,
  brake: KeyCuts | null,
  usage: string,
  index: number,
): number | null {
  const later = namespace.keys.map(({ from }) => from).filter((from) => from > index);
  const starts = [index, ...later.sort((a, b) => a - b)];
  return starts.find((at) => entitledKeys(namespace, brake, usage, at).length > 0) ?? null;
}

function isEntitled(
  namespace: KeyList,
  brake: KeyCuts | null,
  entry: NamespaceKey,
  usage: string,
  index: number,
): boolean {
  if (!(entry.usages as string[]).includes(usage) || index < entry.from) return false;
  return index < effectiveUntil(namespace, brake, entry);
}

/** The first log index at which a key is no longer valid; infinite while nothing ends it. */
export function effectiveUntil(
  { epoch }: Pick<KeyList, 'epoch'>,
  brake: KeyCuts | null,
  key: Pick<NamespaceKey, 'id' | 'until'>,
): number {
  return Math.min(
    key.until ?? Number.POSITIVE_INFINITY,
    brake?.epoch === epoch ? indexOf(brake.until, key.id) : Number.POSITIVE_INFINITY,
    destroyedSince(brake, key.id),
  );
}

/** The log index from which a key counts as destroyed, in every epoch; infinite where it does not. */
export function destroyedSince(brake: Pick<BrakeDocument, 'destroyed'> | null, id: string): number {
  return indexOf(brake?.destroyed ?? [], id);
}

function indexOf(ends: readonly KeyEnd[], id: string): number {
  return ends.find((end) => end.id === id)?.index ?? Number.POSITIVE_INFINITY;
}

/**
 * What brakes of one epoch say together; those of other epochs say nothing about it, but for the keys that they call
 * destroyed.
 */
export function tightestBrake(epoch: number, brakes: readonly (Braking | null)[]): Omit<Braking, 'epoch'> {
  let lock = 0;
  let minEpoch = 0;
  for (const brake of brakes) {
    if (brake?.epoch !== epoch) continue;
    lock = Math.max(lock, lockLevels.indexOf(brake.lock));
    minEpoch = Math.max(minEpoch, brake.minEpoch);
  }
  const until = lowestEnds(brakes.map((brake) => (brake?.epoch === epoch ? brake.until : [])));
  const destroyed = lowestEnds(brakes.map((brake) => brake?.destroyed ?? []));
  return {
    lock: lockLevels[lock] as LockLevel,
    minEpoch,
    until,
    ...(destroyed.length > 0 && { destroyed }),
  };
}

function lowestEnds(lists: readonly (readonly KeyEnd[])[]): KeyEnd[] {
  const lowest = new Map<string, number>();
  for (const { id, index } of lists.flat()) lowest.set(id, Math.min(index, lowest.get(id) ?? index));
  return [...lowest].map(([id, index]) => ({ id, index }));
}

/** The first log index above `index` at which the range of any key begins or ends. */
export function nextKeyBoundary({ keys }: KeyList, brake: KeyCuts | null, index: number): number {
  const ranges = keys.flatMap(({ from, until }) => [from, until ?? Number.POSITIVE_INFINITY]);
  const ends = [...(brake?.until ?? []), ...(brake?.destroyed ?? [])].map((end) => end.index);
  return Math.min(Number.POSITIVE_INFINITY, ...[...ranges, ...ends].filter((boundary) => boundary > index));
}

function parseEpochs(json: JsonObject): { epoch: number; lock: LockLevel; minEpoch: number } {
  const lock = lockLevels.find((level) => level === json.lock);
  if (lock === undefined) throw new IntegrityError('TOO_NEW', 'unknown lock level');
  return { epoch: asCount(json.epoch, 'epoch'), lock, minEpoch: asCount(json.minEpoch, 'minEpoch') };
}

function parseNamespaceKey(value: JsonValue): NamespaceKey {
  const json = closedMembers(value, ['id', 'alg', 'usages', 'from', 'until', 'limits'], 'namespace key');
  const limits = closedMembers(json.limits, ['offlineMax', 'termMax', 'seatsMax', 'perMinute'], 'limits');
  const alg = asString(json.alg, 'alg');
  if (!isKeyAlgorithm(alg)) throw new IntegrityError('TOO_NEW', `algorithm ${alg}`);
  const key: NamespaceKey = {
    id: parseKeyId(json.id),
    alg,
    usages: asArray(json.usages, 'usages', 16).map(parseUsage),
    from: asCount(json.from, 'from'),
    until: countOrNull(json.until),
    limits: {
      offlineMax: textOrNull(limits.offlineMax),
      termMax: textOrNull(limits.termMax),
      seatsMax: countOrNull(limits.seatsMax),
      perMinute: countOrNull(limits.perMinute),
    },
  };
  if (key.limits.offlineMax !== null) parseDuration(key.limits.offlineMax);
  if (key.limits.termMax !== null) parseDuration(key.limits.termMax);
  return key;
}

function parseUsage(value: JsonValue): KeyUsage {
  const usage = keyUsages.find((known) => known === value);
  if (usage === undefined) throw new IntegrityError('TOO_NEW', 'unknown key usage');
  return usage;
}

function parseKeyId(value: JsonValue | undefined): string {
  const id = asString(value, 'key id');
  decodeBase64(id, hashLength);
  return id;
}

function textOrNull(value: JsonValue | undefined): string | null {
  return value === null ? null : asString(value, 'text');
}

function countOrNull(value: JsonValue | undefined): number | null {
  return value === null ? null : asCount(value, 'number');
}
