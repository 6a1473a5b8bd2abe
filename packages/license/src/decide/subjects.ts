import type { Change, Current } from '../change.ts';
import type {
  CustomerDocument,
  LicenseCompanion,
  LicenseDocument,
  ProductDocument,
  SubjectType,
  TallyDocument,
} from '../documents.ts';
import { isId, looksLikeId } from '../identifiers.ts';
import type { RecordType } from '../records.ts';
import { sameJson } from '../same-json.ts';
import { type Environment, refuse, type View } from './decision.ts';

/** Finding the subjects that a command names, and making the changes that move them. */

/** The product with this id or code. */
export function findProduct(view: View, product: string): Current<'product'> | undefined {
  const id = isId('prd', product) ? product : view.idByCode('product', product);
  return id === undefined ? undefined : view.subject('product', id);
}

/** The plan with this id or code. */
export function findPlan(view: View, plan: string): Current<'plan'> | undefined {
  const id = isId('pln', plan) ? plan : view.idByCode('plan', plan);
  return id === undefined ? undefined : view.subject('plan', id);
}

/** The customer with this id or reference. */
export function findCustomer(view: View, customer: string): Current<'customer'> | undefined {
  const id = isId('cus', customer) ? customer : view.idByReference(customer);
  return id === undefined ? undefined : view.subject('customer', id);
}

/** The product that the command is about, in the revision that the caller expects. */
export function targetProduct(
  view: View,
  command: { product: string; expectedRev?: number },
): Current<'product'> {
  return expected(findProduct(view, command.product), 'product', command.product, command.expectedRev);
}

/** The plan that the command is about, in the revision that the caller expects. */
export function targetPlan(view: View, command: { plan: string; expectedRev?: number }): Current<'plan'> {
  return expected(findPlan(view, command.plan), 'plan', command.plan, command.expectedRev);
}

/** The customer that the command is about, in the revision that the caller expects. */
export function targetCustomer(
  view: View,
  command: { customer: string; expectedRev?: number },
): Current<'customer'> {
  return expected(findCustomer(view, command.customer), 'customer', command.customer, command.expectedRev);
}

/** The license that the command is about, in the revision that the caller expects. */
export function targetLicense(
  view: View,
  command: { license: string; expectedRev?: number },
  path: string = '$.license',
): Current<'license'> {
  return expected(
    view.subject('license', command.license),
    'license',
    command.license,
    command.expectedRev,
    path,
  );
}

/** As `targetLicense`, for changes that a revoked license does not allow. */
export function targetStandingLicense(
  view: View,
  command: { license: string; expectedRev?: number },
): Current<'license'> {
  const current = targetLicense(view, command);
  if (current.document.status.state === 'revoked') {
    const { successor } = current.document.status;
    const advice =
      successor === null ? 'Replace it with a new one to undo that.' : `Use its successor ${successor}.`;
    refuse('state_forbids', `The license ${current.document.id} is revoked, which is final. ${advice}`, {
      path: '$.license',
    });
  }
  return current;
}

/** The customer that a license is to belong to: known and active. */
export function customerToServe(view: View, customer: string, path: string): CustomerDocument {
  const current = findCustomer(view, customer);
  if (current === undefined) {
    return refuse(
      'customer_unknown',
      `There is no customer ${customer}. Create it first, or correct the reference.`,
      {
        path,
      },
    );
  }
  const { state, into } = current.document;
  if (state === 'active') return current.document;
  const advice = into === null ? 'Name another customer.' : `Use ${into}, which it was merged into.`;
  return refuse('customer_not_active', `The customer ${customer} is ${state}. ${advice}`, {
    path,
    ...(into === null ? {} : { details: { into } }),
  });
}

/** The product of a plan or license, which a consistent view always has. */
export function productById(view: View, id: string): ProductDocument {
  const current = view.subject('product', id);
  return (
    current?.document ?? refuse('subject_unknown', `There is no product ${id}. Check the server's data.`)
  );
}

/** Refuses a chosen code or reference that would be taken for an id. */
export function checkNotId(name: string, path: string): void {
  if (looksLikeId(name))
    refuse('input_invalid', `${path}: must not look like an id. Choose another.`, { path });
}

/** The change that opens the chain of a subject. */
export function firstChange<
  T extends 'product' | 'plan' | 'customer' | 'license' | 'principal' | 'credential' | 'approval',
>(type: RecordType, document: Change<T>['document'], companion: LicenseCompanion | null = null): Change<T> {
  return { type, subject: { type: document.type as T, id: document.id }, rev: 0, document, companion };
}

/** The change that replaces some members of a document; refuses one that changes nothing. */
export function nextChange<
  T extends 'product' | 'plan' | 'customer' | 'principal' | 'credential' | 'approval',
>(type: RecordType, current: Current<T>, members: Partial<Change<T>['document']>): Change<T> {
  if (nothingChanges(current.document, members)) refuseNoChange(current.document);
  const rev = current.rev + 1;
  const before: TallyDocument = current.document;
  const commitment = 'private' in before ? { private: null } : {};
  const document = { ...before, ...members, rev, ...commitment } as Change<T>['document'];
  return { type, subject: { type: before.type as T, id: before.id }, rev, document, companion: null };
}

/**
 * The change that replaces some members of a license and, where given, its companion. Every revision is made
 * under the current epoch. Does not look for changes that change nothing.
 */
export function nextLicense(
  type: RecordType,
  current: Current<'license'>,
  env: Environment,
  members: Partial<LicenseDocument>,
  companion: LicenseCompanion | null = current.companion,
): Change<'license'> {
  const before = current.document;
  const rev = current.rev + 1;
  const epoch = Math.max(before.epoch, env.epoch);
  const document: LicenseDocument = { ...before, ...members, rev, epoch, private: null };
  return { type, subject: { type: 'license', id: before.id }, rev, document, companion };
}

/** True when every given member already says so. */
export function nothingChanges<T extends object>(before: T, members: Partial<T>): boolean {
  return (Object.keys(members) as (keyof T)[]).every((name) => sameJson(before[name], members[name]));
}

export function refuseNoChange(document: { type: SubjectType; id: string }): never {
  return refuse('no_change', `The ${document.type} ${document.id} says so already. There is nothing to do.`);
}

/** The subject that a command names, in the revision that the caller expects. */
export function expected<T extends SubjectType>(
  current: Current<T> | undefined,
  type: T,
  named: string,
  expectedRev: number | undefined,
  path: string = `$.${type}`,
): Current<T> {
  if (current === undefined) {
    return refuse('subject_unknown', `There is no ${type} ${named}. Check the id.`, { path });
  }
  if (expectedRev !== undefined && expectedRev !== current.rev) {
    const message = `The ${type} ${named} is at revision ${current.rev}, not ${expectedRev}. Read it again and retry.`;
    refuse('revision_conflict', message, {
      path: '$.expectedRev',
      details: { expected: expectedRev, actual: current.rev },
    });
  }
  return current;
}
