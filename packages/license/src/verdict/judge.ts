/**
 * The last step of verification: the judgment of a license that is already proven.
 *
 * Everything here is a pure function of its arguments. Integrity has been checked before: the documents are
 * authentic, logged, and the newest as of `asOf`.
 */
import type { BrakeDocument, Duration, Instant, LicenseDocument, NamespaceDocument } from '../documents.ts';
import { instantToMs } from '../time.ts';
import {
  afterElapsed,
  type Clock,
  type ClockInputs,
  effectiveNow,
  isRolledBack,
  readClock,
  untilCaughtUp,
  untilEffective,
} from './clock.ts';
import { type Need, needChanges, observeNeeds } from './needs.ts';
import {
  ageAt,
  freshnessChanges,
  freshnessOf,
  type StalenessLimits,
  type StalenessTerms,
  stalenessLimits,
} from './staleness.ts';
import { observeEpoch, observeLock, observeStatus } from './standing.ts';
import { observeRelease, observeTerm, type Release, termChanges } from './term.ts';
import { conclude, type Finding, finding, tolerated, type Verdict } from './verdict.ts';

/** TRUST_EXPIRING is said from this long before the governing trust root expires. */
export const TRUST_EXPIRING_MS: number = 30 * 86_400_000;
/** The greatest instant that a Date can hold. */
const LAST_INSTANT_MS = 8_640_000_000_000_000;

/** What the integrity checks have proven. */
export interface Proven {
  /** Null when it is proven that no such license was ever issued. */
  readonly license: LicenseDocument | null;
  readonly namespace: NamespaceDocument;
  readonly brake: BrakeDocument;
  /** Milliseconds since 1970. */
  readonly asOf: number;
  /** `limits.offlineMax` of the key that signed the license's record. */
  readonly keyOfflineMax: Duration | null;
  /** `freshness.offlineMax` of the governing trust root. */
  readonly trustOfflineMax: Duration;
  /** `expires` of the governing trust root. */
  readonly trustExpires: Instant;
}

/** What the application asks. */
export interface JudgeRequest extends ClockInputs {
  /** Ids or codes of the products that the application is built for. */
  readonly products: readonly string[];
  /** The wall clock, milliseconds since 1970. */
  readonly now: number;
  readonly release?: Release;
  readonly need?: readonly Need[];
}

/**
 * Judges a proven license. Throws TypeError when the request itself is wrong (a time or an amount that is not
 * a number), and what the parsers of `time.ts` throw when an instant or a duration is malformed.
 */
export function judge(proven: Proven, request: JudgeRequest): Verdict {
  const clock = readClock(request.now, proven.asOf, request);
  const findings = observe(proven, request, clock);
  return conclude(findings, {
    asOf: proven.asOf,
    changesAt: nextChange(proven, request, clock, findings),
    contact: proven.namespace.support,
  });
}

/** A license for another product says nothing about this application, so nothing else of it is judged. */
function observe(proven: Proven, request: JudgeRequest, clock: Clock): Finding[] {
  const { license } = proven;
  const now = effectiveNow(clock);
  const surroundings = [...observeLock(proven), ...observeTrust(proven, now)];
  if (license === null) return [finding('NEVER_ISSUED'), ...surroundings];
  if (!isFor(license, request.products)) return [productMismatch(license)];
  return [
    ...observeStatus(license),
    ...observeEpoch(license, proven),
    ...observeClock(license, clock),
    ...observeStaleness(proven, license, now),
    ...observeTerm(license, request.release, now),
    ...observeRelease(license, request.release),
    ...observeSeats(license),
    ...observeNeeds(license, request.need ?? [], now),
    ...surroundings,
  ];
}

function isFor({ product }: LicenseDocument, products: readonly string[]): boolean {
  return products.includes(product.id) || products.includes(product.code);
}

function productMismatch({ product }: LicenseDocument): Finding {
  return finding('PRODUCT_MISMATCH', { path: 'product', details: { id: product.id, code: product.code } });
}

function observeClock({ offline }: LicenseDocument, clock: Clock): Finding[] {
  if (!isRolledBack(clock)) return [];
  const raise = offline.clock === 'tolerant' ? tolerated : finding;
  return [raise('CLOCK_ROLLED_BACK', { path: 'offline.clock' })];
}

function limitsOf(proven: Proven, { offline }: LicenseDocument): StalenessLimits {
  const { keyOfflineMax, trustOfflineMax } = proven;
  const terms: StalenessTerms = {
    maxAge: offline.maxAge,
    grace: offline.grace,
    keyOfflineMax,
    trustOfflineMax,
  };
  return stalenessLimits(terms);
}

function observeStaleness(proven: Proven, license: LicenseDocument, now: number): Finding[] {
  const limits = limitsOf(proven, license);
  const path = 'offline.maxAge';
  const details = { asOf: proven.asOf, limit: limits.fresh, grace: limits.grace - limits.fresh };
  switch (freshnessOf(ageAt(now, proven.asOf), limits)) {
    case 'fresh':
      return [];
    case 'stale-soon':
      return [finding('STALE_SOON', { path, details })];
    case 'in-grace':
      return [finding('IN_OFFLINE_GRACE', { path: 'offline.grace', details })];
    case 'stale':
      return [finding('STALE', { path, details })];
  }
}

/** Nothing proven here activates a device or holds a seat, so a license that needs either does not run. */
function observeSeats({ seats }: LicenseDocument): Finding[] {
  if (seats.model === 'none') return [];
  const context = { path: 'seats.model', details: { model: seats.model } };
  return [finding(seats.model === 'concurrent' ? 'LEASE_REQUIRED' : 'NOT_ACTIVATED', context)];
}

/** The expiry of a trust root refuses later proofs; it never voids a license already proven. */
function observeTrust({ trustExpires }: Proven, now: number): Finding[] {
  if (now < instantToMs(trustExpires) - TRUST_EXPIRING_MS) return [];
  return [finding('TRUST_EXPIRING', { details: { expires: trustExpires } })];
}

/**
 * The wall clock at which the verdict next differs, provided that nothing new is learned and that the wall
 * clock and the process both run on. Each candidate is judged, so that an instant which changes nothing (an
 * entitlement that ends when it was missing anyway) is passed over.
 */
function nextChange(
  proven: Proven,
  request: JudgeRequest,
  clock: Clock,
  findings: readonly Finding[],
): number | null {
  const current = JSON.stringify(findings);
  const delays = [
    untilCaughtUp(clock),
    ...effectiveChanges(proven, request).map((instant) => untilEffective(clock, instant)),
  ].filter((delay) => delay > 0);
  for (const delay of delays.toSorted((a, b) => a - b)) {
    if (clock.wall + delay > LAST_INSTANT_MS) return null;
    const later = observe(proven, request, afterElapsed(clock, delay));
    if (later.length !== findings.length || JSON.stringify(later) !== current) return clock.wall + delay;
  }
  return null;
}

/** Every instant of effective time at which a finding may come or go. */
function effectiveChanges(proven: Proven, request: JudgeRequest): number[] {
  const trust = instantToMs(proven.trustExpires) - TRUST_EXPIRING_MS;
  const { license } = proven;
  if (license === null) return [trust];
  return [
    trust,
    ...freshnessChanges(proven.asOf, limitsOf(proven, license)),
    ...termChanges(license),
    ...needChanges(license, request.need ?? []),
  ];
}
