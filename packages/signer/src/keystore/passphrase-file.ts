/** The file that a keystore's passphrase is read from at a start. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { KeystoreError } from './sealed-file.ts';

/** Far above what anybody types, and far below what memory has. */
const lengthMax = 4096;

/**
 * The passphrase in a file as bytes, which the caller overwrites after use, without white space at its end. Throws
 * KeystoreError where others than the file's owner can reach it: whoever reads it opens every copy of the keystore.
 */
export function readPassphraseFile(file: string): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    // Mode and content are read from one open file, so that they belong to each other.
    const stats = fstatSync(descriptor);
    const mode = stats.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new KeystoreError(
        `the passphrase file ${file} has mode ${mode.toString(8)}, so that others than its owner can reach it: ` +
          `run chmod 600 ${file}, and ask who could read it`,
      );
    }
    if (stats.size > lengthMax) throw new KeystoreError(`the passphrase file ${file} is too long to be one`);
    const content = new Uint8Array(stats.size);
    const length = readSync(descriptor, content);
    return content.subarray(0, trimmedLength(content.subarray(0, length)));
  } finally {
    closeSync(descriptor);
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
