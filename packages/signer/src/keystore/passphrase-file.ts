/** The file that a keystore's passphrase is read from at a start. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { KeystoreError } from './sealed-file.ts';

/**
 * The passphrase in a file, without white space at its end. Throws KeystoreError where others than the file's owner
 * can reach it: whoever reads it opens every copy of the keystore.
 */
export function readPassphraseFile(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    // Mode and content are read from one open file, so that they belong to each other.
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeystoreError(
        `the passphrase file ${file} has mode ${mode.toString(8)}, so that others than its owner can reach it: ` +
          `run chmod 600 ${file}, and ask who could read it`,
      );
    }
    return readFileSync(descriptor, 'utf8').trimEnd();
  } finally {
    closeSync(descriptor);
  }
}
