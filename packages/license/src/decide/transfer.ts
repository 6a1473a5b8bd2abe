import type { Change } from '../change.ts';
import type { LicenseReissue, LicenseRekey, LicenseTransfer } from '../commands.ts';
import { type Environment, refuse, type View } from './decision.ts';
import { checkKeyFree, emptyCompanion } from './sale.ts';
import { customerToServe, nextLicense, refuseNoChange, targetStandingLicense } from './subjects.ts';

/** Gives a license to another customer. */
export function transferLicense(view: View, command: LicenseTransfer, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const license = current.document;
  const customer = customerToServe(view, command.customer, '$.customer');
  if (customer.id === license.customer) {
    refuse('same_customer', `The license ${license.id} belongs to this customer already. Name another.`, {
      path: '$.customer',
    });
  }
  const licensee = command.licensee ?? null;
  const generation = command.resetSeats === true ? license.generation + 1 : license.generation;
  return [nextLicense('license.transferred', current, env, { customer: customer.id, licensee, generation })];
}

/** Gives a license a new license key; the old one leads nowhere from then on. */
export function rekeyLicense(view: View, command: LicenseRekey, env: Environment): Change[] {
  const current = targetStandingLicense(view, command);
  const companion = current.companion ?? emptyCompanion(null);
  if (command.key !== undefined) {
    if (command.key === companion.key) refuseNoChange(current.document);
    checkKeyFree(view, command.key);
  }
  const key = command.key ?? env.newLicenseKey();
  return [nextLicense('license.rekeyed', current, env, {}, { ...companion, key })];
}

/** Makes a new revision with the same content, so that it is signed anew under the current epoch. */
export function reissueLicense(view: View, command: LicenseReissue, env: Environment): Change[] {
  return [nextLicense('license.reissued', targetStandingLicense(view, command), env, {})];
}
