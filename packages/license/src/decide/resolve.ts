import type { GrantInput } from '../commands.ts';
import type { Entitlement, Grant, Instant, PlanDocument, ProductDocument } from '../documents.ts';
import { ENTITLEMENTS_MAX } from '../parse/grants.ts';
import { refuse } from './decision.ts';
import { checkGrants } from './grants.ts';
import { sortedByName } from './sorted.ts';

/** An add-on as it is sold with a license. */
export interface SoldAddon {
  plan: PlanDocument;
  quantity: number;
  until: Instant | null;
}

/**
 * Resolves what a license entitles to, so that nothing else is needed offline. Grants of the plan and its
 * add-ons are combined; what is given to the license itself wins over both. `via` names the plan where it
 * contributes, else the first add-on that does.
 */
export function resolveEntitlements(
  product: ProductDocument,
  plan: PlanDocument,
  addons: readonly SoldAddon[],
  given: Record<string, Entitlement>,
): Record<string, Entitlement> {
  checkGrants(product, plan.entitlements, '$.plan');
  const resolved: Record<string, Entitlement> = {};
  for (const [code, grant] of Object.entries(plan.entitlements))
    resolved[code] = granted(grant, null, 'plan');
  for (const addon of addons) addAddon(product, resolved, addon, given);
  for (const [code, entitlement] of Object.entries(given)) resolved[code] = entitlement;
  if (Object.keys(resolved).length > ENTITLEMENTS_MAX) refuseTooMany();
  return sortedByName(resolved);
}

/** The entitlements that a command gives to a license itself. */
export function givenEntitlements(
  product: ProductDocument,
  grants: Record<string, GrantInput>,
): Record<string, Entitlement> {
  checkGrants(product, grants, '$.entitlements');
  const given: Record<string, Entitlement> = {};
  for (const [code, grant] of Object.entries(grants))
    given[code] = granted(grant, grant.until ?? null, 'license');
  return given;
}

export function refuseTooMany(): never {
  return refuse('limit_exceeded', `A license has at most ${ENTITLEMENTS_MAX} entitlements. Grant fewer.`, {
    details: { entitlementsMax: ENTITLEMENTS_MAX },
  });
}

function addAddon(
  product: ProductDocument,
  resolved: Record<string, Entitlement>,
  addon: SoldAddon,
  given: Record<string, Entitlement>,
): void {
  checkGrants(product, addon.plan.entitlements, '$.addons');
  for (const [code, grant] of Object.entries(addon.plan.entitlements)) {
    // What the license is given itself wins, so a conflict below it does not matter.
    if (Object.hasOwn(given, code)) continue;
    const more = granted(multiplied(grant, addon.quantity, code), addon.until, `addon:${addon.plan.code}`);
    const first = Object.hasOwn(resolved, code) ? resolved[code] : undefined;
    resolved[code] = first === undefined ? more : combined(code, first, more);
  }
}

function granted(grant: Grant, until: Instant | null, via: string): Entitlement {
  return 'limit' in grant
    ? { limit: grant.limit, per: grant.per, over: grant.over, until, via }
    : { value: grant.value, until, via };
}

function multiplied(grant: Grant, quantity: number, code: string): Grant {
  if ('limit' in grant) return { ...grant, limit: checkedInteger(grant.limit * quantity, code) };
  return typeof grant.value === 'number' ? { value: checkedInteger(grant.value * quantity, code) } : grant;
}

function combined(code: string, first: Entitlement, more: Entitlement): Entitlement {
  if ('limit' in first && 'limit' in more) {
    if (first.per !== more.per || first.over !== more.over)
      conflict(code, 'with different periods or overage rules');
    checkSameEnd(code, first, more);
    return { ...first, limit: checkedInteger(first.limit + more.limit, code) };
  }
  if ('limit' in first || 'limit' in more) return conflict(code, 'both as a value and as a quota');
  return combinedValue(code, first, more);
}

type ValueEntitlement = Extract<Entitlement, { value: unknown }>;

function combinedValue(code: string, first: ValueEntitlement, more: ValueEntitlement): Entitlement {
  if (typeof first.value === 'number' && typeof more.value === 'number') {
    checkSameEnd(code, first, more);
    return { ...first, value: checkedInteger(first.value + more.value, code) };
  }
  if (typeof first.value === 'boolean' && typeof more.value === 'boolean' && first.value !== more.value) {
    return first.value ? first : more;
  }
  if (first.value !== more.value) return conflict(code, 'with different values');
  return { ...first, until: laterEnd(first.until, more.until) };
}

/** A sum whose parts end at different times cannot be said in one entitlement. */
function checkSameEnd(code: string, first: Entitlement, more: Entitlement): void {
  if (first.until !== more.until) conflict(code, 'until different times');
}

function laterEnd(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return null;
  return a < b ? b : a;
}

function conflict(code: string, how: string): never {
  const message = `The plan and its add-ons grant ${code} ${how}. Choose other add-ons, or give ${code} to the license.`;
  return refuse('addon_conflict', message, { path: '$.addons', details: { entitlement: code } });
}

function checkedInteger(value: number, code: string): number {
  if (Number.isSafeInteger(value)) return value;
  return refuse('limit_exceeded', `The sum of all grants of ${code} is too large. Reduce the quantity.`, {
    path: '$.addons',
    details: { entitlement: code },
  });
}
