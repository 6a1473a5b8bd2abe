import type {
  CalendarDuration,
  Code,
  Duration,
  EntitlementType,
  Grant,
  Instant,
  LockLevel,
  Metadata,
  OfflineTerms,
  PlanDocument,
  PlanSeats,
  Purpose,
  RevocationReason,
  SeatModel,
  SuspensionReason,
} from './documents.ts';
import type { GateCommand } from './gate-commands.ts';

/**
 * The commands: what a caller may ask for. Plain JSON, closed: a member that is not listed here is refused.
 *
 * - `product` and `plan` take an id or a code, `customer`, `parent` and `into` an id or a reference,
 *   `license` an id.
 * - A member that is left out keeps its value, or takes its default in a command that creates; null means none.
 * - Objects such as `term` are merged member by member; `metadata`, `crm` and a catalog replace what was there.
 */

/** Commands about an existing subject may say which revision they were decided on. */
interface Targeted {
  /** The revision that the caller has seen; another one is answered with `revision_conflict`. */
  expectedRev?: number;
}

export interface EntitlementTypeInput {
  type: EntitlementType['type'];
  name?: string | null;
  /** For integers and quotas. */
  unit?: string | null;
  /** For strings. */
  enum?: string[] | null;
}

export interface ProductCreate {
  type: 'product.create';
  code: Code;
  name: string;
  entitlements?: Record<Code, EntitlementTypeInput>;
  metadata?: Metadata;
}

export interface ProductUpdate extends Targeted {
  type: 'product.update';
  product: string;
  name?: string;
  /** Replaces the whole catalog. */
  entitlements?: Record<Code, EntitlementTypeInput>;
  metadata?: Metadata;
}

export interface ProductRetire extends Targeted {
  type: 'product.retire';
  product: string;
}

/** What a plan says besides its identity. */
export interface PlanTermsInput {
  purpose?: Purpose;
  term?: Partial<PlanDocument['term']>;
  updates?: Partial<PlanDocument['updates']>;
  seats?: Partial<PlanSeats>;
  /** Replaces all grants. */
  entitlements?: Record<Code, Grant>;
  offline?: Partial<OfflineTerms>;
  trial?: PlanDocument['trial'];
  metadata?: Metadata;
}

export interface PlanCreate extends PlanTermsInput {
  type: 'plan.create';
  product: string;
  code: Code;
  name: string;
  kind?: PlanDocument['kind'];
}

export interface PlanUpdate extends PlanTermsInput, Targeted {
  type: 'plan.update';
  plan: string;
  name?: string;
}

export interface PlanRetire extends Targeted {
  type: 'plan.retire';
  plan: string;
}

export interface CustomerInput {
  reference?: string | null;
  name?: string | null;
  email?: string | null;
  country?: string | null;
  parent?: string | null;
  metadata?: Metadata;
}

export interface CustomerCreate extends CustomerInput {
  type: 'customer.create';
}

export interface CustomerUpdate extends CustomerInput, Targeted {
  type: 'customer.update';
  customer: string;
}

/** Merges a customer into another, which receives all its licenses. */
export interface CustomerMerge extends Targeted {
  type: 'customer.merge';
  customer: string;
  into: string;
}

/** Removes the personal data of a customer, here and from its licenses and their companions. */
export interface CustomerErase extends Targeted {
  type: 'customer.erase';
  customer: string;
}

export interface AddonInput {
  plan: string;
  /** 1 when left out. */
  quantity?: number;
  /** When the add-on ends; null or left out: with the license. */
  until?: Instant | null;
}

/** At most one of `until` and `length`; null means perpetual. Left out: the length of the plan, from now. */
export interface TermInput {
  from?: Instant;
  until?: Instant | null;
  length?: CalendarDuration | null;
}

/** An entitlement given to one license, whatever its plan says. */
export type GrantInput = Grant & { until?: Instant | null };

export interface UpdatesInput {
  until?: Instant | null;
  maxMajor?: number | null;
}

export interface SeatsInput {
  model?: SeatModel;
  max?: number | null;
  over?: number;
}

/** What only the vendor sees; see `LicenseCompanion`. */
export interface CompanionInput {
  order?: string | null;
  price?: number | null;
  currency?: string | null;
  reseller?: string | null;
  crm?: Record<string, string>;
  notes?: string | null;
}

