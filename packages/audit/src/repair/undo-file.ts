/** A copy of what a repair replaces, so that it can be taken back: the rows as they were, in an SQLite file of its own. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Store } from '@tallystick/ledger';

const schema = `
  CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, subject BLOB, rev INTEGER NOT NULL) STRICT;
  CREATE TABLE entries (idx INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
  CREATE TABLE contents (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL, salt BLOB, document BLOB,
    companion_salt BLOB, companion BLOB, cause INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE causes (
    idx INTEGER PRIMARY KEY, records INTEGER NOT NULL, salt BLOB NOT NULL, document BLOB NOT NULL
  ) STRICT;
  CREATE TABLE signed_requests (idx INTEGER PRIMARY KEY, salt BLOB NOT NULL, request BLOB NOT NULL) STRICT;
  CREATE TABLE lacking (idx INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE missing (idx INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE added (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
`;

export interface Replacing {
  /** Log indexes whose rows are replaced, or were missing. */
  indexes: readonly number[];
  /** Log indexes whose document or cause is replaced, or was missing. */
  contents: readonly number[];
  /** Entries that are added behind the end. */
  added: { from: number; to: number } | null;
}

/** Writes the file durably. Throws where it exists. */
export async function writeUndoFile(
  file: string,
  store: Store,
  { indexes, contents, added }: Replacing,
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
    const lack = database.prepare('INSERT INTO lacking VALUES (?)');
    const content = database.prepare('INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)');
    const cause = database.prepare('INSERT INTO causes VALUES (?, ?, ?, ?)');
    const request = database.prepare('INSERT INTO signed_requests VALUES (?, ?, ?)');
    for (const index of contents) {
      lack.run(index);
      const stored = (await store.entry(index))?.content;
      if (stored != null) {
        const { id, salt, document, companionSalt, companion } = stored;
        content.run(index, id, salt, document, companionSalt, companion, stored.cause);
      }
      const known = await store.cause(index);
      if (known === undefined) continue;
      cause.run(index, known.records, known.salt, known.document);
      if (known.signed !== null) request.run(index, known.signed.salt, known.signed.bytes);
    }
    if (added !== null) database.prepare('INSERT INTO added VALUES (?, ?)').run(added.from, added.to - 1);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}
