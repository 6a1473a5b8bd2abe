import type { Change, Current } from '../change.ts';
import type { LicenseIssue } from '../commands.ts';
import type { CustomerDocument, LicenseDocument } from '../documents.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { successorOf, targetToSupersede } from './replace.ts';
import { givenEntitlements, resolveEntitlements } from './resolve.ts';
import {
  addonsSold,
  addonsToSell,
  checkKeyFree,
  checkSize,
  checkTrial,
  companionOf,
  emptyCompanion,
  planSold,
  planToSell,
  seatsOf,
} from './sale.ts';
import { sortedByName } from './sorted.ts';
import { customerToServe, firstChange, productById } from './subjects.ts';
import { newTerm, newUpdates } from './terms.ts';

/**
 * Issues a license under a plan. With `replaces`, the new license takes over the license key, and, where the
 * command does not say, the customer, the licensee and the companion; the old one is superseded after it.
 */
export function issueLicense(view: View, command: LicenseIssue, env: Environment): Change[] {
  const plan = planToSell(view, command.plan, 'base', '$.plan');
  const product = productById(view, plan.product);
  const addons = addonsToSell(view, command.addons ?? [], product.id);
  const replaced = replacedLicense(view, command);
  const customer = customerOf(view, command, replaced);
  checkTrial(view, plan, customer, replaced === null ? [] : [replaced.document.id]);
  const term = newTerm(plan, command.term ?? {}, env.now);
  const given = givenEntitlements(product, command.entitlements ?? {});

  const content: Omit<LicenseDocument, 'id'> = {
    v: 1,
    type: 'license',
    ns: env.ns,
    rev: 0,
    crit: [],
    product: { id: product.id, code: product.code },
    plan: planSold(plan),
    addons: addonsSold(addons),
    customer: customer?.id ?? null,
    licensee: command.licensee === undefined ? (replaced?.document.licensee ?? null) : command.licensee,
    purpose: plan.purpose,
    status: { state: 'active', reason: null, message: null, since: env.now, successor: null },
    term,
    updates: newUpdates(plan, term.from ?? env.now, env.now, command.updates ?? {}),
    seats: seatsOf(command.seats),
    entitlements: resolveEntitlements(product, plan, addons, given),
    offline: { ...plan.offline, ...command.offline },
    generation: 0,
    epoch: env.epoch,
    metadata: sortedByName(command.metadata ?? {}),
    private: null,
  };
  const companion = companionOf(replaced?.companion ?? emptyCompanion(null), command.companion);
  if (command.key !== undefined) checkKeyFree(view, command.key);

  // Every read is done: from here on, ids and keys may be drawn.
  const key = command.key ?? companion.key ?? env.newLicenseKey();
  const license = withId(content, env.newId('lic'));
  checkSize(license);
  const issued = firstChange('license.issued', license, { ...companion, key });
  return replaced === null ? [issued] : [issued, successorOf(replaced, license.id, true, env)];
}

/** The id stands third in the bytes, so it cannot be appended to what was made before it was drawn. */
function withId(content: Omit<LicenseDocument, 'id'>, id: string): LicenseDocument {
  const { v, type, ns, ...rest } = content;
  return { v, type, ns, id, ...rest };
}

function replacedLicense(view: View, command: LicenseIssue): Current<'license'> | null {
  if (command.replaces === undefined) return null;
  if (command.key !== undefined) {
    refuse('input_invalid', '$.key: a license that replaces another takes over its key. Leave the key out.', {
      path: '$.key',
    });
  }
  return targetToSupersede(view, { license: command.replaces }, '$.replaces');
}

function customerOf(
  view: View,
  command: LicenseIssue,
  replaced: Current<'license'> | null,
): CustomerDocument | null {
  const named = command.customer === undefined ? (replaced?.document.customer ?? null) : command.customer;
  return named === null ? null : customerToServe(view, named, '$.customer');
}
