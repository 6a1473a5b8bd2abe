/**
 * Identifiers. Subjects that are sold or bought are named by a TypeID (https://github.com/jetify-com/typeid):
 * a prefix and a UUIDv7 in 26 characters of lower-case Crockford base32. The singletons `namespace`,
 * `brake` and `policies` are their own id.
 */

export type IdPrefix = 'prd' | 'pln' | 'cus' | 'lic' | 'prn' | 'crd' | 'apr';

const SUFFIX = '[0-7][0-9a-hjkmnp-tv-z]{25}';
const IDS: Record<IdPrefix, RegExp> = {
  prd: new RegExp(`^prd_${SUFFIX}$`),
  pln: new RegExp(`^pln_${SUFFIX}$`),
  cus: new RegExp(`^cus_${SUFFIX}$`),
  lic: new RegExp(`^lic_${SUFFIX}$`),
  prn: new RegExp(`^prn_${SUFFIX}$`),
  crd: new RegExp(`^crd_${SUFFIX}$`),
  apr: new RegExp(`^apr_${SUFFIX}$`),
};
const ANY_ID = new RegExp(`^(?:prd|pln|cus|lic|prn|crd|apr)_${SUFFIX}$`);
const NAMESPACE = /^[a-z][a-z0-9-]{0,30}$/;
// The last character of 32 bytes carries four bits, so its two low bits are zero.
const BASE64_OF_32_BYTES = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const LICENSE_KEY = /^[\x21-\x7e]{8,200}$/;

/** True for an id with this prefix. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return IDS[prefix].test(text);
}

/** True for what could be the id of any subject: such a text may not be chosen as a code or reference. */
export function looksLikeId(text: string): boolean {
  return ANY_ID.test(text);
}

/** True for the name of a namespace. */
export function isNamespaceName(text: string): boolean {
  return NAMESPACE.test(text);
}

/** True for the one base64 text of 32 bytes. */
export function isBase64Hash(text: string): boolean {
  return BASE64_OF_32_BYTES.test(text);
}

/** True for a license key: 8 to 200 printable ASCII characters without spaces. */
export function isLicenseKey(text: string): boolean {
  return LICENSE_KEY.test(text);
}
