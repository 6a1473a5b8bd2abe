import { checkAfter, type RecordProblem } from './check-after.ts';
import type {
  BrakeDocument,
  CustomerDocument,
  LicenseDocument,
  LockLevel,
  NamespaceDocument,
  TallyDocument,
} from './documents.ts';
import { checkGateStep, GATE_MAY_CHANGE } from './gate-records.ts';
import { isFirstRecord, isGateSubject, type RecordType } from './records.ts';
import { sameJson } from './same-json.ts';

/** Lock levels from loose to tight. */
export const LOCK_LEVELS: readonly LockLevel[] = ['open', 'heightened', 'read-only', 'frozen', 'sealed'];

/**
 * The members that a record may change besides `rev`, `crit`, `private` (its salt is fresh in every
 * revision) and, on licenses, `epoch`. Whatever is not listed must stay as it was.
 */
const MAY_CHANGE: { [T in RecordType]: readonly string[] } = {
  'namespace.created': [],
  'namespace.updated': ['name', 'support', 'epoch', 'lock', 'minEpoch', 'keys'],
  'brake.created': [],
  'brake.updated': ['epoch', 'lock', 'minEpoch', 'until', 'destroyed'],
  'product.created': [],
  'product.updated': ['name', 'entitlements', 'metadata'],
  'product.retired': ['state'],
  'plan.created': [],
  'plan.updated': [
    'name',
    'purpose',
    'term',
    'updates',
    'seats',
    'entitlements',
    'offline',
    'trial',
    'metadata',
  ],
  'plan.retired': ['state'],
  'customer.created': [],
  'customer.updated': ['reference', 'name', 'email', 'country', 'parent', 'metadata'],
  'customer.merged': ['state', 'into'],
  'customer.erased': ['reference', 'name', 'email', 'country', 'parent', 'metadata', 'state'],
  'license.issued': [],
  'license.amended': [
    'licensee',
    'purpose',
    'term',
    'updates',
    'seats',
    'entitlements',
    'offline',
    'metadata',
  ],
  'license.renewed': ['term', 'updates'],
  'license.plan_changed': [
    'plan',
    'addons',
    'purpose',
    'term',
    'updates',
    'seats',
    'entitlements',
    'offline',
  ],
  'license.suspended': ['status'],
  'license.reinstated': ['status'],
  'license.revoked': ['status'],
  'license.superseded': ['status'],
  'license.transferred': ['customer', 'licensee', 'generation'],
  'license.rekeyed': [],
  'license.reissued': [],
  ...GATE_MAY_CHANGE,
};

const ALWAYS: ReadonlySet<string> = new Set(['rev', 'crit', 'private']);

/**
 * Checks that one record may lead from a document to the next: `checkAfter`, the revision, and what a
 * record of this type may change. `before` is null exactly for the record that opens the subject's chain.
 * Returns the first problem, or null.
 */
export function checkTransition(
  type: RecordType,
  before: TallyDocument | null,
  after: TallyDocument,
): RecordProblem | null {
  return (
    checkAfter(type, after) ??
    checkContinuity(type, before, after) ??
    (before === null ? null : (checkMembers(type, before, after) ?? checkSteps(type, before, after)))
  );
}

function checkContinuity(
  type: RecordType,
  before: TallyDocument | null,
  after: TallyDocument,
): RecordProblem | null {
  if (before === null) {
    if (isFirstRecord(type)) return null;
    return { code: 'subject_unknown', path: '$.rev', message: `a ${type} record needs a revision before it` };
  }
  if (after.rev === before.rev + 1) return null;
  return {
    code: 'revision_conflict',
    path: '$.rev',
    message: `revision ${after.rev} does not follow revision ${before.rev}`,
  };
}

function checkMembers(type: RecordType, before: TallyDocument, after: TallyDocument): RecordProblem | null {
  const left = membersOf(before);
  const right = membersOf(after);
  const allowed = MAY_CHANGE[type];
  for (const name of Object.keys(right)) {
    if (left[name] === right[name] || ALWAYS.has(name) || allowed.includes(name)) continue;
    if (name === 'epoch' && after.type === 'license') continue;
    if (!sameJson(left[name], right[name])) {
      return { code: 'state_forbids', path: `$.${name}`, message: `a ${type} record cannot change ${name}` };
    }
  }
  return null;
}

/** Any document as a bag of members. */
function membersOf(document: object): Record<string, unknown> {
  return document as Record<string, unknown>;
}

