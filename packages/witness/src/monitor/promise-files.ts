/** Promises as clients keep them: JSON files with one, a list, or an answer of the server that holds some. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeptPromise } from '@tallystick/core';
import { messageOf } from '../errors.ts';

export interface PromiseFile {
  file: string;
  promises: KeptPromise[];
  /** Why it cannot be read; null where it can. */
  problem: string | null;
}

/** Every `*.json` of a folder, in order; none where the folder is missing. */
export function readPromiseFiles(folder: string): PromiseFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.sort().map((file) => {
    try {
      return {
        file,
        promises: promisesIn(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
        problem: null,
      };
    } catch (error) {
      return { file, promises: [], problem: messageOf(error) };
    }
  });
}

function promisesIn(value: unknown): KeptPromise[] {
  if (Array.isArray(value)) return value.flatMap(promisesIn);
  if (typeof value !== 'object' || value === null) throw new Error('it holds something that is no promise');
  if ('promises' in value) return promisesIn(value.promises);
  const { envelope, index, leaf, path } = value as Partial<KeptPromise>;
  const isPromise =
    typeof envelope === 'string' &&
    typeof index === 'number' &&
    typeof leaf === 'string' &&
    Array.isArray(path);
  if (!isPromise) throw new Error('it holds something that is no promise');
  return [{ envelope, index, leaf, path }];
}
