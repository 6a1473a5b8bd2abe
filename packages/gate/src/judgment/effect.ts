/** What a change does, in the few numbers that policies and rules for approvals look at. */
import {
  type Change,
  instantToMs,
  type LicenseDocument,
  type PrincipalDocument,
  type RoleGrant,
} from '@tallystick/license';

export interface Effect {
  /** Days that a term gets longer; null where it does not, -1 for without end. */
  extendsDays: number | null;
  /** Days of a new term; null where there is none, -1 for without end. */
  termDays: number | null;
  /** null where nothing is said of seats, -1 for unlimited. */
  seats: number | null;
  /** Roles that somebody gets or loses, sorted. */
  rolesChanged: string[];
}

export const noEffect: Effect = { extendsDays: null, termDays: null, seats: null, rolesChanged: [] };

/** The document before a change, where there was one. */
export type Before = (
  type: 'license' | 'principal',
  id: string,
) => LicenseDocument | PrincipalDocument | undefined;

const dayMs = 86_400_000;

/** Of a command with several changes, the largest of each. */
export function effectOf(changes: readonly Change[], before: Before): Effect {
  let effect = noEffect;
  for (const { document } of changes) {
    if (document.type === 'license')
      effect = larger(
        effect,
        licenseEffect(document, before('license', document.id) as LicenseDocument | undefined),
      );
    if (document.type === 'principal') {
      const was = before('principal', document.id) as PrincipalDocument | undefined;
      effect = { ...effect, rolesChanged: changedRoles(was, document, effect.rolesChanged) };
    }
  }
  return effect;
}

function licenseEffect(after: LicenseDocument, before: LicenseDocument | undefined): Effect {
  const seats = seatsOf(after);
  if (before === undefined) return { ...noEffect, termDays: termDays(after), seats };
  return {
    ...noEffect,
    extendsDays: extendedDays(before.term.until, after.term.until),
    seats: seatsOf(before) === seats ? null : seats,
  };
}

function termDays({ term, status }: LicenseDocument): number {
  if (term.until === null) return -1;
  return daysBetween(term.from ?? status.since, term.until);
}

function extendedDays(before: string | null, after: string | null): number | null {
  if (before === after || before === null) return null;
  if (after === null) return -1;
  const days = daysBetween(before, after);
  return days > 0 ? days : null;
}

/** Begun days count whole. */
function daysBetween(from: string, until: string): number {
  return Math.ceil((instantToMs(until) - instantToMs(from)) / dayMs);
}

function seatsOf({ seats }: LicenseDocument): number | null {
  if (seats.model === 'none') return null;
  return seats.max ?? -1;
}

function changedRoles(
  before: PrincipalDocument | undefined,
  after: PrincipalDocument,
  known: readonly string[],
): string[] {
  const was = new Set((before?.roles ?? []).map(text));
  const is = new Set(after.roles.map(text));
  const changed = [
    ...(before?.roles ?? []).filter((each) => !is.has(text(each))),
    ...after.roles.filter((each) => !was.has(text(each))),
  ];
  return [...new Set([...known, ...changed.map(({ role }) => role)])].sort();
}

function text({ role, products, until }: RoleGrant): string {
  return JSON.stringify([role, products, until]);
}

function larger(a: Effect, b: Effect): Effect {
  return {
    extendsDays: most(a.extendsDays, b.extendsDays),
    termDays: most(a.termDays, b.termDays),
    seats: most(a.seats, b.seats),
    rolesChanged: a.rolesChanged,
  };
}

/** -1 is more than any number, and null less. */
function most(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return a === -1 || b === -1 ? -1 : Math.max(a, b);
}
