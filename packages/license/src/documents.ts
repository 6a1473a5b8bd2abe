/**
 * The documents of the license model: the full current state of one subject each.
 *
 * Member order here is the order in the bytes. Every field is present; `null` means none.
 * Instants are `YYYY-MM-DDTHH:MM:SS.sssZ`; durations use one unit (`P30D`, `PT12H`), except in
 * plans, where calendar units (`P1M`, `P1Y`) are allowed because plans never reach a verifier.
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
/** A duration that may also be `P<n>M` (months) or `P<n>Y` (years); plans only. */
export type CalendarDuration = string;
/** `[a-z][a-z0-9._-]{0,63}` */
export type Code = string;
/** 32 bytes, base64 */
export type Base64 = string;

export type GateSubjectType = 'principal' | 'credential' | 'policy' | 'approval';
export type SubjectType =
  | 'namespace'
  | 'brake'
  | 'product'
  | 'plan'
  | 'customer'
  | 'license'
  | GateSubjectType;

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

export type Metadata = Record<string, string>;
export type Purpose = 'production' | 'trial' | 'development' | 'internal' | 'education';
export type LockLevel = 'open' | 'heightened' | 'read-only' | 'frozen' | 'sealed';
export type KeyUsage = 'product' | 'plan' | 'customer' | 'license' | 'gate' | 'brake' | 'lease';
export type KeyAlgorithm = 'ed25519' | 'ml-dsa-44' | 'ecdsa-p256-sha256';

export interface KeyLimits {
  offlineMax: Duration | null;
  termMax: Duration | null;
  seatsMax: number | null;
  perMinute: number | null;
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
  limits: KeyLimits;
}

export interface Support {
  name: string | null;
  email: string | null;
  url: string | null;
}

export interface NamespaceDocument extends DocumentHead<'namespace'> {
  name: string;
  mode: 'live' | 'test';
  support: Support;
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
  state: 'active' | 'retired';
  entitlements: Record<Code, EntitlementType>;
  metadata: Metadata;
  private: Base64 | null;
}

/** What a plan or an amendment grants, before it is resolved into a license. */
export type Grant =
  | { value: boolean | number | string }
  | { limit: number; per: CalendarDuration | null; over: 'block' | 'allow' };

export type SeatModel = 'none' | 'device' | 'user' | 'concurrent';

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

export interface PlanDocument extends DocumentHead<'plan'> {
  /** Product id. */
  product: string;
  code: Code;
  name: string;
  kind: 'base' | 'addon';
  state: 'active' | 'retired';
  purpose: Purpose;
  term: { length: CalendarDuration | null; grace: Duration; basis: 'issue' | 'first_activation' };
  updates: { length: CalendarDuration | null; fallback: boolean; maxMajor: number | null };
  seats: PlanSeats;
  entitlements: Record<Code, Grant>;
  offline: OfflineTerms;
  trial: { oncePer: 'device' | 'customer' } | null;
  metadata: Metadata;
  private: Base64 | null;
}

export interface CustomerDocument extends DocumentHead<'customer'> {
  /** The vendor's own identifier of the customer, unique; null when there is none, and once erased. */
  reference: string | null;
  name: string | null;
  email: string | null;
  /** ISO 3166-1 alpha-2 */
  country: string | null;
  parent: string | null;
  state: 'active' | 'merged' | 'erased';
  /** The customer merged into. */
  into: string | null;
  metadata: Metadata;
}

/** A resolved entitlement: nothing else is needed offline. `via` says what a plan change replaces. */
export type Entitlement =
  | { value: boolean | number | string; until: Instant | null; via: string }
  | {
      limit: number;
      per: CalendarDuration | null;
      over: 'block' | 'allow';
      until: Instant | null;
      via: string;
    };

export type LicenseState = 'active' | 'suspended' | 'revoked';
export type SuspensionReason = 'payment' | 'dispute' | 'abuse' | 'security' | 'requested' | 'other';
export type RevocationReason = 'refund' | 'fraud' | 'ended' | 'mistake' | 'superseded';

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
    reason: SuspensionReason | RevocationReason | null;
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

export type TallyDocument =
  | NamespaceDocument
  | BrakeDocument
  | ProductDocument
  | PlanDocument
  | CustomerDocument
  | LicenseDocument
  | PrincipalDocument
  | CredentialDocument
  | PolicyDocument
  | ApprovalDocument;

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

/** Vendor-only companion of a license: committed to, never bundled. */
export interface LicenseCompanion {
  /** The license key, a bearer secret. */
  key: string | null;
  order: string | null;
  /** Minor units of `currency`. */
  price: number | null;
  /** ISO 4217 */
  currency: string | null;
  reseller: string | null;
  crm: Record<string, string>;
  notes: string | null;
}
