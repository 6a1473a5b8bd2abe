/** The bodies of the mutations about who may use a system; see `bodies.ts` for what they have in common. */
import type { Targeted } from './bodies.ts';
import type { Code, Duration, Instant, Metadata } from './documents.ts';
import type { CredentialKind, CredentialScope, PolicyContent, PrincipalKind } from './gate-documents.ts';

/** A role to be given. `products` takes ids or codes; left out: every product. Left out, `until` is for good. */
export interface RoleInput {
  role: Code;
  products?: string[] | null;
  until?: Instant | null;
}

export interface PrincipalCreateBody {
  kind: PrincipalKind;
  name: string;
  email?: string | null;
  roles?: RoleInput[];
  metadata?: Metadata;
}

export interface PrincipalUpdateBody extends Targeted {
  name?: string;
  email?: string | null;
  metadata?: Metadata;
}

export interface PrincipalAssignBody extends Targeted {
  /** Replaces all roles. */
  roles: RoleInput[];
}

export interface PrincipalGrantBody extends Targeted {
  role: Code;
  products?: string[] | null;
  /** At most a day. */
  length: Duration;
}

export interface CredentialCreateBody {
  principal: string;
  kind: CredentialKind;
  name: string;
  notAfter?: Instant | null;
  scope?: Partial<CredentialScope>;
  lookup: string;
  /** What verifies it. Never a secret in clear. */
  material?: Record<string, string>;
  /** A credential of the same principal and kind that goes on for `overlap`, and ends then. */
  replaces?: string;
  /** PT24H where left out. */
  overlap?: Duration;
}

export interface CredentialExpireBody extends Targeted {
  /** When it ends, which only comes nearer. */
  notAfter: Instant;
}

export interface PolicyPublishBody extends Targeted, PolicyContent {
  /** In force although verdicts flip, or nobody looked whether any do; needs a reason, and is logged with it. */
  despiteShadow?: true;
}

export interface PolicyDropAccessBody extends Targeted {
  /** Records from before then go, for good. */
  before: Instant;
}

export interface ApprovalRequestBody {
  /** A whole command: its type, the subject under the name of its type, and the members of its body. */
  command: Record<string, unknown>;
}

export interface ApprovalRejectBody extends Targeted {
  reason?: string | null;
}

export interface GateBodyOf {
  'principal.create': PrincipalCreateBody;
  'principal.update': PrincipalUpdateBody;
  'principal.assign': PrincipalAssignBody;
  'principal.grant': PrincipalGrantBody;
  'principal.disable': Targeted;
  'principal.enable': Targeted;
  'credential.create': CredentialCreateBody;
  'credential.expire': CredentialExpireBody;
  'credential.revoke': Targeted;
  'policy.publish': PolicyPublishBody;
  'policy.drop_access': PolicyDropAccessBody;
  'approval.request': ApprovalRequestBody;
  'approval.approve': Targeted;
  'approval.reject': ApprovalRejectBody;
  'approval.withdraw': Targeted;
  'approval.execute': Targeted;
}
