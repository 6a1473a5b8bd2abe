/**
 * How long a proven license may be relied on without fresh news.
 *
 * The limit is the smallest of what the license, the signing key and the trust root allow; its holder never
 * chooses. The license's own grace follows, unbounded by the other two, with a warning. An age equal to its
 * limit is still fresh.
 */
import type { Duration } from '../documents.ts';
import { durationToSeconds } from '../time.ts';

export interface StalenessTerms {
  /** `offline.maxAge` of the license. */
  readonly maxAge: Duration;
  /** `offline.grace` of the license. */
  readonly grace: Duration;
  /** `limits.offlineMax` of the key that signed the license's record; null for none. */
  readonly keyOfflineMax: Duration | null;
  /** `freshness.offlineMax` of the governing trust root. */
  readonly trustOfflineMax: Duration;
}

/** Ages in milliseconds, each the greatest one that still belongs to its stage. */
export interface StalenessLimits {
  /** No warning up to here: 80 percent of the limit. */
  readonly quiet: number;
  readonly fresh: number;
  readonly grace: number;
}

export type Freshness = 'fresh' | 'stale-soon' | 'in-grace' | 'stale';

/** Throws what `durationToSeconds` throws when a duration is malformed. */
export function stalenessLimits(terms: StalenessTerms): StalenessLimits {
  const bounds = [terms.maxAge, terms.trustOfflineMax];
  if (terms.keyOfflineMax !== null) bounds.push(terms.keyOfflineMax);
  const fresh = Math.min(...bounds.map(durationToSeconds)) * 1000;
  return { quiet: fresh - Math.ceil(fresh / 5), fresh, grace: fresh + durationToSeconds(terms.grace) * 1000 };
}

/** Age of a proof at `now`, never negative; milliseconds. */
export function ageAt(now: number, asOf: number): number {
  return Math.max(0, now - asOf);
}

export function freshnessOf(age: number, limits: StalenessLimits): Freshness {
  if (age <= limits.quiet) return 'fresh';
  if (age <= limits.fresh) return 'stale-soon';
  return age <= limits.grace ? 'in-grace' : 'stale';
}

/** The instants at which the stage of a proof changes, each the first of its new stage. */
export function freshnessChanges(asOf: number, limits: StalenessLimits): number[] {
  return [asOf + limits.quiet + 1, asOf + limits.fresh + 1, asOf + limits.grace + 1];
}
