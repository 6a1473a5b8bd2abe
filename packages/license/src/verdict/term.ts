/**
 * When a license runs, and which builds of the application it covers.
 *
 * `term.until` and the end of `term.grace` are exclusive. `updates.until` and `updates.fallback` are
 * compared with the date of a build and are inclusive: a build dated exactly then is covered.
 */
import type { Instant, LicenseDocument } from '../documents.ts';
import { durationToSeconds, instantToMs } from '../time.ts';
import { CLOCK_TOLERANCE_MS } from './clock.ts';
import { type Finding, finding } from './verdict.ts';

const DAY_MS = 86_400_000;
/** EXPIRES_SOON is said from this long before the end of the term. */
export const EXPIRES_SOON_MS: number = 14 * DAY_MS;

/** The build of the application that asks. Without one, nothing that depends on the build is judged or granted. */
export interface Release {
  /** When the build was made. */
  readonly date: Instant;
  /** Major version; without one, `updates.maxMajor` is not judged. */
  readonly major?: number;
}

export function observeTerm(license: LicenseDocument, release: Release | undefined, now: number): Finding[] {
  return [...observeBeginning(license, now), ...observeEnd(license, release, now)];
}

function observeBeginning({ term }: LicenseDocument, now: number): Finding[] {
  const path = 'term.from';
  if (term.from === null) return [finding('NOT_STARTED', { path })];
  if (instantToMs(term.from) <= now + CLOCK_TOLERANCE_MS) return [];
  return [finding('NOT_YET_VALID', { path, details: { from: term.from } })];
}

function observeEnd(
  { term, updates }: LicenseDocument,
  release: Release | undefined,
  now: number,
): Finding[] {
  if (term.until === null) return [];
  const path = 'term.until';
  const until = instantToMs(term.until);
  const details = { until: term.until, grace: term.grace };
  if (now < until - EXPIRES_SOON_MS) return [];
  if (now < until) return [finding('EXPIRES_SOON', { path, details })];
  if (now < until + durationToSeconds(term.grace) * 1000)
    return [finding('IN_PAYMENT_GRACE', { path, details })];
  const { fallback } = updates;
  if (fallback !== null && release !== undefined && instantToMs(release.date) <= instantToMs(fallback)) {
    return [finding('ON_FALLBACK', { path: 'updates.fallback', details: { until: term.until, fallback } })];
  }
  return [finding('EXPIRED', { path, details })];
}

/** The instants at which the findings of `observeTerm` may change. */
export function termChanges({ term }: LicenseDocument): number[] {
  const instants: number[] = [];
  if (term.from !== null) instants.push(instantToMs(term.from) - CLOCK_TOLERANCE_MS);
  if (term.until !== null) {
    const until = instantToMs(term.until);
    instants.push(until - EXPIRES_SOON_MS, until, until + durationToSeconds(term.grace) * 1000);
  }
  return instants;
}

export function observeRelease({ updates }: LicenseDocument, release: Release | undefined): Finding[] {
  if (release === undefined) return [];
  const { until, maxMajor } = updates;
  const observed: Finding[] = [];
  if (until !== null && instantToMs(release.date) > instantToMs(until)) {
    observed.push(
      finding('RELEASE_NOT_COVERED', { path: 'updates.until', details: { until, date: release.date } }),
    );
  }
  const { major } = release;
  if (maxMajor !== null && major !== undefined && !(major <= maxMajor)) {
    observed.push(finding('RELEASE_NOT_COVERED', { path: 'updates.maxMajor', details: { maxMajor, major } }));
  }
  return observed;
}
