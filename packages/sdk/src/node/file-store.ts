import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CopyStorage, TwoCopies } from '../store/two-copies.ts';

/**
 * A file, and beside it `<file>.bak` with the same content, both readable by their owner alone. Each is
 * written under another name, synced and renamed, so that a crash leaves the old or the new file, never half of one.
 */
export class FileStore extends TwoCopies {
  /** @param path of the file; its folder is created where it is missing */
  constructor(path: string) {
    super(new FileCopies(path));
  }
}

class FileCopies implements CopyStorage {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(copy: 'first' | 'second'): Promise<string | null> {
    try {
      return await readFile(this.#pathOf(copy), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async write(text: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await replaceFile(this.#pathOf('first'), text);
    await replaceFile(this.#pathOf('second'), text);
    await syncFolder(dirname(this.#path));
  }

  #pathOf(copy: 'first' | 'second'): string {
    return copy === 'first' ? this.#path : `${this.#path}.bak`;
  }
}

let drafts = 0;

async function replaceFile(path: string, text: string): Promise<void> {
  drafts += 1;
  const draft = `${path}.${process.pid}-${drafts}.draft`;
  try {
    await writeSynced(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await rm(path, { force: true });
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** A rename is durable once the folder is. Windows cannot sync folders and does not need to. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using folder = await open(path, 'r');
  await folder.sync();
}
