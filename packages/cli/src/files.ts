/** Files that commands read and write. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Context } from './context.ts';
import { messageOf, usageError } from './errors.ts';

/** Reads a file, or standard input for `-`. Throws a usage error. */
export async function readInput(path: string, context: Context): Promise<Uint8Array> {
  if (path === '-') return context.readStdin();
  try {
    return await readFile(path);
  } catch (error) {
    throw usageError(`${path} cannot be read: ${messageOf(error)}.`, 'Check the path.');
  }
}

export async function readJsonFile(path: string, context: Context): Promise<unknown> {
  const bytes = await readInput(path, context);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw usageError(`${path} is not JSON: ${messageOf(error)}.`, 'Correct the file.');
  }
}

/** Writes a file so that there is always either the old or the new one, whole. Throws a usage error. */
export async function writeFileAtomic(path: string, content: string): Promise<void> {
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
    await rm(temporary, { force: true });
    throw usageError(`${path} cannot be written: ${messageOf(error)}.`, 'Choose another path.');
  }
}
