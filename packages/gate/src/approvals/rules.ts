/** Which rules for approvals a change falls under. Pure. */
import { loosenings } from '@tallystick/core';
import {
  type ApprovalRule,
  actionsOf,
  type BrakeDocument,
  type Change,
  type CredentialDocument,
  instantToMs,
  type NamespaceDocument,
  type PrincipalDocument,
} from '@tallystick/license';
import type { Effect } from '../judgment/effect.ts';

/** A command that was decided and not carried out yet, or what was signed elsewhere and is not in the log yet. */
export interface Proposed {
  command: { type: string; namespace?: unknown };
  changes: readonly Change[];
  effect: Effect;
  /** Id of the principal who asks. */
  author: string;
  /** The brake before the change, where the change is about it or the namespace. */
  brake: BrakeDocument | null;
  /** The namespace before the change, where the change is about it. */
  namespace: NamespaceDocument | null;
  /** The principal with this id, before the change. */
  principal: (id: string) => PrincipalDocument | undefined;
}

/** A rule that applies: always or for what the change does, or only because of how many there were within the hour. */
export interface Applicable {
  rule: ApprovalRule;
  because: 'what' | 'how_many';
}

/**
 * The rules that a change falls under.
 *
 * @param countOf how many commands the author has asked for under a rule within the last hour, this one included
 */
export function applicableRules(
  rules: readonly ApprovalRule[],
  proposed: Proposed,
  countOf: (rule: ApprovalRule) => number,
): Applicable[] {
  const names = actionsOf(proposed.command);
  return rules.flatMap((rule): Applicable[] => {
    if (!names.some((name) => rule.actions.includes(name)) || isHarmless(proposed)) return [];
    const { above } = rule;
    if (above === null || isAbove(proposed, above)) return [{ rule, because: 'what' }];
    const isMany = above.perHour !== null && countOf(rule) > above.perHour;
    return isMany ? [{ rule, because: 'how_many' }] : [];
  });
}

/** -1 is without end, which is above every number. */
function isAbove(
  { effect, changes, brake, namespace }: Proposed,
  above: NonNullable<ApprovalRule['above']>,
): boolean {
  const { termDays, extendsDays, seats } = effect;
  const exceeds = (value: number | null, max: number | null): boolean =>
    value !== null && max !== null && (value < 0 || value > max);
  // A long term may be made of short extensions.
  const reached = extendsDays === null ? null : longestTerm(changes);
  const days = [termDays, extendsDays, reached];
  return (
    days.some((each) => exceeds(each, above.termDays)) ||
    exceeds(seats, above.seats) ||
    exceeds(keysEnded(changes, brake), above.keys ?? null) ||
    exceeds(thingsLoosened(changes, namespace, brake), above.loosened ?? null)
  );
}

/** How many keys a brake ends, or ends earlier; null where it is about something else. */
function keysEnded(changes: readonly Change[], before: BrakeDocument | null): number | null {
  const brake = changes.find(({ document }) => document.type === 'brake')?.document;
  if (brake?.type !== 'brake') return null;
  const known = new Map((before?.until ?? []).map(({ id, index }) => [id, index]));
  return brake.until.filter(({ id, index }) => index < (known.get(id) ?? Number.POSITIVE_INFINITY)).length;
}

/** How many things a revision of the namespace loosens; null where it is about something else. */
function thingsLoosened(
  changes: readonly Change[],
  before: NamespaceDocument | null,
  brake: BrakeDocument | null,
): number | null {
  const next = changes.find(({ document }) => document.type === 'namespace')?.document;
  if (next?.type !== 'namespace') return null;
  // What is not known to tighten is not let through as if it did.
  return before === null || brake === null
    ? Number.POSITIVE_INFINITY
    : loosenings(before, next, brake).length;
}

const DAY_MS = 86_400_000;

/** Days of the longest term that the licenses have after the change, begun ones whole; -1 for one without end. */
function longestTerm(changes: readonly Change[]): number {
  const lengths = changes.flatMap(({ document }) => {
    if (document.type !== 'license') return [];
    const { term, status } = document;
    if (term.until === null) return [-1];
    return [Math.ceil((instantToMs(term.until) - instantToMs(term.from ?? status.since)) / DAY_MS)];
  });
  return lengths.includes(-1) ? -1 : Math.max(0, ...lengths);
}

/**
 * Of what rules about access may name, the part that lets nobody do anything: a principal without roles, and what
 * somebody does for themselves. Without this every rule about them would be in the way of each invitation and each new
 * passkey.
 */
function isHarmless({ command, changes, author, principal }: Proposed): boolean {
  const [first] = changes;
  switch (command.type) {
    case 'principal.create':
      return first?.document.type === 'principal' && first.document.roles.length === 0;
    case 'principal.enable':
      return first?.document.type === 'principal' && first.document.roles.length === 0;
    case 'credential.create':
      return isHarmlessCredential(first?.document as CredentialDocument | undefined, author, principal);
    default:
      return false;
  }
}

function isHarmlessCredential(
  credential: CredentialDocument | undefined,
  author: string,
  principal: Proposed['principal'],
): boolean {
  if (credential === undefined || credential.principal === author) return true;
  return (principal(credential.principal)?.roles.length ?? 0) === 0;
}
