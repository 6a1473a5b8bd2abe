import type {
  AddonInput,
  CompanionInput,
  CustomerInput,
  EntitlementTypeInput,
  GrantInput,
  PlanTermsInput,
  SeatsInput,
  TermInput,
  UpdatesInput,
} from '../commands.ts';
import type { Grant, OfflineTerms } from '../documents.ts';
import { binding, componentCount, rehost } from './catalog-documents.ts';
import {
  catalogType,
  choices,
  clockPolicy,
  ENTITLEMENTS_MAX,
  grantValue,
  isQuota,
  natural,
  purpose,
  quantity,
  quotaPolicy,
  seatModel,
} from './grants.ts';
import {
  boolean,
  closed,
  mapOf,
  nullable,
  type OptionalReader,
  oneOf,
  optional,
  type Reader,
} from './reader.ts';
import {
  calendarDuration,
  code,
  country,
  currency,
  duration,
  email,
  instant,
  metadata,
  text,
} from './scalars.ts';

/** Readers of the parts that several commands share. */

const maybeText: OptionalReader<string | null> = optional(nullable(text));
const maybeInstant: OptionalReader<string | null> = optional(nullable(instant));

export const catalogInput: Reader<Record<string, EntitlementTypeInput>> = mapOf(
  code,
  closed<EntitlementTypeInput>({
    type: catalogType,
    name: maybeText,
    unit: maybeText,
    enum: optional(nullable(choices)),
  }),
  ENTITLEMENTS_MAX,
);

const valueGrant: Reader<Grant> = closed<Extract<Grant, { value: unknown }>>({ value: grantValue });
const quotaGrant: Reader<Grant> = closed<Extract<Grant, { limit: unknown }>>({
  limit: natural,
  per: nullable(calendarDuration),
  over: quotaPolicy,
});
const valueGrantInput: Reader<GrantInput> = closed<Extract<GrantInput, { value: unknown }>>({
  value: grantValue,
  until: maybeInstant,
});
const quotaGrantInput: Reader<GrantInput> = closed<Extract<GrantInput, { limit: unknown }>>({
  limit: natural,
  per: nullable(calendarDuration),
  over: quotaPolicy,
  until: maybeInstant,
});

const grantsOfPlan: Reader<Record<string, Grant>> = mapOf(
  code,
  (value) => (isQuota(value) ? quotaGrant : valueGrant)(value),
  ENTITLEMENTS_MAX,
);

const grantInput: Reader<GrantInput> = (value) => (isQuota(value) ? quotaGrantInput : valueGrantInput)(value);
export const grantsOfLicense: Reader<Record<string, GrantInput>> = mapOf(code, grantInput, ENTITLEMENTS_MAX);
export const grantsAmended: Reader<Record<string, GrantInput | null>> = mapOf(
  code,
  nullable(grantInput),
  ENTITLEMENTS_MAX,
);

export const offlineInput: Reader<Partial<OfflineTerms>> = closed<Partial<OfflineTerms>>({
  maxAge: optional(duration),
  grace: optional(duration),
  clock: optional(clockPolicy),
});

/** The members of `PlanTermsInput`, to be spread into the commands that take them. */
export const planTerms: {
  [K in keyof PlanTermsInput]-?: OptionalReader<Exclude<PlanTermsInput[K], undefined>>;
} = {
  purpose: optional(purpose),
  term: optional(
    closed<NonNullable<PlanTermsInput['term']>>({
      length: optional(nullable(calendarDuration)),
      grace: optional(duration),
      basis: optional(oneOf('issue', 'first_activation')),
    }),
  ),
  updates: optional(
    closed<NonNullable<PlanTermsInput['updates']>>({
      length: optional(nullable(calendarDuration)),
      fallback: optional(boolean),
      maxMajor: optional(nullable(natural)),
    }),
  ),
  seats: optional(
    closed<NonNullable<PlanTermsInput['seats']>>({
      model: optional(seatModel),
      max: optional(nullable(natural)),
      over: optional(natural),
      bind: optional(binding),
      need: optional(nullable(componentCount)),
      lease: optional(nullable(duration)),
      borrowMax: optional(nullable(duration)),
      rehost: optional(nullable(rehost)),
    }),
  ),
  entitlements: optional(grantsOfPlan),
  offline: optional(offlineInput),
  trial: optional(
    nullable(
      closed<NonNullable<NonNullable<PlanTermsInput['trial']>>>({ oncePer: oneOf('device', 'customer') }),
    ),
  ),
  metadata: optional(metadata),
};

/** The members of `CustomerInput`. */
export const customerMembers: {
  [K in keyof CustomerInput]-?: OptionalReader<Exclude<CustomerInput[K], undefined>>;
} = {
  reference: maybeText,
  name: maybeText,
  email: optional(nullable(email)),
  country: optional(nullable(country)),
  parent: maybeText,
  metadata: optional(metadata),
};

export const addonInput: Reader<AddonInput> = closed<AddonInput>({
  plan: text,
  quantity: optional(quantity),
  until: maybeInstant,
});

export const termInput: Reader<TermInput> = closed<TermInput>({
  from: optional(instant),
  until: maybeInstant,
  length: optional(nullable(calendarDuration)),
});

export const updatesInput: Reader<UpdatesInput> = closed<UpdatesInput>({
  until: maybeInstant,
  maxMajor: optional(nullable(natural)),
});

export const seatsInput: Reader<SeatsInput> = closed<SeatsInput>({
  model: optional(seatModel),
  max: optional(nullable(natural)),
  over: optional(natural),
});

export const companionInput: Reader<CompanionInput> = closed<CompanionInput>({
  order: maybeText,
  price: optional(nullable(natural)),
  currency: optional(nullable(currency)),
  reseller: maybeText,
  crm: optional(metadata),
  notes: maybeText,
});
