/** What a key may sign, whatever it is asked: its usage, its namespace, and its limits. */
import { documentCommitment, equalBytes, parseDuration, subjectTypeOf } from '@tallystick/core';
import type { SigningKey } from './keystore/signing-key.ts';
import { type RecordToSign, SignerRefusal } from './protocol/requests.ts';

/** Usages whose documents the key limits speak of. */
const limitedUsage = 'license';

/** Counts signatures per key over the current minute. */
export class RateLimiter {
  readonly #now: () => number;
  readonly #counts = new Map<string, { minute: number; count: number }>();

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes `count` signatures from the key's allowance; throws SignerRefusal above it. */
  take(key: SigningKey, count: number): void {
    const allowance = key.limits.perMinute;
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

/** The keys that sign records of a type in a namespace; throws SignerRefusal where there is none. */
export function keysFor(keys: readonly SigningKey[], ns: string, recordType: string): SigningKey[] {
  const usage = subjectTypeOf(recordType);
  const found = keys.filter((key) => key.ns === ns && (key.usages as readonly string[]).includes(usage));
  if (found.length === 0 || usage === 'lease') {
    throw new SignerRefusal('no_key', `no key here may sign ${recordType} in namespace ${ns}`);
  }
  return found;
}

/** Throws SignerRefusal unless the content is the one committed to and inside the key's limits. */
export function checkContent(key: SigningKey, { record, content }: RecordToSign): void {
  if (subjectTypeOf(record.type) !== limitedUsage) return;
  if (content === null)
    throw new SignerRefusal('commitment', 'license records are signed only with their document');
  if (!equalBytes(documentCommitment(content.salt, content.document), record.doc)) {
    throw new SignerRefusal('commitment', 'the document is not the one that the record commits to');
  }
  const { offlineMax, termMax, seatsMax } = key.limits;
  if (offlineMax === null && termMax === null && seatsMax === null) return;
  const license = JSON.parse(Buffer.from(content.document).toString('utf8')) as LimitedLicense;
  if (termMax !== null) checkTerm(license, record.at, termMax);
  if (offlineMax !== null && parseDuration(license.offline.maxAge) > parseDuration(offlineMax)) {
    throw new SignerRefusal('limit', `offline.maxAge is above the key's limit of ${offlineMax}`);
  }
  if (
    seatsMax !== null &&
    (license.seats.max === null ? license.seats.model !== 'none' : license.seats.max > seatsMax)
  ) {
    throw new SignerRefusal('limit', `seats are above the key's limit of ${seatsMax}`);
  }
}

/** The members of a license document that limits are about. */
interface LimitedLicense {
  term: { until: string | null };
  offline: { maxAge: string };
  seats: { model: string; max: number | null };
}

function checkTerm(license: LimitedLicense, at: string, termMax: string): void {
  const { until } = license.term;
  if (until === null || Date.parse(until) - Date.parse(at) > parseDuration(termMax)) {
    throw new SignerRefusal('limit', `the term is above the key's limit of ${termMax}`);
  }
}
