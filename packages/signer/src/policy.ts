/** What a key may sign, whatever it is asked: its usage, its namespace, and its limits. */
import {
  asCount,
  asObject,
  asString,
  documentCommitment,
  equalBytes,
  type KeyAlgorithm,
  type KeyLimits,
  keyFingerprintText,
  type NamespaceKey,
  parseDuration,
  parseInstant,
  parseJson,
  subjectTypeOf,
  usageFor,
} from '@tallystick/core';
import type { SigningKey } from './keystore/signing-key.ts';
import { type RecordToSign, SignerRefusal } from './protocol/requests.ts';

/** Usages whose documents the key limits speak of. */
const limitedUsage = 'license';

/** A key that is to sign, within the tighter of the limits that its keystore and its namespace set. */
export interface SigningRight {
  key: SigningKey;
  limits: KeyLimits;
}

/** Counts signatures per key over the current minute. */
export class RateLimiter {
  readonly #now: () => number;
  readonly #counts = new Map<string, { minute: number; count: number }>();

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes `count` signatures from the key's allowance; throws SignerRefusal above it. */
  take({ key, limits }: SigningRight, count: number): void {
    const allowance = limits.perMinute;
    if (allowance === null) return;
    const minute = Math.floor(this.#now() / 60_000);
    const known = this.#counts.get(key.keyid);
    const used = known?.minute === minute ? known.count : 0;
    if (used + count > allowance) {
      throw new SignerRefusal('limit', `key ${key.keyid} may sign ${allowance} records a minute`);
    }
    this.#counts.set(key.keyid, { minute, count: used + count });
  }
}

/**
 * What signs a record: of each algorithm that it needs, the key that its namespace names in `signing`. Throws
 * SignerRefusal where one of them is not named, or not here.
 */
export function rightsFor(
  keys: readonly SigningKey[],
  {
    ns,
    type,
    signing,
    required,
    signsFrom,
  }: {
    ns: string;
    type: string;
    signing: readonly NamespaceKey[];
    required: readonly KeyAlgorithm[];
    /** The log index from which a key will sign that does not yet; null where none is listed. */
    signsFrom: () => number | null;
  },
): SigningRight[] {
  const usage = usageFor(subjectTypeOf(type));
  const found = keys.flatMap((key): SigningRight[] => {
    if (key.ns !== ns || !(key.usages as readonly string[]).includes(usage)) return [];
    if (!required.includes(key.publicKey.alg)) return [];
    const fingerprint = keyFingerprintText(key.publicKey);
    const named = signing.find(({ id }) => id === fingerprint);
    return named === undefined ? [] : [{ key, limits: tighterLimits(key.limits, named.limits) }];
  });
  const missing = required.find((alg) => !found.some(({ key }) => key.publicKey.alg === alg));
  // One of several algorithms alone would be refused by every verifier. Leases are not records.
  if (missing !== undefined || usage === 'lease') {
    const what = required.length > 1 ? `${missing} key` : 'key';
    throw new SignerRefusal(
      'no_key',
      `no ${what} here may sign ${type} in namespace ${ns}${adviceFor(usage, signsFrom())}`,
    );
  }
  return found;
}

/** A system from before there were principals has no key for them, and is to be told how it gets one. */
function adviceFor(usage: string, from: number | null): string {
  if (from !== null)
    return ` before log index ${from}: wait until the log has that many entries, or list one from nearer on`;
  if (usage !== 'gate') return '';
  return ': list one with the usage gate, made by tally keys generate, with tally namespace propose';
}

function tighterLimits(a: KeyLimits, b: KeyLimits): KeyLimits {
  return {
    offlineMax: tighter(a.offlineMax, b.offlineMax, parseDuration),
    termMax: tighter(a.termMax, b.termMax, parseDuration),
    seatsMax: tighter(a.seatsMax, b.seatsMax, Number),
    perMinute: tighter(a.perMinute, b.perMinute, Number),
  };
}

/** null sets no limit. */
function tighter<T>(a: T | null, b: T | null, measure: (limit: T) => number): T | null {
  if (a === null || b === null) return a ?? b;
  return measure(a) <= measure(b) ? a : b;
}

/**
 * Throws SignerRefusal unless the content is the one committed to and inside the key's limits. `now`
 * is the signer's own time in milliseconds: what the asker writes into a record moves no limit.
 */
export function checkContent(limits: KeyLimits, { record, content }: RecordToSign, now: number): void {
  if (subjectTypeOf(record.type) !== limitedUsage) return;
  if (content === null) {
    throw new SignerRefusal('commitment', 'license records are signed only with their document');
  }
  if (!equalBytes(documentCommitment(content.salt, content.document), record.doc)) {
    throw new SignerRefusal('commitment', 'the document is not the one that the record commits to');
  }
  const { offlineMax, termMax, seatsMax } = limits;
  if (offlineMax === null && termMax === null && seatsMax === null) return;
  const license = readLimited(content.document);
  const begin = Math.min(now, parseInstant(record.at));
  if (termMax !== null && license.runsUntil - begin > parseDuration(termMax)) {
    throw new SignerRefusal('limit', `the term is above the key's limit of ${termMax}`);
  }
  if (offlineMax !== null && license.maxAgeMs > parseDuration(offlineMax)) {
    throw new SignerRefusal('limit', `offline.maxAge is above the key's limit of ${offlineMax}`);
  }
  if (seatsMax !== null && license.seats > seatsMax) {
    throw new SignerRefusal('limit', `seats are above the key's limit of ${seatsMax}`);
  }
}

/** What limits are about, as a client would honor it: grace and fallback run, and tolerated seats are taken. */
interface LimitedLicense {
  /** Milliseconds; infinite for a perpetual license. */
  runsUntil: number;
  maxAgeMs: number;
  /** Infinite where nothing bounds them. */
  seats: number;
}

function readLimited(document: Uint8Array): LimitedLicense {
  try {
    const json = asObject(parseJson(document), 'license');
    const term = asObject(json.term, 'term');
    const updates = asObject(json.updates, 'updates');
    const seats = asObject(json.seats, 'seats');
    const offline = asObject(json.offline, 'offline');
    const ends = term.until === null ? Number.POSITIVE_INFINITY : parseInstant(asString(term.until, 'until'));
    const fallback = updates.fallback === null ? 0 : parseInstant(asString(updates.fallback, 'fallback'));
    const grace = parseDuration(asString(term.grace, 'grace'));
    const unbounded = seats.model === 'none' ? 0 : Number.POSITIVE_INFINITY;
    const max = seats.max === null ? unbounded : asCount(seats.max, 'seats.max');
    return {
      runsUntil: Math.max(ends + grace, fallback),
      maxAgeMs: parseDuration(asString(offline.maxAge, 'maxAge')),
      seats: max + asCount(seats.over, 'seats.over'),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SignerRefusal('malformed', `the document cannot be held against the key's limits: ${why}`);
  }
}
