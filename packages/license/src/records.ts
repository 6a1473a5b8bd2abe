import type { GateSubjectType, KeyUsage, SubjectType } from './documents.ts';

/** The closed list of record types: `<subject type>.<past participle>`. */
export const RECORD_TYPES = [
  'namespace.created',
  'namespace.updated',
  'brake.created',
  'brake.updated',
  'product.created',
  'product.updated',
  'product.retired',
  'plan.created',
  'plan.updated',
  'plan.retired',
  'customer.created',
  'customer.updated',
  'customer.merged',
  'customer.erased',
  'license.issued',
  'license.amended',
  'license.renewed',
  'license.plan_changed',
  'license.suspended',
  'license.reinstated',
  'license.revoked',
  'license.superseded',
  'license.transferred',
  'license.rekeyed',
  'license.reissued',
  'principal.created',
  'principal.updated',
  'principal.assigned',
  'principal.disabled',
  'principal.enabled',
  'credential.created',
  'credential.expired',
  'credential.revoked',
  'policy.created',
  'policy.updated',
  'approval.created',
  'approval.approved',
  'approval.rejected',
  'approval.withdrawn',
  'approval.executed',
  'approval.erased',
] as const;

export type RecordType = (typeof RECORD_TYPES)[number];

const KNOWN: ReadonlySet<string> = new Set(RECORD_TYPES);

/** True for a record type of this version; anything else is too new. */
export function isRecordType(type: string): type is RecordType {
  return KNOWN.has(type);
}

/** The type of the subject that records of this type move. */
export function subjectTypeOf(type: RecordType): SubjectType {
  return type.slice(0, type.indexOf('.')) as SubjectType;
}

const GATE_SUBJECTS: ReadonlySet<string> = new Set<GateSubjectType>([
  'principal',
  'credential',
  'policy',
  'approval',
]);

/** True for the subjects that say who may use a system. */
export function isGateSubject(type: SubjectType): type is GateSubjectType {
  return GATE_SUBJECTS.has(type);
}

/** True for the types that open a subject's chain at revision 0. */
export function isFirstRecord(type: string): boolean {
  return type.endsWith('.created') || type === 'license.issued';
}

/** The usage that a key must be listed for to sign records of this type; namespaces are signed by the authority. */
export function keyUsageOf(type: RecordType): KeyUsage | 'authority' {
  const subjectType = subjectTypeOf(type);
  if (subjectType === 'namespace') return 'authority';
  return isGateSubject(subjectType) ? 'gate' : subjectType;
}
