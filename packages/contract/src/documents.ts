/**
 * The documents as answers carry them: the full current state of one subject each. They are the same as the
 * documents of the license model; a test holds the two together. Every field is present; `null` means none.
 */

import type {
  ApprovalDocument,
  CredentialDocument,
  PolicyDocument,
  PrincipalDocument,
} from './gate-documents.ts';

/** `2026-11-23T10:15:30.123Z` */
export type Instant = string;
/** `P<n>D`, `PT<n>H`, `PT<n>M` or `PT<n>S` */
export type Duration = string;
/** A duration that may also be `P<n>M` (months) or `P<n>Y` (years); plans and quotas only. */
export type CalendarDuration = string;
/** `[a-z][a-z0-9._-]{0,63}` */
export type Code = string;
/** Standard base64 with padding; of a hash, 32 bytes. */
export type Base64 = string;

export const subjectTypes = [
  'namespace',
  'brake',
  'product',
  'plan',
  'customer',
  'license',
  'principal',
  'credential',
  'policy',
  'approval',
] as const;
export const purposes = ['production', 'trial', 'development', 'internal', 'education'] as const;
export const lockLevels = ['open', 'heightened', 'read-only', 'frozen', 'sealed'] as const;
export const keyUsages = ['product', 'plan', 'customer', 'license', 'gate', 'brake', 'lease'] as const;
export const keyAlgorithms = ['ed25519', 'ml-dsa-44', 'ecdsa-p256-sha256'] as const;
export const seatModels = ['none', 'device', 'user', 'concurrent'] as const;
export const licenseStates = ['active', 'suspended', 'revoked'] as const;
export const catalogStates = ['active', 'retired'] as const;
export const customerStates = ['active', 'merged', 'erased'] as const;
export const suspensionReasons = ['payment', 'dispute', 'abuse', 'security', 'requested', 'other'] as const;
/** What a caller may revoke for; a superseded license is revoked by what replaces it. */
export const revocationReasons = ['refund', 'fraud', 'ended', 'mistake'] as const;

