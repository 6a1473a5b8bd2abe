/**
 * A keystore in one file: private keys sealed with XAES-256-GCM under a passphrase (scrypt).
 *
 *     {"v":1,"kdf":{"name":"scrypt","n","r","p","salt":b64},"sealed":b64}
 *
 * The header is the additional data, so a weaker cost cannot be swapped in.
 */
import { randomBytes, scryptSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { base64, decodeBase64, utf8 } from '@tallystick/core';
import { KeystoreError } from './keystore-error.ts';
import { takeSeeds } from './sealed-seeds.ts';
import { type KeySpec, SigningKey } from './signing-key.ts';
import { open, seal } from './xaes-256-gcm.ts';

/** scrypt at 128 MiB: about half a second once per start, and per guess of a thief. */
const kdfDefaults = { name: 'scrypt', n: 131_072, r: 8, p: 1 } as const;
const passphraseLengthMin = 12;

/** Bytes are zero after they were used, however that ends; a string cannot be overwritten. */
export type Passphrase = string | Uint8Array;

/** Writes a new keystore with mode 0600; refuses to overwrite one. */
export function createSealedKeystore(file: string, passphrase: Passphrase, keys: readonly KeySpec[]): void {
  usingUp(passphrase, () => {
    if (normalized(passphrase).length < passphraseLengthMin) {
      throw new KeystoreError(`the passphrase needs at least ${passphraseLengthMin} characters`);
    }
    const text = sealedText(passphrase, keys);
    try {
      closeSync(openSync(file, 'wx', 0o600));
    } catch (error) {
      throw new KeystoreError(`${file} exists already, or its folder does not`, { cause: error });
    }
    writeInPlace(file, text);
  });
}

/** Adds keys behind those that a keystore holds. It holds either all of them afterwards, or what it held before. */
export function addToSealedKeystore(file: string, passphrase: Passphrase, keys: readonly KeySpec[]): void {
  usingUp(passphrase, () => {
    const held = readContent(file, passphrase, parseKeys);
    writeInPlace(file, sealedText(passphrase, [...held, ...keys]));
  });
}

function sealedText(passphrase: Passphrase, keys: readonly KeySpec[]): string {
  const salt = randomBytes(32);
  const header = JSON.stringify({ v: 1, kdf: { ...kdfDefaults, salt: base64(salt) } });
  const key = deriveKey(passphrase, salt, kdfDefaults);
  const content = utf8(JSON.stringify({ keys }));
  const sealed = seal(key, content, utf8(header));
  key.fill(0);
  content.fill(0);
  return `${header.slice(0, -1)},"sealed":"${base64(sealed)}"}\n`;
}

/**
 * Opens a keystore; throws KeystoreError for loose file modes, a wrong passphrase or damage. Every buffer that held what
 * it opened is zero afterwards.
 */
export function openSealedKeystore(file: string, passphrase: Passphrase): SigningKey[] {
  return usingUp(passphrase, () => readContent(file, passphrase, openKeys));
}

function usingUp<T>(passphrase: Passphrase, work: () => T): T {
  try {
    return work();
  } finally {
    if (typeof passphrase !== 'string') passphrase.fill(0);
  }
}

/** What `read` makes of the content, which it may overwrite. */
function readContent<T>(file: string, passphrase: Passphrase, read: (content: Uint8Array) => T): T {
  const { mode } = statOf(file);
  if ((mode & 0o077) !== 0) {
    throw new KeystoreError(`${file} can be read by others than its owner: run chmod 600 on it`);
  }
  const { header, kdf, salt, sealed } = parseFile(file);
  const key = deriveKey(passphrase, salt, kdf);
  let content: Uint8Array | undefined;
  try {
    content = open(key, sealed, utf8(header));
    return read(content);
  } catch (error) {
    if (error instanceof KeystoreError)
      throw new KeystoreError(`${file}: ${error.message}`, { cause: error });
    throw new KeystoreError(`${file}: wrong passphrase, or the file is damaged`, { cause: error });
  } finally {
    key.fill(0);
    content?.fill(0);
  }
}

function openKeys(content: Uint8Array): SigningKey[] {
  const seeds = takeSeeds(content);
  try {
    return parseKeys(content).map((spec, index) => new SigningKey(spec, seeds[index]));
  } finally {
    for (const seed of seeds) seed.fill(0);
  }
}

function parseKeys(content: Uint8Array): KeySpec[] {
  const { keys } = JSON.parse(Buffer.from(content).toString('utf8')) as { keys: KeySpec[] };
  return keys;
}

interface Kdf {
  name: string;
  n: number;
  r: number;
  p: number;
}

function parseFile(file: string): { header: string; kdf: Kdf; salt: Uint8Array; sealed: Uint8Array } {
  try {
    const text = readFileSync(file, 'utf8');
    const { v, kdf, sealed } = JSON.parse(text) as { v: number; kdf: Kdf & { salt: string }; sealed: string };
    const { n, r, p } = kdf;
    if (v !== 1 || kdf.name !== 'scrypt' || !isKnownCost(n, r, p)) {
      throw new KeystoreError(`${file} is of a kind that this version does not know`);
    }
    const header = JSON.stringify({ v, kdf });
    return { header, kdf, salt: decodeBase64(kdf.salt, 32), sealed: decodeBase64(sealed) };
  } catch (error) {
    if (error instanceof KeystoreError) throw error;
    throw new KeystoreError(`${file} is not a keystore`, { cause: error });
  }
}

/** At least as dear as what is written here, and what scrypt can do: a power of two, bounded. */
function isKnownCost(n: number, r: number, p: number): boolean {
  const isPower = Number.isSafeInteger(n) && Number.isInteger(Math.log2(n));
  return isPower && n >= kdfDefaults.n && n <= 2 ** 22 && r === 8 && Number.isInteger(p) && p >= 1 && p <= 16;
}

function statOf(file: string): { mode: number } {
  try {
    return statSync(file);
  } catch (error) {
    throw new KeystoreError(`there is no keystore at ${file}`, { cause: error });
  }
}

function deriveKey(passphrase: Passphrase, salt: Uint8Array, kdf: Kdf): Uint8Array {
  const { n, r, p } = kdf;
  return scryptSync(normalized(passphrase), salt, 32, { N: n, r, p, maxmem: 160 * n * r });
}

/** NFKC leaves ASCII as it is; only another passphrase has to become a string, which cannot be overwritten. */
function normalized(passphrase: Passphrase): Passphrase {
  if (typeof passphrase === 'string') return passphrase.normalize('NFKC');
  if (passphrase.every((byte) => byte < 0x80)) return passphrase;
  const { buffer, byteOffset, byteLength } = passphrase;
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8').normalize('NFKC');
}

/** Whole or not at all: written beside, synced, then renamed. */
function writeInPlace(file: string, text: string): void {
  const partial = `${file}.partial`;
  const descriptor = openSync(partial, 'w', 0o600);
  writeSync(descriptor, text);
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(partial, file);
  const directory = openSync(dirname(file), 'r');
  fsyncSync(directory);
  closeSync(directory);
}
