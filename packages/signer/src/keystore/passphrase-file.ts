/** Files that a secret is read from at a start: a keystore's passphrase, a token's PIN. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { KeystoreError } from './keystore-error.ts';

/**
 * The passphrase in a file, without white space at its end. Throws KeystoreError where the file is missing, or where
 * others than its owner can reach it: whoever reads it opens every copy of the keystore.
 */
export function readPassphraseFile(file: string): string {
  return readSecretFile(file, 'passphrase');
}

/** The PIN of a token in a file; throws as `readPassphraseFile`, and where it is empty. */
export function readPinFile(file: string): string {
  const pin = readSecretFile(file, 'PIN');
  if (pin === '')
    throw new KeystoreError(`the PIN file ${file} is empty: write the token's user PIN into it`);
  return pin;
}

function readSecretFile(file: string, what: string): string {
  const descriptor = openSecretFile(file, what);
  try {
    // Mode and content are read from one open file, so that they belong to each other.
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeystoreError(
        `the ${what} file ${file} has mode ${mode.toString(8)}, so that others than its owner can reach it: ` +
          `run chmod 600 ${file}, and ask who could read it`,
      );
    }
    return readFileSync(descriptor, 'utf8').trimEnd();
  } finally {
    closeSync(descriptor);
  }
}

function openSecretFile(file: string, what: string): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new KeystoreError(`the ${what} file cannot be read: ${why}`, { cause: error });
  }
}
