/** What requests carry besides a body, after it was read: numbers are numbers and defaults are filled in. */
import type { CatalogState, CustomerState, Instant, LicenseState, PlanDocument } from './documents.ts';
import type { ApprovalState, CredentialState, PrincipalState } from './gate-documents.ts';

/** A path, query or header without anything that the contract knows. */
export type Nothing = Record<never, never>;

export interface IdParams {
  id: string;
}

export interface DryRunQuery {
  /** True answers what would happen and changes nothing. */
  dryRun: boolean;
}

export interface MutationQuery extends DryRunQuery {
  /** When to answer: once the change cannot be lost, or once a checkpoint that covers it is published. */
  wait: 'durable' | 'published';
  /** How long to wait for publication, in milliseconds. */
  waitMs: number;
}

/** Header names are in lower case, as Node has them. */
export interface ReasonHeaders {
  /** Why the change is made, decoded; it goes into the cause that the log commits to, where the server writes that. */
  'tally-reason'?: string;
}

export interface MutationHeaders extends ReasonHeaders {
  'idempotency-key'?: string;
}

export interface PageQuery {
  limit: number;
  cursor?: string;
}

/** From and until when, and of whom, what or which request by id. */
export interface AccessListQuery extends PageQuery {
  from: Instant;
  to: Instant;
  principal?: string;
  resource?: string;
  request?: string;
}

export interface ProductQuery extends PageQuery {
  state?: CatalogState;
}

export interface PlanQuery extends PageQuery {
  /** Id or code. */
  product?: string;
  kind?: PlanDocument['kind'];
  state?: CatalogState;
}

export interface CustomerQuery extends PageQuery {
  reference?: string;
  state?: CustomerState;
}

export interface LicenseQuery extends PageQuery {
  /** Id or reference. */
  customer?: string;
  /** Id or code. */
  plan?: string;
  /** Id or code. */
  product?: string;
  state?: LicenseState;
  /** Licenses whose term ends earlier; perpetual ones never do. */
  expiresBefore?: Instant;
}

export interface PrincipalQuery extends PageQuery {
  state?: PrincipalState;
}

export interface CredentialQuery extends PageQuery {
  /** Id of the principal whose it is. */
  principal?: string;
  state?: CredentialState;
}

export interface ApprovalQuery extends PageQuery {
  /** Id of the principal who asked. */
  author?: string;
  state?: ApprovalState;
}

export interface BundleQuery {
  /** The newest trust root that the client has pinned; the bundle brings those after it. */
  trustVersion?: number;
}

export interface CustodyQuery extends BundleQuery {
  /** Revisions from then on are shown in full; left out: from the first. */
  from?: Instant;
  /** Revisions before then are shown in full; left out: up to the newest. */
  to?: Instant;
  /** Whether the report shows who read the license, in segments of the access log that tell of others, too. */
  reads: boolean;
}

export interface ContentsQuery {
  /** Log index of the first entry that is not wanted any more. */
  to: number;
}

export interface BundleRequestBody extends BundleQuery {
  licenseKey: string;
}

export interface EventHeaders {
  /** The log index after which to resume. */
  'last-event-id'?: number;
}
