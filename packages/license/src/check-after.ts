import type {
  BrakeDocument,
  CustomerDocument,
  LicenseDocument,
  NamespaceDocument,
  PlanDocument,
  ProductDocument,
  TallyDocument,
} from './documents.ts';
import { checkGateDocument } from './gate-records.ts';
import { isFirstRecord, type RecordType, subjectTypeOf } from './records.ts';
import type { RefusalCode } from './refusals.ts';
import { compareInstants } from './time.ts';

/** Why a record may not carry a document. */
export interface RecordProblem {
  code: RefusalCode;
  /** A JSON path into the document. */
  path: string;
  message: string;
}

const SUSPENSION_REASONS: ReadonlySet<string> = new Set([
  'payment',
  'dispute',
  'abuse',
  'security',
  'requested',
  'other',
]);
const REVOCATION_REASONS: ReadonlySet<string> = new Set([
  'refund',
  'fraud',
  'ended',
  'mistake',
  'superseded',
]);

/**
 * Checks that a document says what its record's type says, without knowing the revision before it. Returns
 * the first problem, or null. A verifier treats a problem as ALTERED.
 *
 * Records that leave the state of a license as it was may carry a revoked license: erasing or merging a
 * customer must reach revoked licenses too. Whether the state stayed the same is for `checkTransition`.
 */
export function checkAfter(type: RecordType, after: TallyDocument): RecordProblem | null {
  if (after.type !== subjectTypeOf(type)) {
    return problem('state_forbids', '$.type', `a ${type} record cannot carry a ${after.type} document`);
  }
  if (isFirstRecord(type) !== (after.rev === 0)) {
    return problem('revision_conflict', '$.rev', `a ${type} record cannot carry revision ${after.rev}`);
  }
  return checkDocument(type, after);
}

function checkDocument(type: RecordType, after: TallyDocument): RecordProblem | null {
  switch (after.type) {
    case 'namespace':
      return checkNamespace(after);
    case 'brake':
      return checkBrake(after);
    case 'product':
    case 'plan':
      return checkCatalogState(type, after);
    case 'customer':
      return checkCustomerState(type, after) ?? checkCustomer(after);
    case 'license':
      return checkLicenseState(type, after) ?? checkLicense(after);
    default:
      return checkGateDocument(type, after);
  }
}

function checkNamespace(after: NamespaceDocument): RecordProblem | null {
  const ids = new Set(after.keys.map((key) => key.id));
  if (ids.size !== after.keys.length) return problem('key_in_use', '$.keys', 'a key is listed twice');
  for (const [index, key] of after.keys.entries()) {
    if (key.until !== null && key.until < key.from) {
      return problem('state_forbids', `$.keys[${index}].until`, 'a key cannot end before it begins');
    }
  }
  return null;
}

function checkBrake(after: BrakeDocument): RecordProblem | null {
  for (const member of ['until', 'destroyed'] as const) {
    const ends = after[member] ?? [];
    if (new Set(ends.map(({ id }) => id)).size !== ends.length)
      return problem('key_in_use', `$.${member}`, 'a key is listed twice');
  }
  return null;
}

function checkCatalogState(type: RecordType, after: ProductDocument | PlanDocument): RecordProblem | null {
  const expected = type.endsWith('.retired') ? 'retired' : 'active';
  return after.state === expected ? null : wrongState(type, '$.state', after.state);
}

function checkCustomerState(type: RecordType, after: CustomerDocument): RecordProblem | null {
  const expected = type === 'customer.merged' ? 'merged' : type === 'customer.erased' ? 'erased' : 'active';
  return after.state === expected ? null : wrongState(type, '$.state', after.state);
}

function checkCustomer(after: CustomerDocument): RecordProblem | null {
  if (after.state === 'merged' && after.into === null) {
    return problem('state_forbids', '$.into', 'a merged customer names the one it was merged into');
  }
  if (after.state === 'active' && after.into !== null) {
    return problem('state_forbids', '$.into', 'only a merged customer names another');
  }
  if (after.into === after.id)
    return problem('merge_cycle', '$.into', 'a customer cannot be merged into itself');
  return after.state === 'erased' ? checkErased(after) : null;
}

function checkErased(after: CustomerDocument): RecordProblem | null {
  for (const name of ['reference', 'name', 'email', 'country', 'parent'] as const) {
    if (after[name] !== null)
      return problem('state_forbids', `$.${name}`, 'an erased customer has no personal data');
  }
  if (Object.keys(after.metadata).length === 0) return null;
  return problem('state_forbids', '$.metadata', 'an erased customer has no metadata');
}

function checkLicenseState(type: RecordType, after: LicenseDocument): RecordProblem | null {
  const { state, reason } = after.status;
  if (licenseStateFits(type, state)) {
    if (type === 'license.superseded' && reason !== 'superseded') {
      return problem('state_forbids', '$.status.reason', 'a superseded license names a successor');
    }
    if (type === 'license.revoked' && reason === 'superseded') {
      return problem(
        'state_forbids',
        '$.status.reason',
        'a license with a successor is superseded, not revoked',
      );
    }
    return null;
  }
  return wrongState(type, '$.status.state', state);
}

function licenseStateFits(type: RecordType, state: LicenseDocument['status']['state']): boolean {
  switch (type) {
    case 'license.issued':
    case 'license.reinstated':
      return state === 'active';
    case 'license.suspended':
      return state === 'suspended';
    case 'license.revoked':
    case 'license.superseded':
      return state === 'revoked';
    case 'license.amended':
    case 'license.transferred':
      return true;
    default:
      return state !== 'revoked';
  }
}

function checkLicense(after: LicenseDocument): RecordProblem | null {
  const { state, reason, successor } = after.status;
  if (!reasonFits(state, reason)) {
    return problem(
      'state_forbids',
      '$.status.reason',
      `an ${state} license cannot have the reason ${String(reason)}`,
    );
  }
  if ((reason === 'superseded') !== (successor !== null)) {
    return problem('state_forbids', '$.status.successor', 'exactly a superseded license has a successor');
  }
  if (successor === after.id) {
    return problem('successor_cycle', '$.status.successor', 'a license cannot succeed itself');
  }
  const { from, until } = after.term;
  if (from !== null && until !== null && compareInstants(until, from) <= 0) {
    return problem('term_invalid', '$.term.until', 'the term must end after it begins');
  }
  return null;
}

function reasonFits(state: LicenseDocument['status']['state'], reason: string | null): boolean {
  if (state === 'active') return reason === null;
  return reason !== null && (state === 'suspended' ? SUSPENSION_REASONS : REVOCATION_REASONS).has(reason);
}

function wrongState(type: RecordType, path: string, state: string): RecordProblem {
  return problem('state_forbids', path, `a ${type} record cannot carry a document that says ${state}`);
}

function problem(code: RefusalCode, path: string, message: string): RecordProblem {
  return { code, path, message };
}
