/**
 * The bodies of mutations: a command of the license model without its `type` and without the name of the
 * subject, which stands in the path. Plain JSON, closed.
 *
 * - A member that is left out keeps its value, or takes its default in a request that creates; null means none.
 * - Objects such as `term` are merged member by member; `metadata`, `crm` and a catalog replace what was there.
 * - Products and plans are named by id or code, customers by id or reference, the rest by id.
 */
import type {
  Base64,
  CalendarDuration,
  Code,
  Duration,
  EntitlementType,
  Grant,
  Instant,
  Listed,
  LockLevel,
  Metadata,
  OfflineTerms,
  PlanDocument,
  PlanSeats,
  PlanTerm,
  PlanUpdates,
  Purpose,
  RevocationReason,
  SeatModel,
  SuspensionReason,
  Trial,
} from './documents.ts';
import type { GateBodyOf } from './gate-bodies.ts';

/** Requests about an existing subject may say which revision they were decided on. */
export interface Targeted {
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

export interface ProductCreateBody {
  code: Code;
  name: string;
  entitlements?: Record<Code, EntitlementTypeInput>;
  metadata?: Metadata;
}

export interface ProductUpdateBody extends Targeted {
  name?: string;
  /** Replaces the whole catalog. */
  entitlements?: Record<Code, EntitlementTypeInput>;
  metadata?: Metadata;
}

/** What a plan says besides its identity. */
export interface PlanTermsInput {
  purpose?: Purpose;
  term?: Partial<PlanTerm>;
  updates?: Partial<PlanUpdates>;
  seats?: Partial<PlanSeats>;
  /** Replaces all grants. */
  entitlements?: Record<Code, Grant>;
  offline?: Partial<OfflineTerms>;
  trial?: Trial | null;
  metadata?: Metadata;
}

export interface PlanCreateBody extends PlanTermsInput {
  product: string;
  code: Code;
  name: string;
  kind?: PlanDocument['kind'];
}

export interface PlanUpdateBody extends PlanTermsInput, Targeted {
  name?: string;
}

export interface CustomerCreateBody {
  reference?: string | null;
  name?: string | null;
  email?: string | null;
  country?: string | null;
  parent?: string | null;
  metadata?: Metadata;
}

export interface CustomerUpdateBody extends CustomerCreateBody, Targeted {}

export interface CustomerMergeBody extends Targeted {
  /** The customer that receives all licenses. */
  into: string;
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

/** What only the vendor sees. */
export interface CompanionInput {
  order?: string | null;
  /** Minor units of `currency`. */
  price?: number | null;
  currency?: string | null;
  reseller?: string | null;
  crm?: Metadata;
  notes?: string | null;
}

export interface LicenseIssueBody {
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

export interface LicenseAmendBody extends Targeted {
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

export interface LicenseRenewBody extends Targeted {
  until?: Instant;
  length?: CalendarDuration;
  /** Until when builds are covered; left out: at least until the new end of the term. */
  updates?: { until?: Instant; length?: CalendarDuration };
}

export interface LicenseChangePlanBody extends Targeted {
  plan?: string;
  addons?: AddonInput[];
  term?: TermInput;
}

export interface LicenseSuspendBody extends Targeted {
  reason: SuspensionReason;
  /** Public: it travels in the license. */
  message?: string | null;
}

export interface LicenseRevokeBody extends Targeted {
  reason: RevocationReason;
  /** Public: it travels in the license. */
  message?: string | null;
}

/** A key that signs no record from a log index on. */
export interface KeyCut {
  /** Its id in the namespace, or the 16 digits of its key id. */
  key: string;
  /** Left out: from the record of this change on. */
  index?: number;
}

/** A record of the namespace as its authority signed it, with what it commits to. All in base64. */
export interface NamespaceRevisionBody {
  /** The exact bytes of the envelope. */
  entry: Base64;
  document: Base64;
  cause: { salt: Base64; document: Base64 };
}

export interface TrustPublishBody {
  /** Every version of the trust root from 1 up. */
  envelopes: Base64[];
  /** The namespace signed anew, where a new version changes its authority. */
  namespace?: NamespaceRevisionBody;
}

export interface BrakeTightenBody extends Targeted {
  lock?: LockLevel;
  minEpoch?: number;
  until?: KeyCut[];
  /** Keys, named as in `until`, whose private half is gone; they had to end before. */
  destroyed?: string[];
  /** True where it is meant that no key is left for some kind of record. */
  mayStopIssuing?: boolean;
}

export interface LicenseReplaceBody extends Targeted {
  /** The id of the license that takes over; left out: a new one that says the same and keeps the key. */
  by?: string;
}

export interface LicenseTransferBody extends Targeted {
  customer: string;
  /** Left out: none, so that the name of the previous customer does not stay in the license. */
  licensee?: string | null;
  /** True ends every activation by raising the generation. */
  resetSeats?: boolean;
}

export interface LicenseRekeyBody extends Targeted {
  /** Left out: a new one. */
  key?: string;
}

/** The body of every mutation, by the type of its command. */
export interface BodyOf extends GateBodyOf {
  'product.create': ProductCreateBody;
  'product.update': ProductUpdateBody;
  'product.retire': Targeted;
  'plan.create': PlanCreateBody;
  'plan.update': PlanUpdateBody;
  'plan.retire': Targeted;
  'customer.create': CustomerCreateBody;
  'customer.update': CustomerUpdateBody;
  'customer.merge': CustomerMergeBody;
  'customer.erase': Targeted;
  'license.issue': LicenseIssueBody;
  'license.amend': LicenseAmendBody;
  'license.renew': LicenseRenewBody;
  'license.change_plan': LicenseChangePlanBody;
  'license.suspend': LicenseSuspendBody;
  'license.reinstate': Targeted;
  'license.revoke': LicenseRevokeBody;
  'license.replace': LicenseReplaceBody;
  'license.transfer': LicenseTransferBody;
  'license.rekey': LicenseRekeyBody;
  'license.reissue': Targeted;
  'brake.tighten': BrakeTightenBody;
}

export type CommandType = keyof BodyOf;
/** The commands that make a new subject and so have no id in their path. */
export type CreatingCommand = Extract<CommandType, `${string}.create` | 'license.issue' | 'approval.request'>;
/** The commands about the one subject of its kind: no id in their path either. */
export type SingletonCommand = 'brake.tighten' | 'policy.publish' | 'policy.drop_access';
export type SubjectOfCommand<T extends CommandType> =
  T extends `${infer S extends Listed | 'brake' | 'policy'}.${string}` ? S : never;

/** The command that a mutation asks for: `type`, the subject under the name of its type, and the body. */
export type CommandOf<T extends CommandType> = T extends CommandType
  ? { type: T } & (T extends CreatingCommand | SingletonCommand
      ? unknown
      : Record<SubjectOfCommand<T>, string>) &
      BodyOf[T]
  : never;

/** Puts a command together from the parts of a request; `id` is null where the path has none. */
export function commandOf<T extends CommandType>(type: T, id: string | null, body: BodyOf[T]): CommandOf<T> {
  const subject = type.slice(0, type.indexOf('.'));
  return { type, ...(id === null ? {} : { [subject]: id }), ...body } as CommandOf<T>;
}
