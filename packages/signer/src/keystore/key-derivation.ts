/**
 * From a passphrase to the key of a keystore.
 *
 *     {"name":"scrypt","n","r","p"}    RFC 7914: each guess costs 128 MiB and a third of a second
 *     {"name":"hkdf-sha256"}           RFC 5869: for passphrases that were made here, of 192 random bits
 *
 * What people choose can be guessed, and scrypt makes guesses dear. What nobody could guess in the age of the universe
 * gains nothing by it, and each start would wait for it. Which one it is follows from the passphrase and not from the file:
 * a file that asks for HKDF stays shut for every passphrase but one that bears the mark of those made here.
 */
import { createHmac, randomBytes, scryptSync } from 'node:crypto';

/** Bytes are zero after they were used, however that ends; a string cannot be overwritten. */
export type Passphrase = string | Uint8Array;

export type Kdf = { name: 'scrypt'; n: number; r: number; p: number } | { name: 'hkdf-sha256' };

const scryptDefaults = { name: 'scrypt', n: 131_072, r: 8, p: 1 } as const;
const lengthMin = 12;
const keyLength = 32;

const mark = 'random-';
const randomLength = 24;
const madeLength = mark.length + (randomLength * 4) / 3;
const base64urlByte = /^[A-Za-z0-9_-]$/;
const info = 'tallystick/keystore/v1';

/** A passphrase of 192 random bits: ASCII, 39 characters. */
export function makePassphrase(): string {
  return `${mark}${randomBytes(randomLength).toString('base64url')}`;
}

/** Whether it is long enough for people to be let choose it. */
export function isLongEnough(passphrase: Passphrase): boolean {
  return normalized(passphrase).length >= lengthMin;
}

/** What a new keystore is sealed with. */
export function kdfFor(passphrase: Passphrase): Kdf {
  return isMade(passphrase) ? { name: 'hkdf-sha256' } : scryptDefaults;
}

/** Whether a file may ask for it: what is cheaper than what is written here is not taken. */
export function isKnownKdf(kdf: Kdf): boolean {
  return kdf.name === 'hkdf-sha256' || (kdf.name === 'scrypt' && isKnownCost(kdf));
}

/** 32 bytes; throws where the passphrase is none that goes with `kdf`. */
export function deriveKey(passphrase: Passphrase, salt: Uint8Array, kdf: Kdf): Uint8Array {
  if (kdf.name === 'hkdf-sha256') {
    if (!isMade(passphrase)) throw new Error('HKDF is for passphrases that were made at random');
    return hkdf(passphrase, salt);
  }
  const { n, r, p } = kdf;
  return scryptSync(normalized(passphrase), salt, keyLength, { N: n, r, p, maxmem: 160 * n * r });
}

/** The one block that 32 bytes take. Node's own function leaves a copy of the passphrase in memory until garbage is collected. */
function hkdf(passphrase: Passphrase, salt: Uint8Array): Uint8Array {
  const extracted = createHmac('sha256', salt).update(passphrase).digest();
  const key = createHmac('sha256', extracted).update(`${info}\x01`).digest();
  extracted.fill(0);
  return key;
}

/** At least as dear as what is written here, and what scrypt can do: a power of two, bounded. */
function isKnownCost({ n, r, p }: { n: number; r: number; p: number }): boolean {
  const isPower = Number.isSafeInteger(n) && Number.isInteger(Math.log2(n));
  return (
    isPower && n >= scryptDefaults.n && n <= 2 ** 22 && r === 8 && Number.isInteger(p) && p >= 1 && p <= 16
  );
}

/** Looked at byte by byte: a string made of it could not be overwritten. */
function isMade(passphrase: Passphrase): boolean {
  if (passphrase.length !== madeLength) return false;
  const at = (index: number): string =>
    typeof passphrase === 'string' ? passphrase.charAt(index) : String.fromCharCode(passphrase[index] ?? 0);
  for (let index = 0; index < madeLength; index++) {
    const expected = mark[index];
    if (expected === undefined ? !base64urlByte.test(at(index)) : at(index) !== expected) return false;
  }
  return true;
}

/** NFKC leaves ASCII as it is; only another passphrase has to become a string, which cannot be overwritten. */
function normalized(passphrase: Passphrase): Passphrase {
  if (typeof passphrase === 'string') return passphrase.normalize('NFKC');
  if (passphrase.every((byte) => byte < 0x80)) return passphrase;
  const { buffer, byteOffset, byteLength } = passphrase;
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8').normalize('NFKC');
}
