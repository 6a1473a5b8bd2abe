import type { Metadata } from '../documents.ts';
import { isBase64Hash, isId, isLicenseKey, isNamespaceName } from '../identifiers.ts';
import {
  isCode,
  isMetadataKey,
  isName,
  METADATA_ENTRIES_MAX,
  METADATA_VALUE_LENGTH_MAX,
  TEXT_LENGTH_MAX,
  textProblem,
} from '../text.ts';
import { isCalendarDuration, isDuration, isInstant } from '../time.ts';
import { malformed, mapOf, type Reader, textThat } from './reader.ts';

/** Readers of the model's scalars, shared by documents and commands. */

/** A text of at least `lengthMin` and at most `lengthMax` characters. */
export function longText(lengthMin: number, lengthMax: number): Reader<string> {
  return (value) => {
    if (typeof value !== 'string') throw malformed('must be text');
    if (value.length < lengthMin) throw malformed('must not be empty');
    const problem = textProblem(value, lengthMax);
    if (problem !== null) throw malformed(problem);
    return value;
  };
}

export const text: Reader<string> = longText(1, TEXT_LENGTH_MAX);
export const emptyOrText: Reader<string> = longText(0, TEXT_LENGTH_MAX);
export const code: Reader<string> = textThat(
  isCode,
  'a code: a lower-case letter, then up to 63 lower-case letters, digits, dots, underscores and hyphens',
);
export const instant: Reader<string> = textThat(isInstant, 'an instant such as 2026-11-23T10:15:30.123Z');
export const duration: Reader<string> = textThat(isDuration, 'a duration such as P30D, PT12H, PT5M or PT9S');
export const calendarDuration: Reader<string> = textThat(
  isCalendarDuration,
  'a duration such as P1Y, P1M, P30D, PT12H, PT5M or PT9S',
);
export const namespaceName: Reader<string> = textThat(isNamespaceName, 'the name of a namespace');
export const hash: Reader<string> = textThat(isBase64Hash, '32 bytes in base64');
export const licenseKey: Reader<string> = textThat(
  isLicenseKey,
  'a license key: 8 to 200 printable ASCII characters without spaces',
);
export const productId: Reader<string> = textThat((value) => isId('prd', value), 'the id of a product');
export const planId: Reader<string> = textThat((value) => isId('pln', value), 'the id of a plan');
export const customerId: Reader<string> = textThat((value) => isId('cus', value), 'the id of a customer');
export const licenseId: Reader<string> = textThat((value) => isId('lic', value), 'the id of a license');
export const principalId: Reader<string> = textThat((value) => isId('prn', value), 'the id of a principal');
export const credentialId: Reader<string> = textThat((value) => isId('crd', value), 'the id of a credential');
export const approvalId: Reader<string> = textThat((value) => isId('apr', value), 'the id of an approval');
/** A member name of the signing profile. */
export const name: Reader<string> = textThat(
  isName,
  'a name: a letter, then up to 63 letters, digits and any of _ . : -',
);
export const email: Reader<string> = textThat(
  (value) => textProblem(value) === null && /^[^\s@]+@[^\s@]+$/.test(value),
  'an e-mail address',
);
export const country: Reader<string> = textThat(
  (value) => /^[A-Z]{2}$/.test(value),
  'a country code of two capital letters',
);
export const currency: Reader<string> = textThat(
  (value) => /^[A-Z]{3}$/.test(value),
  'a currency code of three capital letters',
);

export const metadata: Reader<Metadata> = mapOf(
  textThat(isMetadataKey, 'a metadata key: a letter, then up to 39 letters, digits and any of _ . : -'),
  longText(0, METADATA_VALUE_LENGTH_MAX),
  METADATA_ENTRIES_MAX,
);
