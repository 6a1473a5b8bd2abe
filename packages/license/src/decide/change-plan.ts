import type { Change } from '../change.ts';
import type { AddonInput, LicenseChangePlan } from '../commands.ts';
import type { Entitlement, Instant, LicenseDocument, PlanDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { resolveEntitlements } from './resolve.ts';
import { addonsSold, addonsToSell, checkSize, checkTrial, planSold, planToSell, seatsOf } from './sale.ts';
import {
  nextLicense,
  nothingChanges,
  productById,
  refuseNoChange,
  targetStandingLicense,
} from './subjects.ts';
import { instantAfter, newTerm, newUpdates } from './terms.ts';

/**
 * Moves a license to another plan of its product, or to the current revision of its own. Everything that came
 * from the plan or an add-on is replaced; entitlements given to the license itself stay.
 */
export function changePlan(view: View, command: LicenseChangePlan, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const license = current.document;
  const held = [license.plan.id, ...license.addons.map((addon) => addon.plan)];
  const plan = planToSell(view, command.plan ?? license.plan.id, 'base', '$.plan', held);
  if (plan.product !== license.product.id) {
    refuse(
      'plan_product_mismatch',
      `The plan ${plan.code} belongs to another product. Issue a new license instead.`,
      {
        path: '$.plan',
      },
    );
  }
  const addons = addonsToSell(view, command.addons ?? heldAddons(license), license.product.id, held);
  const customer =
    license.customer === null ? null : (view.subject('customer', license.customer)?.document ?? null);
  if (plan.id !== license.plan.id) checkTrial(view, plan, customer, [license.id]);
  const product = productById(view, license.product.id);

  const members: Partial<LicenseDocument> = {
    plan: planSold(plan),
    addons: addonsSold(addons),
    purpose: plan.purpose,
    ...termUnder(plan, command, license, env.now),
    seats: seatsOf(undefined),
    entitlements: resolveEntitlements(product, plan, addons, givenToLicense(license)),
    offline: plan.offline,
  };
  if (nothingChanges(license, members)) refuseNoChange(license);
  const change = nextLicense('license.plan_changed', current, env, members);
  checkSize(change.document);
  return [change];
}

function heldAddons(license: LicenseDocument): AddonInput[] {
  return license.addons.map(({ plan, quantity, until }) => ({ plan, quantity, until }));
}

function givenToLicense(license: LicenseDocument): Record<string, Entitlement> {
  return Object.fromEntries(Object.entries(license.entitlements).filter(([, { via }]) => via === 'license'));
}

/** A new term when the command says so or a trial is left; else the old one, with the payment lag of the plan. */
function termUnder(
  plan: PlanDocument,
  command: LicenseChangePlan,
  license: LicenseDocument,
  now: Instant,
): Pick<LicenseDocument, 'term' | 'updates'> {
  const leavesTrial = license.purpose === 'trial' && plan.purpose !== 'trial';
  if (command.term !== undefined || leavesTrial) {
    const term = newTerm(plan, command.term ?? {}, now);
    const updates = newUpdates(plan, term.from ?? now, now, {});
    // A fallback that was earned is never taken away.
    return { term, updates: { ...updates, fallback: updates.fallback ?? license.updates.fallback } };
  }
  const term = { ...license.term, grace: plan.term.grace };
  return { term, updates: { ...license.updates, ...keptUpdates(plan, license, now) } };
}

/** Within its term, a license keeps its updates, unless the other plan covers all of them or, unlike before, some. */
function keptUpdates(
  plan: PlanDocument,
  license: LicenseDocument,
  now: Instant,
): Pick<LicenseDocument['updates'], 'until' | 'maxMajor'> {
  const { maxMajor, length } = plan.updates;
  if (plan.id === license.plan.id) return { until: license.updates.until, maxMajor };
  if (length === null) return { until: null, maxMajor };
  return { until: license.updates.until ?? instantAfter(now, length, '$.plan'), maxMajor };
}
