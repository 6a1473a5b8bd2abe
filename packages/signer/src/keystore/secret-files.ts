/** Files that hold secrets: put in place whole, and overwritten before they go. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { KeystoreError } from './keystore-error.ts';

/** SQLite's result code where another process has the lock; the bits above its lowest eight say how it noticed. */
const busy = 5;

/** Writes a new file for its owner alone, on disk when it returns. Throws where there is one. */
export function writeSecretFile(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    // As often as it takes: one write on a disk that becomes full takes what still fits, and calls that success.
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whole or not at all: `next` takes the place of `file`. */
export function putInPlace(next: string, file: string): void {
  renameSync(next, file);
  syncFolder(file);
}

/**
 * As `putInPlace`, and the bytes that `file` had are overwritten. Their second name keeps them findable for whoever goes
 * on after a kill: `wipeFormer` does.
 */
export function replaceAndWipe(next: string, file: string): void {
  linkSync(file, formerOf(file));
  syncFolder(file);
  putInPlace(next, file);
  wipeFormer(file);
}

/** Overwrites what `replaceAndWipe` replaced, where it was killed before it did. */
export function wipeFormer(file: string): void {
  const former = formerOf(file);
  const found = lstatSync(former, { throwIfNoEntry: false, bigint: true });
  if (found === undefined) return;
  // Killed before the new file was in its place, both names are of the file that is in use.
  if (found.ino === lstatSync(file, { throwIfNoEntry: false, bigint: true })?.ino) removeName(former);
  else wipe(former);
}

/** Overwrites a file, syncs it and removes it; nothing where there is none. A link is removed, and what it names stays. */
export function wipe(file: string): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isFile()) {
    removeName(file);
    return;
  }
  const descriptor = openSync(file, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const { size } = fstatSync(descriptor);
    writeSync(descriptor, new Uint8Array(size), 0, size, 0);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  removeName(file);
}

/** Runs `work` while no other process changes the keystore. Throws KeystoreError where one does. */
export function holdingKeystore<T>(keystore: string, work: () => T): T {
  const lock = `${keystore}.lock`;
  // SQLite would make it readable by everybody.
  closeSync(openSync(lock, 'a', 0o600));
  using database = new DatabaseSync(lock, { timeout: 0 });
  try {
    // The operating system releases it with the process, also after kill -9.
    database.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    const { errcode, message } = error as Error & { errcode?: number };
    const why =
      (errcode ?? 0) % 256 === busy
        ? `another command is changing ${keystore}: wait for its end`
        : `${lock} cannot be locked (${message}): see whether its disk is full, failing or read-only`;
    throw new KeystoreError(why, { cause: error });
  }
  return work();
}

function formerOf(file: string): string {
  return `${file}.former`;
}

function removeName(file: string): void {
  rmSync(file);
  syncFolder(file);
}

function syncFolder(file: string): void {
  const descriptor = openSync(dirname(file), 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