function checkSteps(type: RecordType, before: TallyDocument, after: TallyDocument): RecordProblem | null {
  if (after.type === 'license') return checkLicenseStep(type, before as LicenseDocument, after);
  if (after.type === 'namespace') return checkNamespaceStep(before as NamespaceDocument, after);
  if (after.type === 'brake') return checkBrakeStep(before as BrakeDocument, after);
  if (after.type === 'customer') return checkCustomerStep(type, before as CustomerDocument);
  if (isGateSubject(after.type)) return checkGateStep(type, before, after);
  // Products and plans: what is retired stays retired, so no record may follow it.
  return 'state' in before && before.state === 'retired'
    ? { code: 'state_forbids', path: '$.state', message: `the ${after.type} is retired, which is final` }
    : null;
}

function checkCustomerStep(type: RecordType, before: CustomerDocument): RecordProblem | null {
  if (before.state === 'active' || (before.state === 'merged' && type === 'customer.erased')) return null;
  return {
    code: 'state_forbids',
    path: '$.state',
    message: `the customer is ${before.state}, which is final`,
  };
}

function checkLicenseStep(
  type: RecordType,
  before: LicenseDocument,
  after: LicenseDocument,
): RecordProblem | null {
  if (after.epoch < before.epoch) return forbidden('$.epoch', 'the epoch of a license never falls');
  if (after.generation !== before.generation && after.generation !== before.generation + 1) {
    return forbidden('$.generation', 'the generation goes up by one');
  }
  return before.status.state === 'revoked'
    ? checkStepOfRevoked(type, before, after)
    : checkStanding(type, before);
}

/** Revoked is final: such a license may only gain a successor, follow a merge, or lose its personal text. */
function checkStepOfRevoked(
  type: RecordType,
  before: LicenseDocument,
  after: LicenseDocument,
): RecordProblem | null {
  if (type === 'license.superseded' && before.status.successor === null) return null;
  if (type === 'license.transferred' && after.licensee === before.licensee) return null;
  if (type === 'license.amended' && onlyLicenseeRemoved(before, after)) return null;
  return forbidden('$.status.state', 'the license is revoked, which is final');
}

/** True when the record changed at most the companion and removed the licensee. */
function onlyLicenseeRemoved(before: LicenseDocument, after: LicenseDocument): boolean {
  const { rev, crit, epoch, licensee, private: commitment } = after;
  if (licensee !== null && licensee !== before.licensee) return false;
  return sameJson({ ...before, rev, crit, epoch, licensee, private: commitment }, after);
}

function checkStanding(type: RecordType, before: LicenseDocument): RecordProblem | null {
  if (type === 'license.suspended' && before.status.state !== 'active') {
    return { code: 'already_suspended', path: '$.status.state', message: 'the license is suspended already' };
  }
  if (type === 'license.reinstated' && before.status.state !== 'suspended') {
    return { code: 'not_suspended', path: '$.status.state', message: 'the license is not suspended' };
  }
  return null;
}

function checkNamespaceStep(before: NamespaceDocument, after: NamespaceDocument): RecordProblem | null {
  const now = new Map(after.keys.map((key) => [key.id, key]));
  for (const key of before.keys) {
    const next = now.get(key.id);
    if (next === undefined) return forbidden('$.keys', 'keys never leave the list');
    if (next.from !== key.from || next.alg !== key.alg)
      return forbidden('$.keys', 'the start of a key never changes');
    if (rose(key.until, next.until)) return forbidden('$.keys', 'the end of a key only falls');
  }
  return checkTightening(before, after);
}

function checkBrakeStep(before: BrakeDocument, after: BrakeDocument): RecordProblem | null {
  for (const { id, index } of before.destroyed ?? []) {
    const kept = after.destroyed?.find((key) => key.id === id);
    if (kept?.index !== index) return forbidden('$.destroyed', 'a key that was destroyed stays so');
  }
  if (after.epoch > before.epoch) return null;
  const now = new Map(after.until.map((end) => [end.id, end.index]));
  for (const end of before.until) {
    if (rose(end.index, now.get(end.id) ?? null)) return loosened('$.until');
  }
  return checkTightening(before, after);
}

/** Within an epoch nothing may be loosened; a higher epoch, which needs the authority, may loosen anything. */
function checkTightening<T extends NamespaceDocument | BrakeDocument>(
  before: T,
  after: T,
): RecordProblem | null {
  if (after.epoch < before.epoch) return forbidden('$.epoch', 'the epoch never falls');
  if (after.epoch > before.epoch) return null;
  if (LOCK_LEVELS.indexOf(after.lock) < LOCK_LEVELS.indexOf(before.lock)) return loosened('$.lock');
  return after.minEpoch < before.minEpoch ? loosened('$.minEpoch') : null;
}

/** True when a limit (null for none) became looser. */
function rose(before: number | null, after: number | null): boolean {
  return before !== null && (after === null || after > before);
}

function loosened(path: string): RecordProblem {
  return {
    code: 'may_only_tighten',
    path,
    message: 'loosening needs a namespace revision with a higher epoch',
  };
}

function forbidden(path: string, message: string): RecordProblem {
  return { code: 'state_forbids', path, message };
}
