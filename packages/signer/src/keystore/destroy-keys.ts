/**
 * Destruction of keys in a sealed keystore, together with the passphrase that opens its older copies.
 *
 * The keystore is sealed anew under a new passphrase, so that whoever has an old copy of it and finds the passphrase file
 * later opens nothing. The two files cannot change at once: in between, the new passphrase lies in `<passphrase file>.next`,
 * and running any of these again finishes the change.
 */
import { chmodSync, lstatSync } from 'node:fs';
import { makePassphrase } from './key-derivation.ts';
import { WrongPassphrase } from './keystore-error.ts';
import { readPassphraseFile } from './passphrase-file.ts';
import { openSealedKeystore, removeFromSealedKeystore } from './sealed-file.ts';
import { holdingKeystore, replaceAndWipe, wipe, wipeFormer, writeSecretFile } from './secret-files.ts';

export interface KeystoreFiles {
  keystore: string;
  passphraseFile: string;
}

export interface Destruction {
  /** Fingerprints, base64. */
  ids: readonly string[];
  /** Whether the keystore goes on to say what their public halves are, so that what they signed can be checked. */
  keepsPublic: boolean;
}

/**
 * Removes keys from a keystore and gives it a new passphrase, which takes the place of the one in the passphrase file.
 * False where it holds none of them. Either way what an earlier run left over is gone afterwards. Throws KeystoreError.
 */
export function destroyKeys(files: KeystoreFiles, { ids, keepsPublic }: Destruction): boolean {
  const { keystore, passphraseFile } = files;
  return holdingKeystore(keystore, () => {
    finish(files);
    const next = nextOf(passphraseFile);
    // Before another passphrase goes, the one in use must be seen to open it.
    if (isThere(next)) openSealedKeystore(keystore, readPassphraseFile(passphraseFile));
    for (const leftover of [next, `${keystore}.partial`]) wipe(leftover);
    const passphrase = makePassphrase();
    writeSecretFile(next, passphrase);
    const isChanged = removeFromSealedKeystore(keystore, readPassphraseFile(passphraseFile), {
      ids,
      keepsPublic,
      newPassphrase: passphrase,
    });
    if (isChanged) putPassphraseInPlace(files);
    else wipe(next);
    return isChanged;
  });
}

/** Finishes a destruction that was interrupted; nothing to do where none was. Throws KeystoreError. */
export function finishDestruction(files: KeystoreFiles): void {
  const { keystore, passphraseFile } = files;
  const names = [nextOf(passphraseFile), `${keystore}.former`, `${passphraseFile}.former`];
  if (names.some(isThere)) holdingKeystore(keystore, () => finish(files));
}

function finish({ keystore, passphraseFile }: KeystoreFiles): void {
  wipeFormer(keystore);
  wipeFormer(passphraseFile);
  if (opens(keystore, nextOf(passphraseFile))) putPassphraseInPlace({ keystore, passphraseFile });
}

function putPassphraseInPlace({ keystore, passphraseFile }: KeystoreFiles): void {
  replaceAndWipe(nextOf(passphraseFile), passphraseFile);
  // Whoever watches the keystore may have looked between the two, and looks again.
  chmodSync(keystore, 0o600);
}

function opens(keystore: string, passphraseFile: string): boolean {
  if (lstatSync(passphraseFile, { throwIfNoEntry: false })?.isFile() !== true) return false;
  try {
    openSealedKeystore(keystore, readPassphraseFile(passphraseFile));
    return true;
  } catch (error) {
    if (error instanceof WrongPassphrase) return false;
    throw error;
  }
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

function nextOf(passphraseFile: string): string {
  return `${passphraseFile}.next`;
}
