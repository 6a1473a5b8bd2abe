/** A copy of what a repair replaces, so that it can be taken back: the rows as they were, in an SQLite file of its own. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Store } from '@tallystick/ledger';

const schema = `
  CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, subject BLOB, rev INTEGER NOT NULL) STRICT;
  CREATE TABLE entries (idx INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
  CREATE TABLE missing (idx INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE added (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
`;

export interface Replacing {
  /** Log indexes whose rows are replaced, or were missing. */
  indexes: readonly number[];
  /** Entries that are added behind the end. */
  added: { from: number; to: number } | null;
}

/** Writes the file durably. Throws where it exists. */
export async function writeUndoFile(
  file: string,
  store: Store,
  { indexes, added }: Replacing,
): Promise<void> {
  if (existsSync(file)) throw new Error(`${file} exists already`);
  const database = new DatabaseSync(file);
  try {
    database.exec(`PRAGMA synchronous=FULL; BEGIN; ${schema}`);
    const leaf = database.prepare('INSERT INTO leaves VALUES (?, ?, ?, ?)');
    const entry = database.prepare('INSERT INTO entries VALUES (?, ?)');
    const miss = database.prepare('INSERT INTO missing VALUES (?)');
    for (const index of indexes) {
      const stored = await store.entry(index);
      if (stored === undefined) {
        miss.run(index);
        continue;
      }
      leaf.run(index, stored.leaf, stored.subject, stored.rev);
      // An entry that was gone reads as empty bytes.
      if (stored.entry.length > 0) entry.run(index, stored.entry);
    }
    if (added !== null) database.prepare('INSERT INTO added VALUES (?, ?)').run(added.from, added.to - 1);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}
