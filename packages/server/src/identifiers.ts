/** Identifiers that the server draws: subject ids and license keys. */
import type { IdPrefix } from '@tallystick/license';
import { typeidUnboxed } from 'typeid-js';

/** A TypeID over UUIDv7: sorts by time, 74 random bits. */
export function newSubjectId(prefix: IdPrefix | 'ses'): string {
  return typeidUnboxed(prefix);
}

/** Crockford base32: no I, L, O or U, so that a key can be read over a telephone. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A license key of 125 random bits: `TALLY-` and five groups of five characters. */
export function newLicenseKey(random: (length: number) => Uint8Array): string {
  const key = Buffer.from('TALLY-xxxxx-xxxxx-xxxxx-xxxxx-xxxxx', 'latin1');
  const bytes = random(25);
  for (let at = 0; at < 25; at++) {
    key[6 + at + Math.floor(at / 5)] = alphabet.charCodeAt((bytes[at] as number) & 31);
  }
  return key.toString('latin1');
}
