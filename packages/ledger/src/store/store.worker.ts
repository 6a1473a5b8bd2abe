/** Writes a SQLite store in a thread of its own. */
import { workerData } from 'node:worker_threads';
import { serve } from '../thread/serve.ts';
import { decodeAppend } from './append-codec.ts';
import type { SqliteStoreOptions } from './open-sqlite.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { StoredCheckpoint } from './store.ts';

const { file, options } = workerData as { file: string; options: SqliteStoreOptions };

serve(() => {
  const store = SqliteStore.open(file, options);
  return {
    append: (bytes: Uint8Array) => store.append(decodeAppend(bytes)),
    size: () => store.size(),
    shred: (indexes: readonly number[]) => store.shred(indexes),
    saveCheckpoint: (checkpoint: StoredCheckpoint) => store.saveCheckpoint(checkpoint),
    close: () => store[Symbol.asyncDispose](),
  };
});
