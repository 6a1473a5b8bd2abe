/**
 * The store on node:sqlite. Every table is keyed by log index, so that a commit only appends; its
 * calls block and belong in a thread of their own.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { unknownSubjectPrefix } from '../unknown-subject.ts';
import { emptyWriteAheadLog } from '../write-ahead-log.ts';
import { namingDamaged } from './damaged-file.ts';
import { openSqlite, type SqliteStoreOptions } from './open-sqlite.ts';
import {
  type AppendBatch,
  type MendableStore,
  type RestoredEntry,
  StoreConflict,
  StoreDamaged,
  type StoredCause,
  type StoredCheckpoint,
  type StoredContent,
  type StoredEntry,
  type StoredLeaf,
  StoreLocked,
  type StrayRow,
} from './store.ts';
import { strayRowsSql } from './stray-rows.ts';

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
  CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL, at TEXT NOT NULL) STRICT;
`;
/** What format 2 has more than format 1. */
const signedRequests =
  'signed_requests (idx INTEGER PRIMARY KEY, salt BLOB NOT NULL, request BLOB NOT NULL) STRICT';
const addSignedRequests = `CREATE TABLE ${signedRequests}; PRAGMA user_version = 2;`;

/** SQLite's result code where another process has the lock; the bits above its lowest eight say how it noticed. */
const busy = 5;

type Row = Record<string, null | number | bigint | string | Uint8Array>;
type LeafRow = [index: number, leaf: Uint8Array, subject: Uint8Array | null, rev: number];

export class SqliteStore implements MendableStore {
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync | null;
  readonly #statements: Statements;
  #size: number;

  private constructor(database: DatabaseSync, lock: DatabaseSync | null) {
    this.#database = database;
    this.#lock = lock;
    this.#statements = prepareAll(database);
    this.#size = this.#countEntries();
  }

  /** Makes an empty store; refuses where the file exists. */
  static create(file: string, options: SqliteStoreOptions = {}): SqliteStore {
    if (existsSync(file)) throw new Error(`${file} exists already`);
    const lock = takeLock(file);
    return opening(file, options, lock, (database) => {
      database.exec(schema + addSignedRequests);
      return new SqliteStore(database, lock);
    });
  }

  /** Opens a store; throws StoreLocked where another process has it open for writing, and StoreDamaged where it is empty. */
  static open(file: string, options: SqliteStoreOptions = {}): SqliteStore {
    if (!existsSync(file)) throw new Error(`there is no store at ${file}`);
    const lock = options.readOnly === true ? null : takeLock(file);
    return opening(file, options, lock, (database) => {
      // What a process wrote that died before the disk confirmed it may be in the cache alone: it is not built upon.
      if (lock !== null) database.exec('PRAGMA wal_checkpoint(PASSIVE)');
      bringToThisFormat(database, file, lock === null);
      return new SqliteStore(database, lock);
    });
  }

  async size(): Promise<number> {
    this.#size = this.#countEntries();
    return this.#size;
  }

  async append(batch: AppendBatch): Promise<void> {
    if (batch.size !== this.#size)
      throw new StoreConflict(`log has ${this.#size} entries, not ${batch.size}`);
    const { leaf, entry, content, cause, request } = this.#statements.insert;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const stored of batch.entries) {
        leaf.run(stored.index, stored.leaf, stored.subject, stored.rev);
        entry.run(stored.index, stored.entry);
        if (stored.content !== null) content.run(stored.index, ...contentValues(stored.content));
      }
      for (const each of batch.causes) {
        cause.run(each.index, each.records, each.salt, each.document);
        if (each.signed !== null) request.run(each.index, each.signed.salt, each.signed.bytes);
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#size += batch.entries.length;
  }

  async leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    const rows = this.#statements.leaves.all(from, limit) as unknown as LeafRow[];
    return rows.map(([index, leaf, subject, rev]) => ({ index, leaf, subject, rev }));
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    return (this.#statements.entries.all(from, limit) as Row[]).map(storedEntry);
  }

  async entry(index: number): Promise<StoredEntry | undefined> {
    const row = this.#statements.entries.get(index, 1) as Row | undefined;
    return row?.idx === index ? storedEntry(row) : undefined;
  }

  async entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    const rows = this.#statements.entryBytes.all(from, limit) as unknown as [Uint8Array | null][];
    return rows.map(([entry]) => entry ?? new Uint8Array(0));
  }

