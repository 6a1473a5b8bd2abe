/**
 * What the application is about to use, against what the license grants.
 */
import type { Code, Entitlement, LicenseDocument } from '../documents.ts';
import { instantToMs } from '../time.ts';
import { type Finding, finding, tolerated } from './verdict.ts';

/**
 * One thing the application needs.
 *
 * - A boolean entitlement must be true, or equal `value` where that is given.
 * - A string entitlement must be there, or equal `value` where that is given.
 * - An integer entitlement and a quota must reach `amount`, which is 1 unless given. It is the total: what is
 *   already used plus what is about to be. An integer may be asked for an exact `value` instead.
 *
 * A need that does not suit the type of the entitlement is not met.
 */
export interface Need {
  readonly entitlement: Code;
  readonly amount?: number;
  readonly value?: boolean | number | string;
}

/** Throws TypeError when an amount is not a number of at least 0: such a need would always be met. */
export function observeNeeds(license: LicenseDocument, needs: readonly Need[], now: number): Finding[] {
  return needs.flatMap((need) => observeNeed(license, need, now));
}

function observeNeed({ entitlements }: LicenseDocument, need: Need, now: number): Finding[] {
  if (need.amount !== undefined && !(need.amount >= 0)) {
    throw new TypeError(`the amount needed of ${need.entitlement} must be at least 0`);
  }
  const granted = Object.hasOwn(entitlements, need.entitlement) ? entitlements[need.entitlement] : undefined;
  if (granted === undefined) return missing(need, 'absent');
  if (granted.until !== null && now >= instantToMs(granted.until)) return missing(need, 'ended');
  if ('limit' in granted) return observeQuota(granted, need);
  if (need.value !== undefined || typeof granted.value !== 'number') return observeValue(granted.value, need);
  return withinLimit(granted.value, need)
    ? []
    : [finding('LIMIT_REACHED', limitContext(granted.value, need))];
}

function observeValue(value: boolean | number | string, need: Need): Finding[] {
  const met = need.value === undefined ? value !== false : value === need.value;
  return met && need.amount === undefined ? [] : missing(need, 'value');
}

function observeQuota(granted: Extract<Entitlement, { limit: number }>, need: Need): Finding[] {
  if (need.value !== undefined) return missing(need, 'value');
  if (withinLimit(granted.limit, need)) return [];
  const raise = granted.over === 'allow' ? tolerated : finding;
  return [raise('LIMIT_REACHED', limitContext(granted.limit, need))];
}

function withinLimit(limit: number, { amount = 1 }: Need): boolean {
  return amount <= limit;
}

function limitContext(
  limit: number,
  { entitlement, amount = 1 }: Need,
): { path: string; details: { entitlement: string; limit: number; amount: number } } {
  return { path: `entitlements.${entitlement}`, details: { entitlement, limit, amount } };
}

function missing({ entitlement }: Need, why: 'absent' | 'ended' | 'value'): Finding[] {
  return [
    finding('ENTITLEMENT_MISSING', { path: `entitlements.${entitlement}`, details: { entitlement, why } }),
  ];
}

/** The instants at which a needed entitlement ends. */
export function needChanges({ entitlements }: LicenseDocument, needs: readonly Need[]): number[] {
  return needs.flatMap(({ entitlement }) => {
    const until = Object.hasOwn(entitlements, entitlement) ? entitlements[entitlement]?.until : null;
    return until === null || until === undefined ? [] : [instantToMs(until)];
  });
}
