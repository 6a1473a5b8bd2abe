/** Files that a secret is read from: a keystore's passphrase, a token's PIN, a token of Vault. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { KeystoreError } from './keystore-error.ts';

/** Far above what anybody types, and far below what memory has. */
const lengthMax = 4096;

/**
 * The passphrase in a file as bytes, which the caller overwrites after use, without white space at its end. Throws
 * KeystoreError where the file is missing, or where others than its owner can reach it: whoever reads it opens every
 * copy of the keystore.
 */
export function readPassphraseFile(file: string): Uint8Array {
  return readSecretFile(file, 'passphrase');
}

/** The PIN of a token in a file, as the token takes it; throws as `readPassphraseFile`, and where it is empty. */
export function readPinFile(file: string): string {
  return readSecretText(file, 'PIN', "write the token's user PIN into it");
}

/** The token that Vault or OpenBao is asked with; throws as `readPassphraseFile`, and where it is empty. */
export function readVaultTokenFile(file: string): string {
  return readSecretText(file, 'Vault token', 'write a token into it, or see what should');
}

/** The password of a database; throws as `readPassphraseFile`, and where it is empty. */
export function readDatabasePasswordFile(file: string): string {
  return readSecretText(file, 'password', 'write the password of the database into it');
}

function readSecretText(file: string, what: string, advice: string): string {
  const bytes = readSecretFile(file, what);
  const text = Buffer.from(bytes).toString('utf8');
  bytes.fill(0);
  if (text === '') throw new KeystoreError(`the ${what} file ${file} is empty: ${advice}`);
  return text;
}

function readSecretFile(file: string, what: string): Uint8Array {
  const descriptor = openSecretFile(file, what);
  try {
    // Mode and content are read from one open file, so that they belong to each other.
    const stats = fstatSync(descriptor);
    const mode = stats.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeystoreError(
        `the ${what} file ${file} has mode ${mode.toString(8)}, so that others than its owner can reach it: ` +
          `run chmod 600 ${file}, and ask who could read it`,
      );
    }
    if (stats.size > lengthMax) throw new KeystoreError(`the ${what} file ${file} is too long to be one`);
    const content = new Uint8Array(stats.size);
    const length = readSync(descriptor, content);
    return content.subarray(0, trimmedLength(content.subarray(0, length)));
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

function trimmedLength(content: Uint8Array): number {
  let length = content.length;
  while (length > 0 && isSpace(content[length - 1])) length -= 1;
  return length;
}

/** Space, and tab to carriage return. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}
