import type { AddonInput, CompanionInput, SeatsInput } from '../commands.ts';
import type { CustomerDocument, LicenseCompanion, LicenseDocument, PlanDocument } from '../documents.ts';
import { isLicenseSmallEnough, LICENSE_SOLD_BYTES_MAX } from '../parse/document.ts';
import { refuse, type View } from './decision.ts';
import type { SoldAddon } from './resolve.ts';
import { sortedByName } from './sorted.ts';
import { findPlan } from './subjects.ts';

/** What issuing and changing a license have in common: plans that may be sold, seats, trials, companions. */

const NO_SEATS: LicenseDocument['seats'] = { model: 'none', max: null, over: 0 };

/**
 * The plan of this id or code, if it may be sold: active, or among those that the license has already, and
 * of the kind asked for.
 */
export function planToSell(
  view: View,
  named: string,
  kind: PlanDocument['kind'],
  path: string,
  heldPlanIds: readonly string[] = [],
): PlanDocument {
  const plan = findPlan(view, named)?.document;
  if (plan === undefined)
    return refuse('plan_unknown', `There is no plan ${named}. Check the id or code.`, { path });
  if (plan.kind !== kind) {
    const other = kind === 'base' ? 'an add-on. Name a base plan here' : 'a base plan. Name an add-on here';
    refuse('plan_kind', `The plan ${plan.code} is ${other}.`, { path });
  }
  if (plan.state !== 'active' && !heldPlanIds.includes(plan.id)) {
    refuse(
      'plan_retired',
      `The plan ${plan.code} is retired and can no longer be sold. Choose another plan.`,
      { path },
    );
  }
  checkSupported(plan, path);
  return plan;
}

/** The add-ons to sell with a plan. */
export function addonsToSell(
  view: View,
  inputs: readonly AddonInput[],
  productId: string,
  heldPlanIds: readonly string[] = [],
): SoldAddon[] {
  const addons: SoldAddon[] = [];
  for (const [index, input] of inputs.entries()) {
    const path = `$.addons[${index}]`;
    const plan = planToSell(view, input.plan, 'addon', path, heldPlanIds);
    if (plan.product !== productId) {
      refuse('plan_product_mismatch', `The add-on ${plan.code} belongs to another product. Leave it out.`, {
        path,
      });
    }
    if (addons.some((addon) => addon.plan.id === plan.id)) {
      refuse('addon_conflict', `The add-on ${plan.code} is named twice. Name it once, with a quantity.`, {
        path,
      });
    }
    addons.push({ plan, quantity: input.quantity ?? 1, until: input.until ?? null });
  }
  return addons;
}

/** The add-ons as the license names them. */
export function addonsSold(addons: readonly SoldAddon[]): LicenseDocument['addons'] {
  return addons.map(({ plan, quantity, until }) => ({
    plan: plan.id,
    rev: plan.rev,
    code: plan.code,
    quantity,
    until,
  }));
}

/** The plan as the license names it. */
export function planSold(plan: PlanDocument): LicenseDocument['plan'] {
  return { id: plan.id, rev: plan.rev, code: plan.code, name: plan.name };
}

/** The seats of a license; anything but none needs activations. */
export function seatsOf(input: SeatsInput | undefined): LicenseDocument['seats'] {
  if (input === undefined) return NO_SEATS;
  const seats = { ...NO_SEATS, ...input };
  if (seats.model === 'none' && seats.max === null && seats.over === 0) return NO_SEATS;
  return refuse('seats_unsupported', 'Seats need activations, which do not exist yet. Leave the seats out.', {
    path: '$.seats',
  });
}

/**
 * Refuses a trial that the customer had already: a license of the same plan, or of any trial plan of the
 * product, in whatever state. A trial that was converted in place no longer says that it was one, and does
 * not count.
 */
export function checkTrial(
  view: View,
  plan: PlanDocument,
  customer: CustomerDocument | null,
  exceptLicenses: readonly string[],
): void {
  if (plan.trial === null) return;
  if (customer === null) {
    refuse('customer_unknown', 'A trial once per customer needs a customer. Say for whom it is.', {
      path: '$.customer',
    });
  }
  for (const id of view.licensesOfCustomer(customer.id)) {
    if (exceptLicenses.includes(id)) continue;
    const license = view.subject('license', id)?.document;
    if (license === undefined || !isTrialOf(license, plan)) continue;
    refuse('trial_used', `The customer had this trial already, with license ${id}. Sell a plan instead.`, {
      path: '$.customer',
      details: { license: id },
    });
  }
}

/** The companion after a command; what the command does not say stays. */
export function companionOf(before: LicenseCompanion, input: CompanionInput | undefined): LicenseCompanion {
  if (input === undefined) return before;
  const merged = { ...before, ...input };
  if ((merged.price === null) !== (merged.currency === null)) {
    refuse('input_invalid', '$.companion: a price needs a currency, and the reverse. Give both or none.', {
      path: '$.companion',
    });
  }
  return { ...merged, crm: sortedByName(merged.crm) };
}

/** A companion that says nothing but the license key. */
export function emptyCompanion(key: string | null): LicenseCompanion {
  return { key, order: null, price: null, currency: null, reseller: null, crm: {}, notes: null };
}

/** Refuses a license key that a license holds already. */
export function checkKeyFree(view: View, key: string): void {
  const holder = view.idByLicenseKey(key);
  if (holder === undefined) return;
  refuse('key_in_use', `The license ${holder} has this license key already. Use another key.`, {
    path: '$.key',
    details: { license: holder },
  });
}

/** Refuses a license that would be too large for its holders to read, or would become so by what may have to be done to it. */
export function checkSize(license: LicenseDocument): void {
  if (isLicenseSmallEnough(license, LICENSE_SOLD_BYTES_MAX)) return;
  const message = `The license would be larger than ${LICENSE_SOLD_BYTES_MAX} bytes. Grant less, or shorten its metadata.`;
  refuse('limit_exceeded', message, { details: { bytesMax: LICENSE_SOLD_BYTES_MAX } });
}

function checkSupported(plan: PlanDocument, path: string): void {
  const needs =
    plan.seats.model !== 'none'
      ? 'has seats'
      : plan.term.basis === 'first_activation'
        ? 'starts its term at the first activation'
        : plan.trial?.oncePer === 'device'
          ? 'is a trial once per device'
          : null;
  if (needs === null) return;
  const message = `The plan ${plan.code} ${needs}, which needs activations; they do not exist yet.`;
  refuse('seats_unsupported', `${message} Choose or change a plan so that it works without them.`, { path });
}

function isTrialOf(license: LicenseDocument, plan: PlanDocument): boolean {
  return license.plan.id === plan.id || (license.product.id === plan.product && license.purpose === 'trial');
}
