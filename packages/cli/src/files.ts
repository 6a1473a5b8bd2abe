/** Files that commands read and write. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { access, constants, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Context } from './context.ts';
import { messageOf, usageError } from './errors.ts';

/** Whether something is there. Throws a usage error where this user may not look: what is out of reach is not missing. */
export function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return false;
    const todo = 'Run this as the user whose it is, or name another folder with --data.';
    throw usageError(`${path} cannot be reached: ${messageOf(error)}.`, todo);
  }
}

/** Reads a file, or standard input for `-`. Throws a usage error. */
export async function readInput(path: string, context: Context): Promise<Uint8Array> {
  if (path === '-') return context.readStdin();
  try {
    return await readFile(path);
  } catch (error) {
    throw usageError(`${path} cannot be read: ${messageOf(error)}.`, 'Check the path.');
  }
}

/** As `readInput`, for text: a byte order mark is left out. Throws a usage error also where it is not UTF-8. */
export async function readText(path: string, context: Context): Promise<string> {
  const bytes = await readInput(path, context);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usageError(`${path} is not UTF-8.`, 'Save it as UTF-8.');
  }
}

export async function readJsonFile(path: string, context: Context): Promise<unknown> {
  const text = await readText(path, context);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw usageError(`${path} is not JSON: ${messageOf(error)}.`, 'Correct the file.');
  }
}

/** Throws a usage error where `writeFileAtomic` would, as far as that shows before there is anything to write. */
export async function checkWritable(path: string): Promise<void> {
  refuseStandardOutput(path);
  try {
    await access(dirname(path), constants.W_OK);
    if ((await stat(path).catch(() => null))?.isDirectory() === true) throw new Error('it is a folder');
  } catch (error) {
    throw usageError(`${path} cannot be written: ${messageOf(error)}.`, 'Choose another path.');
  }
}

/** Writes a file so that there is always either the old or the new one, whole. Throws a usage error. */
export async function writeFileAtomic(path: string, content: string): Promise<void> {
  refuseStandardOutput(path);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // Where it cannot even be looked for, there is none.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw usageError(`${path} cannot be written: ${messageOf(error)}.`, 'Choose another path.');
  }
}

/** Elsewhere `-` is standard output. Here that has the answer of the command, and nobody means a file of that name. */
function refuseStandardOutput(path: string): void {
  if (path === '-') throw usageError('- is no file to write to.', 'Name a file.');
}
