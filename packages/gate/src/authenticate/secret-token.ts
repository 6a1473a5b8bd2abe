/**
 * Secrets that callers carry: `tally_<kind>_`, 43 characters of randomness and 6 of a checksum, all in base62, so that a
 * scanner of repositories finds a leaked one and can tell it from an example without asking anybody.
 *
 * The checksum is CRC-32 over everything before it: it detects slips, and protects nothing. The server keeps the
 * HMAC-SHA-256 of a token's SHA-256 under a secret of its own, and looks that up in a map. What time the look-up takes depends on
 * the HMAC, which nobody without the secret can choose, so it says nothing about how much of a guess is right.
 */
import { createHmac, hash, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';

export const secretTokenKinds = ['api', 'partner', 'session', 'invite'] as const;
export type SecretTokenKind = (typeof secretTokenKinds)[number];

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62^43 is a little more than 2^256, and 62^6 more than 2^32. */
const randomLength = 43;
const checksumLength = 6;

/** For secret scanners, which add word boundaries of their own. */
export const secretTokenPattern = 'tally_(?:api|partner|session|invite)_[0-9A-Za-z]{49}';
const whole = new RegExp(`^${secretTokenPattern}$`);

/** `random` gives so many unpredictable bytes. */
export function newSecretToken(kind: SecretTokenKind, random: (length: number) => Uint8Array): string {
  const value = BigInt(`0x${Buffer.from(random(32)).toString('hex')}`);
  const body = `tally_${kind}_${base62(value, randomLength)}`;
  return body + checksum(body);
}

/** What kind of token a text is; null for what is none, or has a slip in it. */
export function secretTokenKind(text: string): SecretTokenKind | null {
  if (!whole.test(text)) return null;
  const body = text.slice(0, -checksumLength);
  if (checksum(body) !== text.slice(-checksumLength)) return null;
  return secretTokenKinds.find((kind) => text.startsWith(`tally_${kind}_`)) ?? null;
}

/** Base64 of the SHA-256 of a token: what its maker tells the server, which so never sees a key that it did not make. */
export function secretTokenHash(token: string): string {
  return hash('sha256', token, 'base64');
}

/** Base64 of the HMAC under which a token is found. */
export function secretTokenLookup(key: KeyObject, token: string): string {
  return lookupOfHash(key, secretTokenHash(token));
}

/** As `secretTokenLookup`, for who has the hash alone. */
export function lookupOfHash(key: KeyObject, tokenHash: string): string {
  return createHmac('sha256', key).update(tokenHash, 'latin1').digest('base64');
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), checksumLength);
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = alphabet.charAt(Number(rest % 62n)) + text;
  return text;
}
