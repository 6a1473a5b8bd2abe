/** What records about principals, credentials, policies and approvals may say, and which steps they may make. */
import type { RecordProblem } from './check-after.ts';
import type { GateSubjectType, TallyDocument } from './documents.ts';
import type {
  ApprovalDocument,
  CredentialDocument,
  PolicyDocument,
  PrincipalDocument,
} from './gate-documents.ts';
import type { RecordType } from './records.ts';
import { compareInstants } from './time.ts';

type GateRecordType = Extract<RecordType, `${GateSubjectType}.${string}`>;

/** The members that each may change; see `MAY_CHANGE`. */
export const GATE_MAY_CHANGE: { [T in GateRecordType]: readonly string[] } = {
  'principal.created': [],
  'principal.updated': ['name', 'email', 'metadata'],
  'principal.assigned': ['roles'],
  'principal.disabled': ['state'],
  'principal.enabled': ['state'],
  'credential.created': [],
  'credential.expired': ['notAfter'],
  'credential.revoked': ['state'],
  'policy.created': [],
  'policy.updated': [
    'schema',
    'policies',
    'approvals',
    'durable',
    'sessions',
    'despiteShadow',
    'accessDroppedBefore',
  ],
  'approval.created': [],
  'approval.approved': ['state', 'approvals'],
  'approval.rejected': ['state', 'rejected'],
  'approval.withdrawn': ['state'],
  'approval.executed': ['state', 'customers'],
  'approval.erased': ['state', 'command', 'binding', 'customers'],
};

/** The states that a record of a type may carry. */
const STATES: Partial<Record<RecordType, readonly string[]>> = {
  'principal.created': ['active'],
  'principal.disabled': ['disabled'],
  'principal.enabled': ['active'],
  'credential.created': ['active'],
  'credential.expired': ['active'],
  'credential.revoked': ['revoked'],
  'approval.created': ['pending'],
  'approval.approved': ['pending', 'approved'],
  'approval.rejected': ['rejected'],
  'approval.withdrawn': ['withdrawn'],
  'approval.executed': ['executed'],
  'approval.erased': ['rejected', 'withdrawn', 'executed'],
};

/** Checks that a document says what its record's type says. Returns the first problem, or null. */
export function checkGateDocument(type: RecordType, after: TallyDocument): RecordProblem | null {
  const allowed = STATES[type];
  if (allowed !== undefined && 'state' in after && !allowed.includes(after.state))
    return forbidden('$.state', `a ${type} record cannot carry a document that says ${after.state}`);
  if (type === 'approval.erased' && after.type === 'approval' && !isErasedCommand(after.command))
    return forbidden('$.command', 'of a command that was erased there is its type alone');
  if (after.type === 'approval') return checkApproval(after);
  return null;
}

/** Of a command that was erased there is its type alone. */
export function isErasedCommand(command: Record<string, unknown>): boolean {
  return Object.keys(command).length === 1;
}

/** An approval says what it counts: never the author's own, one for each principal, as many as the rule asks for. */
function checkApproval(after: ApprovalDocument): RecordProblem | null {
  const { approvals, author, state } = after;
  if (approvals.some(({ principal }) => principal === author.principal))
    return forbidden('$.approvals', 'nobody approves what they asked for themselves');
  if (new Set(approvals.map(({ principal }) => principal)).size !== approvals.length)
    return forbidden('$.approvals', 'a principal approves once');
  if ((state === 'rejected') !== (after.rejected !== null))
    return forbidden('$.rejected', 'exactly a rejected request says who rejected it');
  const isEnough = hasEnoughApprovals(after);
  if (state === 'approved' && !isEnough) return forbidden('$.state', 'not as many have approved as have to');
  if (state === 'executed' && !isEnough) return forbidden('$.state', 'not as many have approved as have to');
  return null;
}

/** Whether as many have approved, of each role, as have to. */
export function hasEnoughApprovals({
  approvers,
  approvals,
}: Pick<ApprovalDocument, 'approvers' | 'approvals'>): boolean {
  return approvers.every(({ role, count }) => approvals.filter((each) => each.role === role).length >= count);
}

/** Checks what a step from one revision to the next may be, once its members are known to be free to change. */
export function checkGateStep(
  type: RecordType,
  before: TallyDocument,
  after: TallyDocument,
): RecordProblem | null {
  if (after.type === 'credential') return checkCredentialStep(before as CredentialDocument, after);
  if (after.type === 'approval') return checkApprovalStep(type, before as ApprovalDocument, after);
  if (after.type === 'principal') return checkPrincipalStep(before as PrincipalDocument, after);
  if (after.type === 'policy') return checkPolicyStep(before as PolicyDocument, after);
  return null;
}

function checkPrincipalStep(before: PrincipalDocument, after: PrincipalDocument): RecordProblem | null {
  if (before.state === 'active' || after.state === 'active') return null;
  return forbidden('$.state', 'the principal is disabled');
}

/** Records that were dropped do not come back. */
function checkPolicyStep(
  { accessDroppedBefore: was }: PolicyDocument,
  { accessDroppedBefore: is }: PolicyDocument,
): RecordProblem | null {
  if (was === undefined || (is !== undefined && compareInstants(is, was) >= 0)) return null;
  return forbidden('$.accessDroppedBefore', 'what was dropped stays dropped');
}

function checkCredentialStep(before: CredentialDocument, after: CredentialDocument): RecordProblem | null {
  if (before.state === 'revoked') return forbidden('$.state', 'the credential is revoked, which is final');
  const { notAfter } = before;
  if (notAfter === null) return null;
  if (after.notAfter !== null && compareInstants(after.notAfter, notAfter) <= 0) return null;
  return forbidden('$.notAfter', 'the end of a credential only comes nearer');
}

function checkApprovalStep(
  type: RecordType,
  before: ApprovalDocument,
  after: ApprovalDocument,
): RecordProblem | null {
  const isOpen = before.state === 'pending' || before.state === 'approved';
  // What was said with it is erased where it stands.
  if (!isOpen && type === 'approval.erased' && before.state === after.state) return null;
  if (!isOpen) return forbidden('$.state', `the request is ${before.state}, which is final`);
  if (after.state === 'executed' && before.state !== 'approved')
    return forbidden('$.state', 'the request is not approved');
  const kept = before.approvals.every((approval, at) => sameApproval(approval, after.approvals[at]));
  if (!kept) return forbidden('$.approvals', 'approvals are added, and never taken away');
  const added = type === 'approval.approved' ? 1 : 0;
  return after.approvals.length === before.approvals.length + added
    ? null
    : forbidden('$.approvals', 'each approval is a record of its own');
}

function sameApproval(a: ApprovalDocument['approvals'][number], b: typeof a | undefined): boolean {
  return b !== undefined && a.principal === b.principal && a.role === b.role && a.at === b.at;
}

function forbidden(path: string, message: string): RecordProblem {
  return { code: 'state_forbids', path, message };
}
