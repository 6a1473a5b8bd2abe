/**
 * A keystore in one file: private keys sealed with XAES-256-GCM under a passphrase.
 *
 *     {"v":1,"kdf":{"name",…,"salt":b64},"sealed":b64}    with "kdf" as in key-derivation.ts
 *
 * Sealed is {"keys":[…]}, and "destroyed":[{"alg","key","usages","ns"}…] behind it where keys were destroyed: their public
 * halves, without which nobody could check what they signed.
 *
 * The header is the additional data, so a weaker cost cannot be swapped in.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { base64, decodeBase64, keyFingerprintText, type PublicKey, utf8 } from '@tallystick/core';
import { deriveKey, isKnownKdf, isLongEnough, type Kdf, kdfFor, type Passphrase } from './key-derivation.ts';
import { KeystoreError, WrongPassphrase } from './keystore-error.ts';
import type { SigningUsage } from './keystore-key.ts';
import { takeSeeds } from './sealed-seeds.ts';
import { holdingKeystore, putInPlace, replaceAndWipe, wipe, writeSecretFile } from './secret-files.ts';
import { type KeySpec, SigningKey } from './signing-key.ts';
import { open, seal } from './xaes-256-gcm.ts';

/** What is left of a key whose private half is gone. */
export interface DestroyedKey {
  publicKey: PublicKey;
  usages: readonly SigningUsage[];
  ns: string | null;
}

interface Content {
  keys: KeySpec[];
  destroyed?: { alg: PublicKey['alg']; key: string; usages: SigningUsage[]; ns: string | null }[];
}

/** Writes a new keystore with mode 0600; refuses to overwrite one. */
export function createSealedKeystore(file: string, passphrase: Passphrase, keys: readonly KeySpec[]): void {
  usingUp(passphrase, () => {
    if (!isLongEnough(passphrase)) throw new KeystoreError('the passphrase needs at least 12 characters');
    const text = sealedText(passphrase, { keys: [...keys] });
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
  usingUp(passphrase, () =>
    holdingKeystore(file, () => {
      const held = readContent(file, passphrase, parseContent);
      writeInPlace(file, sealedText(passphrase, { ...held, keys: [...held.keys, ...keys] }));
    }),
  );
}

/**
 * Removes keys and seals what is left under another passphrase; the bytes of the former file are overwritten. Whole or
 * not at all; after a kill, `wipeFormer` overwrites what was not. False where the keystore holds none of them. To be
 * called by whoever holds the keystore.
 */
export function removeFromSealedKeystore(
  file: string,
  passphrase: Passphrase,
  options: { ids: readonly string[]; keepsPublic: boolean; newPassphrase: string },
): boolean {
  return usingUp(passphrase, () => {
    const held = readContent(file, passphrase, parseContent);
    const known = held.keys.map((spec) => ({ spec, key: new SigningKey(spec) }));
    const isGone = ({ key }: { key: SigningKey }): boolean =>
      options.ids.includes(keyFingerprintText(key.publicKey));
    const gone = known.filter(isGone);
    if (gone.length === 0) return false;
    const told = gone.map(({ key: { publicKey, usages, ns } }) => {
      return { alg: publicKey.alg, key: base64(publicKey.key), usages: [...usages], ns };
    });
    const destroyed = [...(held.destroyed ?? []), ...(options.keepsPublic ? told : [])];
    const keys = known.filter((each) => !isGone(each)).map(({ spec }) => spec);
    const content = { keys, ...(destroyed.length > 0 && { destroyed }) };
    const partial = partialOf(file);
    wipe(partial);
    writeSecretFile(partial, sealedText(options.newPassphrase, content));
    // It is about to be the only copy.
    if (openSealedKeystore(partial, options.newPassphrase).length !== keys.length)
      throw new KeystoreError(`${partial} does not hold what was written to it: nothing was changed`);
    replaceAndWipe(partial, file);
    return true;
  });
}

function sealedText(passphrase: Passphrase, held: Content): string {
  const salt = randomBytes(32);
  const kdf = kdfFor(passphrase);
  const header = JSON.stringify({ v: 1, kdf: { ...kdf, salt: base64(salt) } });
  const key = deriveKey(passphrase, salt, kdf);
  const content = utf8(JSON.stringify(held));
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
  return openWithDestroyed(file, passphrase).keys;
}

/** As `openSealedKeystore`, with what is left of the keys that were destroyed in it. */
export function openWithDestroyed(
  file: string,
  passphrase: Passphrase,
): { keys: SigningKey[]; destroyed: DestroyedKey[] } {
  return usingUp(passphrase, () => readContent(file, passphrase, openContent));
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
  let key: Uint8Array | undefined;
  let content: Uint8Array | undefined;
  try {
    key = deriveKey(passphrase, salt, kdf);
    content = open(key, sealed, utf8(header));
    return read(content);
  } catch (error) {
    if (error instanceof KeystoreError)
      throw new KeystoreError(`${file}: ${error.message}`, { cause: error });
    throw new WrongPassphrase(`${file}: wrong passphrase, or the file is damaged`, { cause: error });
  } finally {
    key?.fill(0);
    content?.fill(0);
  }
}

function openContent(content: Uint8Array): { keys: SigningKey[]; destroyed: DestroyedKey[] } {
  const seeds = takeSeeds(content);
  try {
    const { keys, destroyed = [] } = parseContent(content);
    return {
      keys: keys.map((spec, index) => new SigningKey(spec, seeds[index])),
      destroyed: destroyed.map(({ alg, key, usages, ns }) => {
        return { publicKey: { alg, key: decodeBase64(key) }, usages, ns };
      }),
    };
  } finally {
    for (const seed of seeds) seed.fill(0);
  }
}

function parseContent(content: Uint8Array): Content {
  return JSON.parse(Buffer.from(content).toString('utf8')) as Content;
}

function parseFile(file: string): { header: string; kdf: Kdf; salt: Uint8Array; sealed: Uint8Array } {
  try {
    const text = readFileSync(file, 'utf8');
    const { v, kdf, sealed } = JSON.parse(text) as { v: number; kdf: Kdf & { salt: string }; sealed: string };
    const { salt } = kdf;
    if (v !== 1 || !isKnownKdf(kdf)) {
      throw new KeystoreError(`${file} is of a kind that this version does not know`);
    }
    const header = JSON.stringify({ v, kdf });
    return { header, kdf, salt: decodeBase64(salt, 32), sealed: decodeBase64(sealed) };
  } catch (error) {
    if (error instanceof KeystoreError) throw error;
    throw new KeystoreError(`${file} is not a keystore`, { cause: error });
  }
}

function statOf(file: string): { mode: number } {
  try {
    return statSync(file);
  } catch (error) {
    throw new KeystoreError(`there is no keystore at ${file}`, { cause: error });
  }
}

/** Whole or not at all: written beside, synced, then renamed. */
function writeInPlace(file: string, text: string): void {
  const partial = partialOf(file);
  wipe(partial);
  writeSecretFile(partial, text);
  putInPlace(partial, file);
}

function partialOf(file: string): string {
  return `${file}.partial`;
}
