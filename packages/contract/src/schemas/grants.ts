/** What plans, licenses and requests have in common: entitlements, seats and offline terms. */
import { z } from 'zod';
import type { EntitlementTypeInput, GrantInput } from '../bodies.ts';
import {
  type Entitlement,
  type EntitlementType,
  type Grant,
  type OfflineTerms,
  type PlanSeats,
  type Purpose,
  purposes,
  type QuotaGrant,
  type SeatModel,
  seatModels,
  type Trial,
  type ValueGrant,
} from '../documents.ts';
import { calendarDuration, code, duration, emptyOrText, instant, integer, natural, text } from './scalars.ts';
import { closed, kept, mapOf, oneOf, type Shape } from './shape.ts';

const ENTITLEMENTS_MAX = 200;
export const ADDONS_MAX = 20;
const COMPONENTS_MAX = 8;
const CHOICES_MAX = 100;

export const purpose: z.ZodType<Purpose> = oneOf(purposes);
export const seatModel: z.ZodType<SeatModel> = oneOf(seatModels);
const clockPolicy: z.ZodType<OfflineTerms['clock']> = oneOf(['strict', 'tolerant']);
export const quantity: z.ZodType<number> = integer(1, 1_000_000);
export const binding: z.ZodType<PlanSeats['bind']> = z.array(oneOf(['components', 'key', 'label'])).max(3);
export const componentCount: z.ZodType<number> = integer(1, COMPONENTS_MAX);
export const rehost: z.ZodType<{ count: number; per: string }> = closed({ count: natural, per: duration });
export const trial: z.ZodType<Trial> = closed<Trial>({ oncePer: oneOf(['device', 'customer']) });

/** The texts that a string entitlement may take; at least one, none twice. */
const choices: z.ZodType<string[]> = z
  .array(text)
  .min(1, 'must name at least one choice')
  .max(CHOICES_MAX)
  .refine((list) => new Set(list).size === list.length, 'must not name a choice twice')
  .meta({ uniqueItems: true });

const maybeText = text.nullable();
const grantValue: z.ZodType<boolean | number | string> = z.union([z.boolean(), integer(), emptyOrText], {
  error: 'must be true or false, an integer or text',
});
const quota: Shape<QuotaGrant> = {
  limit: natural,
  per: calendarDuration.nullable(),
  over: oneOf(['block', 'allow']),
};
const maybeInstant = instant.nullable();

export const catalogInput: z.ZodType<Record<string, EntitlementTypeInput>> = mapOf(
  code,
  closed<EntitlementTypeInput>({
    type: oneOf(['boolean', 'integer', 'string', 'quota']),
    name: maybeText.exactOptional(),
    unit: maybeText.exactOptional(),
    enum: choices.nullable().exactOptional(),
  }),
  ENTITLEMENTS_MAX,
);

const grantError = { error: 'must be an object with a value, or with limit, per and over' } as const;
const grantOfPlan: z.ZodType<Grant> = z.union(
  [closed<ValueGrant>({ value: grantValue }), closed<QuotaGrant>(quota)],
  grantError,
);
export const grantOfLicense: z.ZodType<GrantInput> = z.union(
  [
    closed<ValueGrant & { until?: string | null }>({
      value: grantValue,
      until: maybeInstant.exactOptional(),
    }),
    closed<QuotaGrant & { until?: string | null }>({ ...quota, until: maybeInstant.exactOptional() }),
  ],
  grantError,
);

export const grantsOfPlan: z.ZodType<Record<string, Grant>> = mapOf(code, grantOfPlan, ENTITLEMENTS_MAX);
export const grantsOfLicense: z.ZodType<Record<string, GrantInput>> = mapOf(
  code,
  grantOfLicense,
  ENTITLEMENTS_MAX,
);
export const grantsAmended: z.ZodType<Record<string, GrantInput | null>> = mapOf(
  code,
  grantOfLicense.nullable(),
  ENTITLEMENTS_MAX,
);

export const offlineInput: z.ZodType<Partial<OfflineTerms>> = closed<Partial<OfflineTerms>>({
  maxAge: duration.exactOptional(),
  grace: duration.exactOptional(),
  clock: clockPolicy.exactOptional(),
});

const unitOfAmount = { name: maybeText, unit: maybeText };

/** The catalog of a product, as its document says it. */
export const catalog: z.ZodType<Record<string, EntitlementType>> = mapOf(
  code,
  z.union([
    kept<Extract<EntitlementType, { type: 'boolean' }>>({ type: z.literal('boolean'), name: maybeText }),
    kept<Extract<EntitlementType, { type: 'integer' }>>({ type: z.literal('integer'), ...unitOfAmount }),
    kept<Extract<EntitlementType, { type: 'string' }>>({
      type: z.literal('string'),
      name: maybeText,
      enum: choices.nullable(),
    }),
    kept<Extract<EntitlementType, { type: 'quota' }>>({ type: z.literal('quota'), ...unitOfAmount }),
  ]),
  ENTITLEMENTS_MAX,
);

export const grants: z.ZodType<Record<string, Grant>> = mapOf(
  code,
  z.union([kept<ValueGrant>({ value: grantValue }), kept<QuotaGrant>(quota)]),
  ENTITLEMENTS_MAX,
);

export const entitlements: z.ZodType<Record<string, Entitlement>> = mapOf(
  code,
  z.union([
    kept<Extract<Entitlement, { value: unknown }>>({ value: grantValue, until: maybeInstant, via: text }),
    kept<Extract<Entitlement, { limit: unknown }>>({ ...quota, until: maybeInstant, via: text }),
  ]),
  ENTITLEMENTS_MAX,
);

export const offlineTerms: z.ZodType<OfflineTerms> = kept<OfflineTerms>({
  maxAge: duration,
  grace: duration,
  clock: clockPolicy,
});
