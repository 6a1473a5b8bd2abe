/** Files of a ceremony: written once, whole or not at all, and never over another one. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, usageError } from '../errors.ts';

/** What file systems of memory sticks say who know no links. */
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP']);

/**
 * Writes a file beside its place, syncs it, and links it there: whoever kills the process finds either nothing or
 * all of it under its name. Where the same content is there already, which an interrupted run has left, that is as
 * good. Throws a usage error where another content is there, or the file cannot be written.
 */
export function writeNewFile(path: string, text: string | Uint8Array): void {
  const content = Buffer.from(text);
  if (holds(path, content)) {
    // The run that wrote it may have been killed before its name was durable.
    syncFolder(dirname(path));
    return;
  }
  const partial = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`);
  try {
    const descriptor = openSync(partial, 'wx', 0o644);
    try {
      writeFileSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    putInPlace(partial, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw usageError(`${path} cannot be written: ${messageOf(error)}.`, 'Choose another place with --out.');
  } finally {
    rmSync(partial, { force: true });
  }
}

/** A link refuses a name that is taken, which a rename does not. */
function putInPlace(partial: string, path: string): void {
  try {
    linkSync(partial, path);
  } catch (error) {
    if (!withoutLinks.has((error as NodeJS.ErrnoException).code ?? '') || existsSync(path)) throw error;
    renameSync(partial, path);
  }
}

function holds(path: string, content: Buffer): boolean {
  if (!existsSync(path)) return false;
  let found: Buffer;
  try {
    found = readFileSync(path);
  } catch (error) {
    throw usageError(`${path} cannot be read: ${messageOf(error)}.`, 'Choose another place with --out.');
  }
  if (found.equals(content)) return true;
  throw usageError(
    `${path} exists, and holds something else: nothing of a ceremony is written over.`,
    'Move it away, or choose another place with --out.',
  );
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
