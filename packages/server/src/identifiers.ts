/** Identifiers that the server draws: subject ids and license keys. */
import { typeidUnboxed } from 'typeid-js';

/** A TypeID over UUIDv7: sorts by time, 74 random bits. */
export function newSubjectId(prefix: 'prd' | 'pln' | 'cus' | 'lic'): string {
  return typeidUnboxed(prefix);
}

/** Crockford base32: no I, L, O or U, so that a key can be read over a telephone. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A license key of 125 random bits: `TALLY-` and five groups of five characters. */
export function newLicenseKey(random: (length: number) => Uint8Array): string {
  const characters = Array.from(random(25), (byte) => alphabet[byte & 31]).join('');
  return `TALLY-${characters.match(/.{5}/g)?.join('-')}`;
}
