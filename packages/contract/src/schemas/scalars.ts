/** Scalars, bounded the same way as the license model bounds them. */
import { z } from 'zod';
import type { Metadata } from '../documents.ts';
import { mapOf } from './shape.ts';

const TEXT_LENGTH_MAX = 200;
const METADATA_ENTRIES_MAX = 50;
const METADATA_VALUE_LENGTH_MAX = 500;
const CONTROL = /\p{Cc}/u;
const SECONDS_PER_DAY = 86_400;
const DURATION_SECONDS_MAX = 36_600 * SECONDS_PER_DAY;
const DURATION_MONTHS_MAX = 1_200;
const ID_SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}';

/** Lengths count Unicode code points, as JSON Schema does. */
export function longText(lengthMin: number, lengthMax: number): z.ZodType<string> {
  return z
    .string({ error: 'must be text' })
    .refine((value) => isText(value, lengthMin, lengthMax), {
      error: `must be text of ${lengthMin} to ${lengthMax} characters in Unicode normalization form C, without control characters`,
    })
    .meta({ minLength: lengthMin, maxLength: lengthMax, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' });
}

/** The text rule of the model. */
function isText(value: string, lengthMin: number, lengthMax: number): boolean {
  // A code point has at most two code units: a longer value need not be counted.
  if (value.length < lengthMin || value.length > lengthMax * 2) return false;
  if (value.length > lengthMax && codePointCount(value) > lengthMax) return false;
  return value.isWellFormed() && !CONTROL.test(value) && value.normalize('NFC') === value;
}

function codePointCount(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/** A text that a pattern matches; `what` completes the sentence "must be …". */
export function matching(
  pattern: RegExp,
  what: string,
  meta: Record<string, unknown> = {},
): z.ZodType<string> {
  return z
    .string({ error: `must be ${what}` })
    .regex(pattern, { error: `must be ${what}`, abort: true })
    .meta(meta);
}

export const text: z.ZodType<string> = longText(1, TEXT_LENGTH_MAX);
export const emptyOrText: z.ZodType<string> = longText(0, TEXT_LENGTH_MAX);
export const code: z.ZodType<string> = matching(
  /^[a-z][a-z0-9._-]{0,63}$/,
  'a code: a lower-case letter, then up to 63 lower-case letters, digits, dots, underscores and hyphens',
);

export const instant: z.ZodType<string> = z
  .string({ error: 'must be an instant such as 2026-11-23T10:15:30.123Z' })
  .regex(/^[2-9]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, {
    error: 'must be an instant such as 2026-11-23T10:15:30.123Z',
    abort: true,
  })
  .refine(isRealInstant, 'must be an instant on a date that exists')
  .meta({ format: 'date-time' });

function isRealInstant(value: string): boolean {
  const ms = Date.parse(value);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value;
}

const DURATION = /^P(?:(0|[1-9]\d{0,8})D|T(0|[1-9]\d{0,9})([HMS]))$/;
const CALENDAR = /^P(?:(0|[1-9]\d{0,8})([MY]))$/;
const UNIT_SECONDS: Readonly<Record<string, number>> = { H: 3600, M: 60, S: 1 };

function isDuration(value: string): boolean {
  const match = DURATION.exec(value);
  if (match === null) return false;
  const seconds =
    match[1] === undefined
      ? Number(match[2]) * (UNIT_SECONDS[match[3] ?? ''] ?? 0)
      : Number(match[1]) * SECONDS_PER_DAY;
  return seconds <= DURATION_SECONDS_MAX;
}

function isCalendarDuration(value: string): boolean {
  const match = CALENDAR.exec(value);
  if (match === null) return isDuration(value);
  return Number(match[1]) * (match[2] === 'Y' ? 12 : 1) <= DURATION_MONTHS_MAX;
}

export const duration: z.ZodType<string> = z
  .string({ error: 'must be a duration such as P30D, PT12H, PT5M or PT9S' })
  .refine(isDuration, 'must be a duration such as P30D, PT12H, PT5M or PT9S, of at most 36,600 days')
  .meta({ pattern: DURATION.source });
export const calendarDuration: z.ZodType<string> = z
  .string({ error: 'must be a duration such as P1Y, P1M, P30D, PT12H, PT5M or PT9S' })
  .refine(
    isCalendarDuration,
    'must be a duration such as P1Y, P1M, P30D or PT12H, of at most a hundred years',
  )
  .meta({ pattern: '^P(?:(0|[1-9]\\d{0,8})[DMY]|T(0|[1-9]\\d{0,9})[HMS])$' });

/** A safe integer from `min` to `max`; `-0`, which has no encoding of its own, is none. */
export function integer(
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): z.ZodType<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const error =
    min === Number.MIN_SAFE_INTEGER ? 'must be an integer within ±(2^53 − 1)' : `must be an integer ${range}`;
  return z
    .int({ error })
    .min(min, { error })
    .max(max, { error })
    .refine((value) => !Object.is(value, -0), { error });
}

export const natural: z.ZodType<number> = integer(0);
export const boolean: z.ZodType<boolean> = z.boolean({ error: 'must be true or false' });
export const email: z.ZodType<string> = z
  .string({ error: 'must be an e-mail address' })
  .refine(
    (value) => isText(value, 1, TEXT_LENGTH_MAX) && /^[^\s@]+@[^\s@]+$/.test(value),
    'must be an e-mail address',
  )
  .meta({ minLength: 3, maxLength: TEXT_LENGTH_MAX, pattern: '^[^\\s@]+@[^\\s@]+$' });
export const country: z.ZodType<string> = matching(/^[A-Z]{2}$/, 'a country code of two capital letters');
export const currency: z.ZodType<string> = matching(/^[A-Z]{3}$/, 'a currency code of three capital letters');
export const licenseKey: z.ZodType<string> = matching(
  /^[\x21-\x7e]{8,200}$/,
  'a license key: 8 to 200 printable ASCII characters without spaces',
);
export const metadata: z.ZodType<Metadata> = mapOf(
  matching(
    /^[A-Za-z][A-Za-z0-9_.:-]{0,39}$/,
    'a metadata key: a letter, then up to 39 letters, digits and any of _ . : -',
  ),
  longText(0, METADATA_VALUE_LENGTH_MAX),
  METADATA_ENTRIES_MAX,
);

export const productId: z.ZodType<string> = idOf('prd', 'product');
export const planId: z.ZodType<string> = idOf('pln', 'plan');
export const customerId: z.ZodType<string> = idOf('cus', 'customer');
export const licenseId: z.ZodType<string> = idOf('lic', 'license');
export const principalId: z.ZodType<string> = idOf('prn', 'principal');
export const credentialId: z.ZodType<string> = idOf('crd', 'credential');
export const approvalId: z.ZodType<string> = idOf('apr', 'request for approval');
export const namespaceName: z.ZodType<string> = matching(/^[a-z][a-z0-9-]{0,30}$/, 'the name of a namespace');
export const memberName: z.ZodType<string> = matching(/^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/, 'a member name');

function idOf(prefix: string, what: string): z.ZodType<string> {
  return matching(
    new RegExp(`^${prefix}_${ID_SUFFIX}$`),
    `the id of a ${what}, ${prefix}_ and 26 characters`,
  );
}

/** 32 bytes: the last of the 43 characters carries four bits. */
export const hash: z.ZodType<string> = matching(
  /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/,
  '32 bytes in standard base64',
);
const base64Digits = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
export const base64: z.ZodType<string> = matching(base64Digits, 'standard base64 with padding', {
  contentEncoding: 'base64',
});
/** For what is sent: at most so many bytes. */
export function base64Of(bytesMax: number): z.ZodType<string> {
  const digitsMax = Math.ceil(bytesMax / 3) * 4;
  return z
    .string()
    .max(digitsMax, `must be at most ${bytesMax} bytes`)
    .regex(base64Digits, 'must be standard base64 with padding')
    .meta({ contentEncoding: 'base64' });
}
