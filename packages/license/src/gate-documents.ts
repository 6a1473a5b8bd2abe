/**
 * The documents of who may use a system: principals, their credentials, the policy that they are judged by, and
 * requests that wait for others to approve them. They are subjects of the log like any other, so a row that somebody
 * slips into a database is no credential and no role. They never leave the vendor.
 */
import type { Base64, Code, DocumentHead, Duration, Instant, Metadata } from './documents.ts';

export type PrincipalKind = 'person' | 'service' | 'partner';

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
  state: 'active' | 'disabled';
  roles: RoleGrant[];
  metadata: Metadata;
}

export type CredentialKind =
  | 'api_key'
  | 'passkey'
  | 'password'
  | 'totp'
  | 'oidc'
  | 'spiffe'
  | 'http_signature'
  | 'invitation';

/** What a credential may be used for, at most; null sets no bound. */
export interface CredentialScope {
  /** Names of routes or commands. */
  actions: string[] | null;
  /** Ids of products. */
  products: string[] | null;
  /** Address ranges in CIDR notation. */
  networks: string[] | null;
}

export interface CredentialDocument extends DocumentHead<'credential'> {
  /** Id of the principal. */
  principal: string;
  kind: CredentialKind;
  name: string;
  state: 'active' | 'revoked';
  /** The first instant at which it is no longer good; null for never. */
  notAfter: Instant | null;
  scope: CredentialScope;
  /** What it is found by, unique among the active ones of its kind: an HMAC, a key id, an issuer and a subject. */
  lookup: string;
  /** What verifies it. Never a secret in clear. */
  material: Record<string, string>;
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
  /** Records of access logs from before then are dropped on purpose; left out while none are. Only goes forward. */
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

export type ApprovalState = 'pending' | 'approved' | 'rejected' | 'withdrawn' | 'executed';

export interface ApprovalDocument extends DocumentHead<'approval'> {
  state: ApprovalState;
  author: Asker;
  /** The command that waits, whole. */
  command: Record<string, unknown>;
  why: string | null;
  /**
   * H("tallystick/approval/v1" || 00 || command as JSON || 00 || hash of the policy || 00 || epoch of the namespace):
   * approvals are for this command under these rules, and for nothing else.
   */
  binding: Base64;
  /** Hash of the policy that it was asked under. */
  policy: Base64;
  epoch: number;
  approvers: ApprovalRule['approvers'];
  /** When it was too late to approve or execute it. */
  notAfter: Instant;
  approvals: Approval[];
  rejected: (Asker & { why: string | null; at: Instant }) | null;
  /** Ids of the customers that the command is about, as far as that is known: whose erasure reaches it. Left out for none. */
  customers?: string[];
}