/** The closed list of record types, in the order of the model. */
export const recordTypes = [
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

export type SubjectType = (typeof subjectTypes)[number];
export type Purpose = (typeof purposes)[number];
export type LockLevel = (typeof lockLevels)[number];
export type KeyUsage = (typeof keyUsages)[number];
export type KeyAlgorithm = (typeof keyAlgorithms)[number];
export type SeatModel = (typeof seatModels)[number];
export type LicenseState = (typeof licenseStates)[number];
export type CatalogState = (typeof catalogStates)[number];
export type CustomerState = (typeof customerStates)[number];
export type SuspensionReason = (typeof suspensionReasons)[number];
export type RevocationReason = (typeof revocationReasons)[number];
export type RecordType = (typeof recordTypes)[number];
export type Metadata = Record<string, string>;

/** What every document begins with. */
export interface DocumentHead<T extends SubjectType> {
  v: 1;
  type: T;
  ns: string;
  id: string;
  rev: number;
  /** Names of members that a reader must understand; unknown ones mean "update your verifier". */
  crit: string[];
}

export interface NamespaceKey {
  /** H(alg || 00 || raw key), base64 */
  id: Base64;
  alg: KeyAlgorithm;
  usages: KeyUsage[];
  /** First log index at which the key is valid. */
  from: number;
  /** First log index at which it no longer is; null while open-ended. */
  until: number | null;
  limits: {
    offlineMax: Duration | null;
    termMax: Duration | null;
    seatsMax: number | null;
    perMinute: number | null;
  };
}

export interface NamespaceDocument extends DocumentHead<'namespace'> {
  name: string;
  mode: 'live' | 'test';
  support: { name: string | null; email: string | null; url: string | null };
  epoch: number;
  lock: LockLevel;
  minEpoch: number;
  keys: NamespaceKey[];
}

export interface BrakeDocument extends DocumentHead<'brake'> {
  epoch: number;
  lock: LockLevel;
  minEpoch: number;
  until: { id: Base64; index: number }[];
  /** Keys whose private half is gone, and since which log index; left out while there is none. */
  destroyed?: { id: Base64; index: number }[];
}

export type EntitlementType =
  | { type: 'boolean'; name: string | null }
  | { type: 'integer'; name: string | null; unit: string | null }
  | { type: 'string'; name: string | null; enum: string[] | null }
  | { type: 'quota'; name: string | null; unit: string | null };

export interface ProductDocument extends DocumentHead<'product'> {
  code: Code;
  name: string;
  state: CatalogState;
  entitlements: Record<Code, EntitlementType>;
  metadata: Metadata;
  private: Base64 | null;
}

/** A value, or an amount per period. */
export type ValueGrant = { value: boolean | number | string };
export type QuotaGrant = { limit: number; per: CalendarDuration | null; over: 'block' | 'allow' };
/** What a plan or an amendment grants, before it is resolved into a license. */
export type Grant = ValueGrant | QuotaGrant;

export interface PlanTerm {
  length: CalendarDuration | null;
  grace: Duration;
  basis: 'issue' | 'first_activation';
}

export interface PlanUpdates {
  length: CalendarDuration | null;
  fallback: boolean;
  maxMajor: number | null;
}

export interface PlanSeats {
  model: SeatModel;
  max: number | null;
  over: number;
  bind: ('components' | 'key' | 'label')[];
  need: number | null;
  lease: Duration | null;
  borrowMax: Duration | null;
  rehost: { count: number; per: Duration } | null;
}

export interface OfflineTerms {
  maxAge: Duration;
  grace: Duration;
  clock: 'strict' | 'tolerant';
}

export type Trial = { oncePer: 'device' | 'customer' };

export interface PlanDocument extends DocumentHead<'plan'> {
  /** Product id. */
  product: string;
  code: Code;
  name: string;
  kind: 'base' | 'addon';
  state: CatalogState;
  purpose: Purpose;
  term: PlanTerm;
  updates: PlanUpdates;
  seats: PlanSeats;
  entitlements: Record<Code, Grant>;
  offline: OfflineTerms;
  trial: Trial | null;
  metadata: Metadata;
  private: Base64 | null;
}

export interface CustomerDocument extends DocumentHead<'customer'> {
  /** The vendor's own identifier of the customer, unique; null once erased. */
  reference: string | null;
  name: string | null;
  email: string | null;
  /** ISO 3166-1 alpha-2 */
  country: string | null;
  parent: string | null;
  state: CustomerState;
  /** The customer merged into. */
  into: string | null;
  metadata: Metadata;
}

/** A resolved entitlement: nothing else is needed offline. `via` says what a plan change replaces. */
export type Entitlement = Grant & { until: Instant | null; via: string };

export interface LicenseDocument extends DocumentHead<'license'> {
  product: { id: string; code: Code };
  plan: { id: string; rev: number; code: Code; name: string };
  addons: { plan: string; rev: number; code: Code; quantity: number; until: Instant | null }[];
  customer: string | null;
  /** The only personal text that a license carries. */
  licensee: string | null;
  purpose: Purpose;
  status: {
    state: LicenseState;
    reason: SuspensionReason | RevocationReason | 'superseded' | null;
    message: string | null;
    since: Instant;
    successor: string | null;
  };
  term: { from: Instant | null; until: Instant | null; grace: Duration };
  updates: { until: Instant | null; fallback: Instant | null; maxMajor: number | null };
  seats: { model: SeatModel; max: number | null; over: number };
  entitlements: Record<Code, Entitlement>;
  offline: OfflineTerms;
  generation: number;
  epoch: number;
  metadata: Metadata;
  private: Base64 | null;
}

/** What only the vendor sees of a license. The license key is left out: it is shown once, when it is made. */
export interface CompanionView {
  /** The last four characters of the license key, to tell keys apart. */
  keyHint: string | null;
  order: string | null;
  /** Minor units of `currency`. */
  price: number | null;
  /** ISO 4217 */
  currency: string | null;
  reseller: string | null;
  crm: Metadata;
  notes: string | null;
}

export interface DocumentOf {
  namespace: NamespaceDocument;
  brake: BrakeDocument;
  product: ProductDocument;
  plan: PlanDocument;
  customer: CustomerDocument;
  license: LicenseDocument;
  principal: PrincipalDocument;
  credential: CredentialDocument;
  policy: PolicyDocument;
  approval: ApprovalDocument;
}

/** What is sold, and to whom. */
export type Sold = 'product' | 'plan' | 'customer' | 'license';
/** The subjects of which there may be many. */
export type Listed = Sold | 'principal' | 'credential' | 'approval';
