/** The commands about who may use a system. As with the others, a member that is left out keeps its value. */
import type { Code, Duration, Instant, Metadata } from './documents.ts';
import type { CredentialKind, CredentialScope, PolicyContent, PrincipalKind } from './gate-documents.ts';

/** As for other subjects: the revision that the caller has seen. */
interface Targeted {
  expectedRev?: number;
}

/** A role to be given. `products` takes ids or codes; left out: every product. Left out, `until` is for good. */
export interface RoleInput {
  role: Code;
  products?: string[] | null;
  until?: Instant | null;
}

export interface PrincipalCreate {
  type: 'principal.create';
  kind: PrincipalKind;
  name: string;
  email?: string | null;
  roles?: RoleInput[];
  metadata?: Metadata;
}

export interface PrincipalUpdate extends Targeted {
  type: 'principal.update';
  principal: string;
  name?: string;
  email?: string | null;
  metadata?: Metadata;
}

/** Replaces all roles of a principal. */
export interface PrincipalAssign extends Targeted {
  type: 'principal.assign';
  principal: string;
  roles: RoleInput[];
}

/** Gives one more role for a time: what is needed just now, and ends by itself. */
export interface PrincipalGrant extends Targeted {
  type: 'principal.grant';
  principal: string;
  role: Code;
  products?: string[] | null;
  /** At most a day. */
  length: Duration;
}

export interface PrincipalDisable extends Targeted {
  type: 'principal.disable';
  principal: string;
}

export interface PrincipalEnable extends Targeted {
  type: 'principal.enable';
  principal: string;
}

export interface CredentialCreate {
  type: 'credential.create';
  principal: string;
  kind: CredentialKind;
  name: string;
  notAfter?: Instant | null;
  scope?: Partial<CredentialScope>;
  lookup: string;
  material?: Record<string, string>;
  /** A credential of the same principal and kind that goes on for `overlap`, and ends then. */
  replaces?: string;
  /** PT24H where left out. */
  overlap?: Duration;
}

/** Sets the end of a credential, which only comes nearer. */
export interface CredentialExpire extends Targeted {
  type: 'credential.expire';
  credential: string;
  notAfter: Instant;
}

export interface CredentialRevoke extends Targeted {
  type: 'credential.revoke';
  credential: string;
}

export interface PolicyPublish extends Targeted, PolicyContent {
  type: 'policy.publish';
  /** Also where nobody has seen which verdicts flip, or some do. */
  despiteShadow?: true;
}

/** Drops records of access logs from before a time, on purpose and for good. */
export interface PolicyDropAccess extends Targeted {
  type: 'policy.drop_access';
  before: Instant;
}

/** Stores a command that needs the approval of others. */
export interface ApprovalRequest {
  type: 'approval.request';
  command: Record<string, unknown>;
}

export interface ApprovalApprove extends Targeted {
  type: 'approval.approve';
  approval: string;
}

export interface ApprovalReject extends Targeted {
  type: 'approval.reject';
  approval: string;
  reason?: string | null;
}

export interface ApprovalWithdraw extends Targeted {
  type: 'approval.withdraw';
  approval: string;
}

/** Carries out the command that waits, once, together with the record that says so. */
export interface ApprovalExecute extends Targeted {
  type: 'approval.execute';
  approval: string;
}

export type GateCommand =
  | PrincipalCreate
  | PrincipalUpdate
  | PrincipalAssign
  | PrincipalGrant
  | PrincipalDisable
  | PrincipalEnable
  | CredentialCreate
  | CredentialExpire
  | CredentialRevoke
  | PolicyPublish
  | PolicyDropAccess
  | ApprovalRequest
  | ApprovalApprove
  | ApprovalReject
  | ApprovalWithdraw
  | ApprovalExecute;
