/**
 * The documents of who may use a system, as answers carry them: those of the license model, without what verifies
 * a credential. A test holds the two together.
 */
import type { Base64, Code, DocumentHead, Duration, Instant, Metadata } from './documents.ts';

export const principalKinds = ['person', 'service', 'partner'] as const;
export const principalStates = ['active', 'disabled'] as const;
export const credentialKinds = [
  'api_key',
  'passkey',
  'password',
  'totp',
  'oidc',
  'spiffe',
  'http_signature',
  'invitation',
] as const;
export const credentialStates = ['active', 'revoked'] as const;
export const approvalStates = ['pending', 'approved', 'rejected', 'withdrawn', 'executed'] as const;

export type PrincipalKind = (typeof principalKinds)[number];
export type PrincipalState = (typeof principalStates)[number];
export type CredentialKind = (typeof credentialKinds)[number];
export type CredentialState = (typeof credentialStates)[number];
export type ApprovalState = (typeof approvalStates)[number];

/** A role that a principal has: for some products or all, until an instant or for good. */
export interface RoleGrant {
  role: Code;
  /** Ids; null for every product and for what belongs to none. */
  products: string[] | null;
  until: Instant | null;
}

export interface PrincipalDocument extends DocumentHead<'principal'> {
  kind: PrincipalKind;
  name: string;
  email: string | null;
  state: PrincipalState;
  roles: RoleGrant[];
  metadata: Metadata;
}

/** What a credential may be used for, at most; null sets no bound. */
export interface CredentialScope {
  /** Names of routes or commands. */
  actions: string[] | null;
  /** Ids of products. */
  products: string[] | null;
  /** Address ranges in CIDR notation. */
  networks: string[] | null;
}

/** What verifies it is never shown. */
export interface CredentialDocument extends DocumentHead<'credential'> {
  /** Id of the principal. */
  principal: string;
  kind: CredentialKind;
  name: string;
  state: CredentialState;
  /** The first instant at which it is no longer good; null for never. */
  notAfter: Instant | null;
  scope: CredentialScope;
  /** What it is found by, where that is public: of passkeys, OpenID subjects, SPIFFE ids and signing keys. */
  lookup: string | null;
  /** The credential that it takes the place of. */
  replaces: string | null;
}

/** One policy of the set, in Cedar. */
export interface PolicyText {
  /** Its id, which decisions name. */
  id: Code;
  lines: string[];
}

/** When a change needs the approval of others. */
export interface ApprovalRule {
  /** Names of commands, `namespace.revise` and `trust.publish`. */
  actions: string[];
  /** Only above one of these; null for always. */
  above: {
    /** Days that the term of a license may reach or be extended by. */
    termDays: number | null;
    seats: number | null;
    /** How often the same principal may ask for one of the actions within an hour. */
    perHour: number | null;
    /** Keys that a brake ends. Left out: none counts. */
    keys?: number | null;
    /** Things that a revision of the namespace loosens. Left out: none counts. */
    loosened?: number | null;
  } | null;
  /** How many principals with which role must approve; one approval counts for one of them. */
  approvers: { role: Code; count: number }[];
  /** How long a request waits. */
  within: Duration;
}

export interface SessionTerms {
  /** How long a session lasts without a request. */
  idle: Duration;
  /** How long it lasts at most. */
  max: Duration;
  /** How old proof of presence may be for what is sensitive. */
  stepUp: Duration;
}

/** What a policy set says. */
export interface PolicyContent {
  /** The schema of the policies, in Cedar. */
  schema: string[];
  policies: PolicyText[];
  approvals: ApprovalRule[];
  /** Actions whose access record must be durable before they are answered. */
  durable: string[];
  sessions: SessionTerms;
}

export interface PolicyDocument extends DocumentHead<'policy'>, PolicyContent {
  /** It was put in force although verdicts flip, or nobody looked whether any do; else left out. */
  despiteShadow?: true;
  /** Records of access logs from before then are dropped on purpose; left out while none are. */
  accessDroppedBefore?: Instant;
}

/** Who asks, as a request for approval keeps it. */
export interface Asker {
  principal: string;
  credential: string;
  session: string | null;
}

export interface Approval extends Asker {
  /** The role of a rule that this approval counts for. */
  role: Code;
  at: Instant;
}

/** A command that waits. Secrets in the command are left out: of a license key, `keyHint` shows the end. */
export interface ApprovalDocument extends DocumentHead<'approval'> {
  state: ApprovalState;
  author: Asker;
  command: Record<string, unknown>;
  why: string | null;
  /** What the approvals are for: this command, under this policy, in this epoch. */
  binding: Base64;
  /** Hash of the policy that it was asked under. */
  policy: Base64;
  epoch: number;
  approvers: ApprovalRule['approvers'];
  /** When it was too late to approve or execute it. */
  notAfter: Instant;
  approvals: Approval[];
  rejected: (Asker & { why: string | null; at: Instant }) | null;
  /** Ids of the customers that the command is about; left out for none. */
  customers?: string[];
}
