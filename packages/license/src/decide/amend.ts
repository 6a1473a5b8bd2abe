import type { Change, Current } from '../change.ts';
import type { GrantInput, LicenseAmend } from '../commands.ts';
import type { Entitlement, LicenseDocument } from '../documents.ts';
import { ENTITLEMENTS_MAX } from '../parse/grants.ts';
import { sameJson } from '../same-json.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { givenEntitlements, refuseTooMany } from './resolve.ts';
import { checkSize, companionOf, emptyCompanion, seatsOf } from './sale.ts';
import { sortedByName } from './sorted.ts';
import {
  nextLicense,
  nothingChanges,
  productById,
  refuseNoChange,
  targetLicense,
  targetStandingLicense,
} from './subjects.ts';
import { checkedTerm } from './terms.ts';

/** The members of the command that a revoked license still allows: its books, and removing the licensee. */
const ALLOWED_WHEN_REVOKED: ReadonlySet<string> = new Set([
  'type',
  'license',
  'expectedRev',
  'companion',
  'licensee',
]);

/**
 * Changes single terms of a license. To add or remove add-ons, or to return to what the plan says, change its
 * plan to the one it has.
 */
export function amendLicense(view: View, command: LicenseAmend, env: Environment): Change[] {
  const current = isAllowedWhenRevoked(command)
    ? targetLicense(view, command)
    : targetStandingLicense(view, command);
  const license = current.document;
  const members = amendedMembers(view, command, license);
  const companion = amendedCompanion(current, command);
  if (nothingChanges(license, members) && sameJson(companion, current.companion)) refuseNoChange(license);
  const change = nextLicense('license.amended', current, env, members, companion);
  checkSize(change.document);
  return [change];
}

function isAllowedWhenRevoked(command: LicenseAmend): boolean {
  if (command.licensee !== undefined && command.licensee !== null) return false;
  return Object.keys(command).every((name) => ALLOWED_WHEN_REVOKED.has(name));
}

function amendedMembers(
  view: View,
  command: LicenseAmend,
  license: LicenseDocument,
): Partial<LicenseDocument> {
  const members: Partial<LicenseDocument> = {};
  if (command.licensee !== undefined) members.licensee = command.licensee;
  if (command.purpose !== undefined) members.purpose = command.purpose;
  if (command.term !== undefined) members.term = checkedTerm({ ...license.term, ...command.term });
  if (command.updates !== undefined) members.updates = { ...license.updates, ...command.updates };
  if (command.seats !== undefined) members.seats = seatsOf({ ...license.seats, ...command.seats });
  if (command.entitlements !== undefined) {
    members.entitlements = amendedEntitlements(view, command.entitlements, license);
  }
  if (command.offline !== undefined) members.offline = { ...license.offline, ...command.offline };
  if (command.metadata !== undefined) members.metadata = sortedByName(command.metadata);
  return members;
}

function amendedEntitlements(
  view: View,
  inputs: NonNullable<LicenseAmend['entitlements']>,
  license: LicenseDocument,
): Record<string, Entitlement> {
  const product = productById(view, license.product.id);
  const entitlements = new Map(Object.entries(license.entitlements));
  const given: Record<string, GrantInput> = {};
  for (const [code, input] of Object.entries(inputs)) {
    if (input !== null) {
      given[code] = input;
    } else if (!entitlements.delete(code)) {
      refuse('entitlement_unknown', `The license has no entitlement ${code} to take away. Leave it out.`, {
        path: `$.entitlements.${code}`,
      });
    }
  }
  for (const [code, entitlement] of Object.entries(givenEntitlements(product, given))) {
    entitlements.set(code, entitlement);
  }
  if (entitlements.size > ENTITLEMENTS_MAX) refuseTooMany();
  return sortedByName(Object.fromEntries(entitlements));
}

function amendedCompanion(
  current: Current<'license'>,
  command: LicenseAmend,
): Current<'license'>['companion'] {
  if (command.companion === undefined) return current.companion;
  return companionOf(current.companion ?? emptyCompanion(null), command.companion);
}