  async cause(index: number): Promise<StoredCause | undefined> {
    const row = this.#statements.causes.get(index, index + 1) as Row | undefined;
    return row === undefined ? undefined : storedCause(row);
  }

  async causes(from: number, to: number): Promise<StoredCause[]> {
    return (this.#statements.causes.all(from, to) as Row[]).map(storedCause);
  }

  async strayRows(): Promise<StrayRow[]> {
    return this.#statements.strayRows.all() as unknown as StrayRow[];
  }

  async shred(indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const index of indexes) {
        this.#statements.shred.request.run(index);
        this.#statements.shred.content.run(index);
      }
      this.#database.exec('COMMIT');
      emptyWriteAheadLog(this.#database);
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  async restore(entries: AsyncIterable<RestoredEntry>): Promise<void> {
    const { leaf, entry, content, contentIfNone, cause, request, noRequest } = this.#statements.replace;
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for await (const stored of entries) {
        leaf.run(stored.index, stored.leaf, stored.subject, stored.rev);
        entry.run(stored.index, stored.entry);
        const put = stored.content?.document === null ? contentIfNone : content;
        if (stored.content !== null) put.run(stored.index, ...contentValues(stored.content));
        if (stored.cause !== undefined) {
          const { index, records, salt, document, signed } = stored.cause;
          cause.run(index, records, salt, document);
          if (signed !== null) request.run(index, signed.salt, signed.bytes);
        }
        if (stored.removesRequest === true) noRequest.run(stored.index);
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#size = this.#countEntries();
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.#statements.saveCheckpoint.run(checkpoint.size, checkpoint.note, checkpoint.at);
  }

  async checkpoint(size: number = Number.MAX_SAFE_INTEGER): Promise<StoredCheckpoint | undefined> {
    return this.#statements.checkpoint.get(size) as unknown as StoredCheckpoint | undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    this.#lock?.close();
  }

  #countEntries(): number {
    return (this.#statements.size.get() as { size: number }).size;
  }
}

/** What cannot be used is let go, the lock with it: whoever tries again in this process may. */
function opening(
  file: string,
  options: SqliteStoreOptions,
  lock: DatabaseSync | null,
  use: (database: DatabaseSync) => SqliteStore,
): SqliteStore {
  let database: DatabaseSync | undefined;
  try {
    database = openSqlite(file, options);
    return use(database);
  } catch (error) {
    database?.close();
    lock?.close();
    throw error;
  }
}

function bringToThisFormat(database: DatabaseSync, file: string, isReadOnly: boolean): void {
  const { user_version: format } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (format === 0) throw new StoreDamaged(`${file} holds no store`);
  if (format !== 1 && format !== 2)
    throw new Error(`${file} has format ${format}, which this version does not know`);
  // Who only reads a store of the version before finds that there are none, and leaves it as it is.
  if (format === 1 && isReadOnly) database.exec(`CREATE TEMP TABLE ${signedRequests}`);
  else if (format === 1) bring(database, file);
}

/** Brings a store of format 1 to this one, without what that left between its rows of what was erased. */
function bring(database: DatabaseSync, file: string): void {
  try {
    database.exec('VACUUM');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const advice = 'give its disk and that of temporary files as much room as it takes, and try again';
    throw new Error(`${file} could not be written anew for this version (${why}): ${advice}`, {
      cause: error,
    });
  }
  database.exec(`BEGIN IMMEDIATE; ${addSignedRequests} COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`);
}

/**
 * The writer's lock: an exclusive transaction on a file beside, so that readers of the store itself
 * are not locked out. The operating system releases it with the process, also after kill -9. Throws StoreLocked where
 * another process has it, and SQLite's error for a disk that is full or read-only: taking it writes.
 */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== busy)
      throw namingDamaged(`${file}.lock`, error);
    throw new StoreLocked(`another process has ${file} open: only one server may write to it`, {
      cause: error,
    });
  }
}

interface Statements {
  insert: Record<'leaf' | 'entry' | 'content' | 'cause' | 'request', StatementSync>;
  replace: Record<
    'leaf' | 'entry' | 'content' | 'contentIfNone' | 'cause' | 'request' | 'noRequest',
    StatementSync
  >;
  size: StatementSync;
  leaves: StatementSync;
  entries: StatementSync;
  entryBytes: StatementSync;
  causes: StatementSync;
  strayRows: StatementSync;
  shred: Record<'content' | 'request', StatementSync>;
  saveCheckpoint: StatementSync;
  checkpoint: StatementSync;
}

