/** The closed list of what a record may be: `<subject type>.<past participle>`. */
const recordTypes: ReadonlySet<string> = new Set([
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
]);

export function isRecordType(type: string): boolean {
  return recordTypes.has(type);
}

/** True for the types that open a subject's chain: they stand at revision 0 and nowhere else. */
export function opensChain(type: string): boolean {
  return type.endsWith('.created') || type === 'license.issued';
}
