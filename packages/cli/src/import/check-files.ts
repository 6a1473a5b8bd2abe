/** The files of an import, before any of them is opened: opening one for writing empties it. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { usageError } from '../errors.ts';
import { stateFileOf } from './journal.ts';

export interface ImportFiles {
  file: string;
  mappingPath: string;
  report: string;
  /** null: the licenses are not written down. */
  licenses: string | null;
}

/** Throws a usage error where an import would write over what it reads, or cannot read or write as often as it must. */
export async function checkFiles({ file, mappingPath, report, licenses }: ImportFiles): Promise<void> {
  const state = stateFileOf(report);
  const flags = { '--report': report, '--licenses': licenses };
  const taken = new Map<string, string>();
  for (const path of [file, mappingPath]) taken.set((await look(path)).identity, path);
  const { isRegular } = await look(file);
  if (!isRegular) {
    throw usageError(
      `${file} is no regular file, and an import reads its file twice.`,
      'Save what it gives as a file, and import that.',
    );
  }
  for (const [flag, path] of [...Object.entries(flags), [null, state] as const]) {
    if (path === null) continue;
    const { identity, isRegular: isWritable } = await look(path);
    const other = taken.get(identity);
    const what = flag === null ? `${path}, where the import keeps how far it is,` : `${flag} ${path}`;
    const todo = `Choose another path with ${flag ?? '--report'}.`;
    if (other !== undefined) throw usageError(`${what} is the same file as ${other}.`, todo);
    if (!isWritable) throw usageError(`${what} is no regular file.`, todo);
    taken.set(identity, path);
  }
}

/** Also two paths of one file have one identity. What cannot be looked at is regular: opening it says more. */
async function look(path: string): Promise<{ identity: string; isRegular: boolean }> {
  try {
    const found = await stat(path, { bigint: true });
    return { identity: `${found.dev}:${found.ino}`, isRegular: found.isFile() || found.isDirectory() };
  } catch {
    return { identity: resolve(path), isRegular: true };
  }
}
