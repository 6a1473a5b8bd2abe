/**
 * The first pass over a file, before anything is sent: it is CSV to the end, it has the columns, and which
 * keys occur twice. Memory: one short entry per row.
 */
import { createHash } from 'node:crypto';
import { readRows } from './csv-file.ts';
import type { Mapping } from './mapping/mapping.ts';

export interface Scan {
  rows: number;
  /** SHA-256 of the file, hex. */
  digest: string;
  /** For each row whose key occurs again, the numbers of another row with the same key. */
  duplicates: ReadonlyMap<number, number>;
}

const KEY_DIGEST_LENGTH = 22;

export async function scanFile(path: string, mapping: Mapping, signal: AbortSignal): Promise<Scan> {
  const hash = createHash('sha256');
  const firstRows = new Map<string, number>();
  const duplicates = new Map<number, number>();
  let rows = 0;
  for await (const row of readRows(path, mapping, { hash })) {
    signal.throwIfAborted();
    rows = row.number;
    const key = row.field(mapping.key.column);
    if (key === '') continue;
    // A digest of 128 bits instead of the key: long keys take no more memory than short ones.
    const digest = createHash('sha256').update(key).digest('base64').slice(0, KEY_DIGEST_LENGTH);
    const first = firstRows.get(digest);
    if (first === undefined) {
      firstRows.set(digest, row.number);
    } else {
      duplicates.set(row.number, first);
      if (!duplicates.has(first)) duplicates.set(first, row.number);
    }
  }
  return { rows, digest: hash.digest('hex'), duplicates };
}
