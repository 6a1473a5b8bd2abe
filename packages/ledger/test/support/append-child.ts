/**
 * Appends to a store until it is killed. Writes the log's size to standard output after each append that
 * returned: what was acknowledged.
 */
import { writeSync } from 'node:fs';
import { SqliteStore } from '../../src/index.ts';
import { batchAt, entriesPerBatch } from './store-batches.ts';

const file = process.argv[2];
if (file === undefined) throw new Error('name the file of a store');
const store = SqliteStore.open(file);
let size = await store.size();
writeSync(1, `${size}\n`);
for (;;) {
  await store.append(batchAt(size));
  size += entriesPerBatch;
  writeSync(1, `${size}\n`);
}