export interface LicenseIssue {
  type: 'license.issue';
  plan: string;
  addons?: AddonInput[];
  customer?: string | null;
  licensee?: string | null;
  term?: TermInput;
  updates?: UpdatesInput;
  entitlements?: Record<Code, GrantInput>;
  seats?: SeatsInput;
  offline?: Partial<OfflineTerms>;
  metadata?: Metadata;
  companion?: CompanionInput;
  /** A license key that is already in the field; left out: a new one. */
  key?: string;
  /** The id of a license that this one succeeds: it is superseded, and its key moves to the new one. */
  replaces?: string;
}

export interface LicenseAmend extends Targeted {
  type: 'license.amend';
  license: string;
  licensee?: string | null;
  purpose?: Purpose;
  term?: { from?: Instant; until?: Instant | null; grace?: Duration };
  updates?: UpdatesInput;
  seats?: SeatsInput;
  /** Given entitlements override the plan; null takes an entitlement away. Others stay as they are. */
  entitlements?: Record<Code, GrantInput | null>;
  offline?: Partial<OfflineTerms>;
  metadata?: Metadata;
  companion?: CompanionInput;
}

/**
 * Extends the term, from the later of now and its end. Left out: by the length of the plan. A perpetual
 * license has only its updates to renew, with `updates`.
 */
export interface LicenseRenew extends Targeted {
  type: 'license.renew';
  license: string;
  until?: Instant;
  length?: CalendarDuration;
  /** Until when builds are covered; left out: at least until the new end of the term. */
  updates?: { until?: Instant; length?: CalendarDuration };
}

/**
 * Moves a license to a plan, or to the current revision of the plan it has. Add-ons that are not given stay.
 * The term stays too, except that leaving a trial, or giving `term`, starts a new one.
 */
export interface LicenseChangePlan extends Targeted {
  type: 'license.change_plan';
  license: string;
  plan?: string;
  addons?: AddonInput[];
  term?: TermInput;
}

export interface LicenseSuspend extends Targeted {
  type: 'license.suspend';
  license: string;
  reason: SuspensionReason;
  /** Public: it travels in the license. */
  message?: string | null;
}

export interface LicenseReinstate extends Targeted {
  type: 'license.reinstate';
  license: string;
}

export interface LicenseRevoke extends Targeted {
  type: 'license.revoke';
  license: string;
  reason: Exclude<RevocationReason, 'superseded'>;
  /** Public: it travels in the license. */
  message?: string | null;
}

/**
 * Supersedes a license: by the existing license `by`, or, left out, by a new one that says the same and
 * takes over the key. This undoes a revocation.
 */
export interface LicenseReplace extends Targeted {
  type: 'license.replace';
  license: string;
  by?: string;
}

export interface LicenseTransfer extends Targeted {
  type: 'license.transfer';
  license: string;
  customer: string;
  /** Left out: none, so that the name of the previous customer does not stay in the license. */
  licensee?: string | null;
  /** True ends every activation by raising the generation. */
  resetSeats?: boolean;
}

export interface LicenseRekey extends Targeted {
  type: 'license.rekey';
  license: string;
  /** Left out: a new one. */
  key?: string;
}

/** Same content, new revision, signed anew under the current epoch. */
export interface LicenseReissue extends Targeted {
  type: 'license.reissue';
  license: string;
}

/** A key that signs no record from a log index on. */
export interface KeyCut {
  /** Its id in the namespace, or the 16 digits of its key id. */
  key: string;
  /** Left out: from the record of this change on. */
  index?: number;
}

/** Tightens the namespace through its brake; only the authority of the namespace loosens again. */
export interface BrakeTighten extends Targeted {
  type: 'brake.tighten';
  lock?: LockLevel;
  minEpoch?: number;
  until?: KeyCut[];
  /** Keys, named as in `until`, whose private half is gone; they had to end before. */
  destroyed?: string[];
  /** True where it is meant that no key is left for some kind of record. */
  mayStopIssuing?: boolean;
}

export type Command =
  | BrakeTighten
  | ProductCreate
  | ProductUpdate
  | ProductRetire
  | PlanCreate
  | PlanUpdate
  | PlanRetire
  | CustomerCreate
  | CustomerUpdate
  | CustomerMerge
  | CustomerErase
  | LicenseIssue
  | LicenseAmend
  | LicenseRenew
  | LicenseChangePlan
  | LicenseSuspend
  | LicenseReinstate
  | LicenseRevoke
  | LicenseReplace
  | LicenseTransfer
  | LicenseRekey
  | LicenseReissue
  | GateCommand;

export type CommandType = Command['type'];
export type CommandOf<T extends CommandType> = Extract<Command, { type: T }>;
