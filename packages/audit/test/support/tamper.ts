/** Ways to change a store's file behind everybody's back. */
import { DatabaseSync } from 'node:sqlite';
import {
  documentCommitment,
  encodeEnvelope,
  encodeRecord,
  type LogRecord,
  leafHash,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  zeroSalt,
} from '@tallystick/core';
import type { SigningKey } from '@tallystick/signer';

export interface RecordRow {
  index: number;
  id: string;
  record: LogRecord;
}

type Row = Record<string, null | number | string | Uint8Array>;

/** Runs statements on a store that nobody has open. */
export function alterFile(file: string, ...statements: string[]): void {
  const database = new DatabaseSync(file);
  for (const sql of statements) database.exec(sql);
  database.close();
}

/** What a table of a store's file holds, in order. */
export function rowsOf(file: string, table: string, where = 'true'): unknown[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database.prepare(`SELECT * FROM ${table} WHERE ${where} ORDER BY 1`).all();
  } finally {
    database.close();
  }
}

/** The records of a store, in order. */
export function recordRows(database: DatabaseSync): RecordRow[] {
  const rows = database
    .prepare('SELECT e.idx, e.entry, c.id FROM entries e JOIN contents c USING (idx) ORDER BY idx')
    .all();
  return (rows as Row[]).map((row) => ({
    index: row['idx'] as number,
    id: row['id'] as string,
    record: parseRecordEntry(row['entry'] as Uint8Array).record,
  }));
}

/** The first record of a type. */
export function firstOf(database: DatabaseSync, type: string): RecordRow {
  const found = recordRows(database).find(({ record }) => record.type === type);
  if (found === undefined) throw new Error(`the log has no ${type}`);
  return found;
}

export function sizeOf(database: DatabaseSync): number {
  return (database.prepare('SELECT max(idx) + 1 AS size FROM leaves').get() as { size: number }).size;
}

export function blobAt(database: DatabaseSync, table: string, column: string, index: number): Uint8Array {
  const row = database.prepare(`SELECT ${column} AS value FROM ${table} WHERE idx = ?`).get(index) as Row;
  return row['value'] as Uint8Array;
}

/** Flips one bit of a blob; `at` counts from the end where it is negative. */
export function flip(
  database: DatabaseSync,
  table: string,
  column: string,
  index: number,
  at = 10,
  bit = 0,
): void {
  const bytes = Uint8Array.from(blobAt(database, table, column, index));
  const place = at < 0 ? bytes.length + at : at % bytes.length;
  bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
  database.prepare(`UPDATE ${table} SET ${column} = ? WHERE idx = ?`).run(bytes, index);
}

export interface Appended {
  entry: Uint8Array;
  subject: Uint8Array | null;
  rev: number;
  /** Copied from the row of this index: id, salt, document and companion. */
  contentOf?: number;
  document?: Uint8Array;
}

/** Appends an entry with rows that fit it, as somebody with the file in hand would. Returns its index. */
export function append(
  database: DatabaseSync,
  { entry, subject, rev, contentOf, document }: Appended,
): number {
  const index = sizeOf(database);
  database.prepare('INSERT INTO leaves VALUES (?, ?, ?, ?)').run(index, leafHash(entry), subject, rev);
  database.prepare('INSERT INTO entries VALUES (?, ?)').run(index, entry);
  if (contentOf === undefined) return index;
  const columns = 'id, salt, document, companion_salt, companion';
  database
    .prepare(
      `INSERT INTO contents (idx, ${columns}, cause) SELECT ?, ${columns}, ? FROM contents WHERE idx = ?`,
    )
    .run(index, index, contentOf);
  if (document !== undefined) {
    database
      .prepare('UPDATE contents SET document = ?, salt = ? WHERE idx = ?')
      .run(document, zeroSalt, index);
  }
  const cause = database.prepare('SELECT cause FROM contents WHERE idx = ?').get(contentOf) as {
    cause: number;
  };
  database
    .prepare(
      'INSERT INTO causes (idx, records, salt, document) SELECT ?, records, salt, document FROM causes WHERE idx = ?',
    )
    .run(index, cause.cause);
  return index;
}

/** The entry of a record, signed by these keys. */
function signedEntry(record: LogRecord, keys: readonly SigningKey[]): Uint8Array {
  const payload = encodeRecord(record);
  const message = preAuthEncoding(payloadTypes.record, payload);
  return encodeEnvelope({
    payload,
    payloadType: payloadTypes.record,
    signatures: keys.map((key) => ({ keyid: key.keyid, sig: key.sign(message) })),
  });
}

/**
 * A record that continues the newest one of a subject with the same document, signed by one key or several. `revise` changes the
 * document's text.
 */
export function continuation(
  database: DatabaseSync,
  id: string,
  type: string,
  key: SigningKey | readonly SigningKey[],
  revise: (document: string) => string = (document) => document,
): Appended {
  const last = recordRows(database).findLast((row) => row.id === id);
  if (last === undefined) throw new Error(`no record of ${id}`);
  const before = new TextDecoder().decode(blobAt(database, 'contents', 'document', last.index));
  const rev = last.record.rev + 1;
  const document = new TextEncoder().encode(
    revise(before.replace(`"rev":${last.record.rev},`, `"rev":${rev},`)),
  );
  const record = {
    ...last.record,
    type,
    rev,
    prev: blobAt(database, 'leaves', 'leaf', last.index),
    doc: documentCommitment(zeroSalt, document),
    at: new Date().toISOString(),
  };
  const entry = signedEntry(record, [key].flat());
  return { entry, subject: record.subject, rev, contentOf: last.index, document };
}
