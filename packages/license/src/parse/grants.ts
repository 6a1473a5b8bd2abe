import type { Entitlement, EntitlementType, Grant, OfflineTerms, Purpose, SeatModel } from '../documents.ts';
import { integer, listOf, malformed, nullable, oneOf, open, plainObject, type Reader } from './reader.ts';
import { calendarDuration, duration, emptyOrText, instant, text } from './scalars.ts';

/** Readers of what plans, licenses and commands have in common: entitlements, seats and offline terms. */

export const ENTITLEMENTS_MAX = 200;
export const ADDONS_MAX = 20;
const CHOICES_MAX = 100;

export const natural: Reader<number> = integer(0);
export const purpose: Reader<Purpose> = oneOf('production', 'trial', 'development', 'internal', 'education');
export const seatModel: Reader<SeatModel> = oneOf('none', 'device', 'user', 'concurrent');
export const quantity: Reader<number> = integer(1, 1_000_000);
export const quotaPolicy: Reader<'block' | 'allow'> = oneOf('block', 'allow');
export const clockPolicy: Reader<'strict' | 'tolerant'> = oneOf('strict', 'tolerant');

/** The texts that a string entitlement may take; at least one, none twice. */
export const choices: Reader<string[]> = (value) => {
  const list = listOf(text, CHOICES_MAX)(value);
  if (list.length === 0) throw malformed('must name at least one choice');
  if (new Set(list).size !== list.length) throw malformed('must not name a choice twice');
  return list;
};

export const grantValue: Reader<boolean | number | string> = (value) => {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return integer()(value);
  if (typeof value === 'string') return emptyOrText(value);
  throw malformed('must be true or false, an integer or text');
};

const catalogTypes: Record<EntitlementType['type'], Reader<EntitlementType>> = {
  boolean: open<Extract<EntitlementType, { type: 'boolean' }>>({
    type: oneOf('boolean'),
    name: nullable(text),
  }),
  integer: open<Extract<EntitlementType, { type: 'integer' }>>({
    type: oneOf('integer'),
    name: nullable(text),
    unit: nullable(text),
  }),
  string: open<Extract<EntitlementType, { type: 'string' }>>({
    type: oneOf('string'),
    name: nullable(text),
    enum: nullable(choices),
  }),
  quota: open<Extract<EntitlementType, { type: 'quota' }>>({
    type: oneOf('quota'),
    name: nullable(text),
    unit: nullable(text),
  }),
};

export const catalogType: Reader<'boolean' | 'integer' | 'string' | 'quota'> = oneOf(
  'boolean',
  'integer',
  'string',
  'quota',
);

/** One entry of a product's catalog. */
export const entitlementType: Reader<EntitlementType> = (value) => {
  const type = plainObject(value)['type'];
  // A missing or unknown type falls through to a reader that names the choices.
  return (isCatalogType(type) ? catalogTypes[type] : unknownType)(value);
};

function isCatalogType(type: unknown): type is EntitlementType['type'] {
  return type === 'boolean' || type === 'integer' || type === 'string' || type === 'quota';
}

const unknownType: Reader<EntitlementType> = open<{ type: EntitlementType['type'] }>({
  type: catalogType,
}) as Reader<EntitlementType>;

const valueGrant: Reader<Grant> = open<Extract<Grant, { value: unknown }>>({ value: grantValue });
const quotaGrant: Reader<Grant> = open<Extract<Grant, { limit: unknown }>>({
  limit: natural,
  per: nullable(calendarDuration),
  over: quotaPolicy,
});

/** What a plan grants: a value, or a quota. */
export const grant: Reader<Grant> = (value) => (isQuota(value) ? quotaGrant : valueGrant)(value);

const valueEntitlement: Reader<Entitlement> = open<Extract<Entitlement, { value: unknown }>>({
  value: grantValue,
  until: nullable(instant),
  via: text,
});
const quotaEntitlement: Reader<Entitlement> = open<Extract<Entitlement, { limit: unknown }>>({
  limit: natural,
  per: nullable(calendarDuration),
  over: quotaPolicy,
  until: nullable(instant),
  via: text,
});

/** A resolved entitlement of a license. */
export const entitlement: Reader<Entitlement> = (value) =>
  (isQuota(value) ? quotaEntitlement : valueEntitlement)(value);

/** True when the object is a quota; one that claims to be both is refused. */
export function isQuota(value: unknown): boolean {
  const source = plainObject(value);
  if (source['limit'] === undefined) return false;
  if (source['value'] !== undefined) throw malformed('must have either a value or a limit');
  return true;
}

export const offlineTerms: Reader<OfflineTerms> = open<OfflineTerms>({
  maxAge: duration,
  grace: duration,
  clock: clockPolicy,
});