function prepareAll(database: DatabaseSync): Statements {
  return {
    insert: {
      leaf: database.prepare('INSERT INTO leaves VALUES (?, ?, ?, ?)'),
      entry: database.prepare('INSERT INTO entries VALUES (?, ?)'),
      content: database.prepare('INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)'),
      cause: database.prepare('INSERT INTO causes VALUES (?, ?, ?, ?)'),
      request: database.prepare('INSERT INTO signed_requests VALUES (?, ?, ?)'),
    },
    replace: {
      leaf: database.prepare('INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?)'),
      entry: database.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)'),
      content: database.prepare('INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)'),
      // What is there stays, but for a name that stands in for one that nobody knew.
      contentIfNone: database.prepare(
        `INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (idx) DO UPDATE SET id = excluded.id WHERE id LIKE '${unknownSubjectPrefix}%'`,
      ),
      cause: database.prepare('INSERT OR REPLACE INTO causes VALUES (?, ?, ?, ?)'),
      request: database.prepare('INSERT OR REPLACE INTO signed_requests VALUES (?, ?, ?)'),
      noRequest: database.prepare('DELETE FROM signed_requests WHERE idx = ?'),
    },
    size: database.prepare('SELECT coalesce(max(idx) + 1, 0) AS size FROM leaves'),
    leaves: inArrays(
      database.prepare('SELECT idx, leaf, subject, rev FROM leaves WHERE idx >= ? ORDER BY idx LIMIT ?'),
    ),
    entries: database.prepare(
      `SELECT l.idx, l.leaf, l.subject, l.rev, e.entry, c.id, c.salt, c.document, c.companion_salt, c.companion,
              c.cause
         FROM leaves l LEFT JOIN entries e ON e.idx = l.idx LEFT JOIN contents c ON c.idx = l.idx
        WHERE l.idx >= ? ORDER BY l.idx LIMIT ?`,
    ),
    entryBytes: inArrays(
      database.prepare(
        'SELECT e.entry FROM leaves l LEFT JOIN entries e ON e.idx = l.idx WHERE l.idx >= ? ORDER BY l.idx LIMIT ?',
      ),
    ),
    causes: database.prepare(
      `SELECT c.idx, c.records, c.salt, c.document, s.salt AS request_salt, s.request
         FROM causes c LEFT JOIN signed_requests s ON s.idx = c.idx
        WHERE c.idx >= ? AND c.idx < ? ORDER BY c.idx`,
    ),
    strayRows: database.prepare(strayRowsSql()),
    shred: {
      content: database.prepare(
        'UPDATE contents SET salt = NULL, document = NULL, companion_salt = NULL, companion = NULL WHERE idx = ?',
      ),
      request: database.prepare(
        'DELETE FROM signed_requests WHERE idx = (SELECT cause FROM contents WHERE idx = ?)',
      ),
    },
    saveCheckpoint: database.prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)'),
    checkpoint: database.prepare(
      'SELECT size, note, at FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1',
    ),
  };
}

/** Of what is read by the million: an object for each row costs as much as the row. */
function inArrays(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}

function contentValues(content: StoredContent): (null | number | string | Uint8Array)[] {
  const { id, salt, document, companionSalt, companion, cause } = content;
  return [id, salt, document, companionSalt, companion, cause];
}

/** An entry whose bytes are gone reads as empty bytes: no leaf hash fits them. */
function storedEntry(row: Row): StoredEntry {
  return {
    index: row.idx as number,
    leaf: row.leaf as Uint8Array,
    subject: row.subject as Uint8Array | null,
    rev: row.rev as number,
    entry: (row.entry as Uint8Array | null) ?? new Uint8Array(0),
    content:
      row.id === null
        ? null
        : {
            id: row.id as string,
            salt: row.salt as Uint8Array | null,
            document: row.document as Uint8Array | null,
            companionSalt: row.companion_salt as Uint8Array | null,
            companion: row.companion as Uint8Array | null,
            cause: row.cause as number,
          },
  };
}

function storedCause(row: Row): StoredCause {
  return {
    index: row.idx as number,
    records: row.records as number,
    salt: row.salt as Uint8Array,
    document: row.document as Uint8Array,
    signed:
      row.request_salt === null
        ? null
        : { salt: row.request_salt as Uint8Array, bytes: row.request as Uint8Array },
  };
}
