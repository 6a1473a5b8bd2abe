/**
 * The signer's memory: the newest checkpoint that its log key signed, how far its journal was then, the trust root that it
 * is under, and the public documents that govern its other keys. Kept outside the main database, so that no restored
 * database can make it sign a second history, or with a key whose range was ended.
 *
 * A small SQLite file: its transaction makes the mark durable before a signature leaves, and its
 * exclusive lock keeps a second signer off the same mark, also after kill -9.
 */
import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import {
  type Checkpoint,
  emptyRoot,
  encodeEnvelope,
  equalBytes,
  formatCheckpoint,
  parseTrustRoot,
  type TrustRoot,
} from '@tallystick/core';
import type { JournalPosition } from './journal/journal.ts';

/** Result codes of SQLite: read-only, input or output, full, cannot open. */
const diskTroubles: readonly number[] = [8, 10, 13, 14];

export class MarkError extends Error {
  override readonly name = 'MarkError';
}

export class Mark {
  readonly #file: string;
  readonly #database: DatabaseSync;
  /** The newest checkpoint signed; durable before `advance` returns. */
  #checkpoint: Checkpoint;
  #journal: JournalPosition | null;

  private constructor(file: string, database: DatabaseSync, { journal, ...checkpoint }: MarkRow) {
    this.#file = file;
    this.#database = database;
    this.#checkpoint = checkpoint;
    this.#journal = journal === null ? null : (JSON.parse(journal) as JournalPosition);
  }

  /** Makes the mark of a log that has no entries yet; refuses where there is one. */
  static create(file: string, origin: string): void {
    if (existsSync(file)) throw new MarkError(`${file} exists: a log has one mark for its whole life`);
    // SQLite would make it readable by everybody, and gives its journal the mode that it finds.
    closeSync(openSync(file, 'wx', 0o600));
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA');
    database.exec(
      'CREATE TABLE mark (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, journal TEXT) STRICT',
    );
    database.prepare('INSERT INTO mark VALUES (?, 0, ?, NULL)').run(origin, emptyRoot);
    database.close();
  }

  /** Opens a mark and holds it; throws MarkError where it is missing, another log's, or held by another signer. */
  static open(file: string, origin: string): Mark {
    if (!existsSync(file)) {
      throw new MarkError(
        `the signer's mark ${file} is missing: without it a restored log could be signed as a second history`,
      );
    }
    const database = new DatabaseSync(file, { timeout: 0 });
    try {
      return new Mark(file, database, hold(database, file, origin));
    } catch (error) {
      database.close();
      throw error;
    }
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** How far the journal is known to have come; null where none has been seen. */
  get journal(): JournalPosition | null {
    return this.#journal;
  }

  /** The newest public document of a namespace that the signer took in. */
  document(ns: string, type: string): Uint8Array | null {
    const sql = 'SELECT document FROM documents WHERE ns = ? AND type = ?';
    const row = this.#database.prepare(sql).get(ns, type) as { document: Uint8Array } | undefined;
    return row?.document ?? null;
  }

  /** On disk before it returns. */
  saveDocument(ns: string, type: string, document: Uint8Array): void {
    this.#database.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?, ?)').run(ns, type, document);
  }

  /**
   * Takes in versions of the trust root, on disk before it returns. Returns all that are known, from 1 up. Those above
   * `heardVersion` were perhaps never logged, and others may take their place. Throws MarkError where the chain is
   * another trust root's than what was heard; that it ends earlier is no matter.
   *
   * @param chain verified versions, from 1 up
   */
  takeTrust(chain: readonly TrustRoot[]): readonly TrustRoot[] {
    const rows = this.#database.prepare('SELECT envelope FROM trust ORDER BY version').all();
    const known = rows.map(({ envelope }) => parseTrustRoot(envelope as Uint8Array));
    const other = known.find(
      ({ hash }, nth) => chain[nth] !== undefined && !equalBytes(chain[nth].hash, hash),
    );
    if (other !== undefined && other.version <= this.heardVersion) {
      throw new MarkError(
        `version ${other.version} of the trust root is not the one that this signer is under: put the right file back. ` +
          'If nobody here replaced it, somebody did',
      );
    }
    const kept = other === undefined ? known : known.slice(0, other.version - 1);
    const added = chain.slice(kept.length);
    this.#transaction(() => {
      this.#database.prepare('DELETE FROM trust WHERE version > ?').run(kept.length);
      const insert = this.#database.prepare('INSERT INTO trust VALUES (?, ?)');
      for (const { version, envelope } of added) insert.run(version, encodeEnvelope(envelope));
    });
    return [...kept, ...added];
  }

  /** The newest version of the trust root under which a quorum has signed the log; 1 at the beginning. */
  get heardVersion(): number {
    const row = this.#database.prepare('SELECT version FROM heard').get() as { version: number } | undefined;
    return row?.version ?? 1;
  }

  /** Remembers that a quorum of this version has signed the log, on disk before it returns: never goes back. */
  hear(version: number): void {
    if (version <= this.heardVersion) return;
    this.#transaction(() => {
      this.#database.exec('DELETE FROM heard');
      this.#database.prepare('INSERT INTO heard VALUES (?)').run(version);
    });
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * Moves the mark, and notes how far the journal has come; on disk before it returns. Throws MarkError where the disk
   * does not confirm it: then the mark may stand at either place, which is harmless, since nothing may be signed.
   */
  advance(checkpoint: Checkpoint, journal: JournalPosition | null): void {
    const { size, origin } = checkpoint;
    if (origin !== this.#checkpoint.origin)
      throw new MarkError(`this is the mark of ${this.#checkpoint.origin}`);
    if (size < this.#checkpoint.size)
      throw new MarkError(`mark cannot go back: ${formatCheckpoint(checkpoint)}`);
    this.#write(checkpoint, journal);
    this.#checkpoint = checkpoint;
    this.#journal = journal;
  }

  /** Notes how far the journal has come; as `advance`. */
  rememberJournal(journal: JournalPosition): void {
    this.#write(this.#checkpoint, journal);
    this.#journal = journal;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #write({ size, root, origin }: Checkpoint, journal: JournalPosition | null): void {
    const sql = 'UPDATE mark SET size = ?, root = ?, journal = ? WHERE origin = ?';
    try {
      this.#database.prepare(sql).run(size, root, journal && JSON.stringify(journal), origin);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new MarkError(
        `nothing was signed, because the mark ${this.#file} could not be made durable (${why}): see whether its disk ` +
          'is full or failing',
        { cause: error },
      );
    }
  }
}

interface MarkRow extends Checkpoint {
  /** JSON of a JournalPosition. */
  journal: string | null;
}

/** Takes the lock and reads the row; throws MarkError saying what is wrong. */
function hold(database: DatabaseSync, file: string, origin: string): MarkRow {
  try {
    database.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=EXTRA; BEGIN EXCLUSIVE; COMMIT');
  } catch (error) {
    const isBusy = error instanceof Error && /locked|busy/i.test(error.message);
    if (isBusy) throw new MarkError(`another signer is using ${file}`, { cause: error });
    throw unreadable(file, 'it cannot be opened', error);
  }
  let row: MarkRow | undefined;
  try {
    database.exec(
      `CREATE TABLE IF NOT EXISTS documents (
         ns TEXT NOT NULL, type TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (ns, type)
       ) STRICT;
       CREATE TABLE IF NOT EXISTS trust (version INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
       CREATE TABLE IF NOT EXISTS heard (version INTEGER NOT NULL) STRICT`,
    );
    addJournalColumn(database);
    const sql = 'SELECT origin, size, root, journal FROM mark';
    row = database.prepare(sql).get() as unknown as MarkRow | undefined;
  } catch (error) {
    throw unreadable(file, 'it holds no mark', error);
  }
  if (row?.origin !== origin) throw new MarkError(`${file} is the mark of another log`);
  return row;
}

/** A disk that is full or read-only is no damage: who is told of damage looks for another mark, and none may take its place. */
function unreadable(file: string, what: string, error: unknown): MarkError {
  const { errcode, message } = error as Error & { errcode?: number };
  if (!diskTroubles.includes((errcode ?? 0) % 256))
    return new MarkError(`${file} is damaged: ${what}`, { cause: error });
  const advice = 'see whether its disk is full, failing or read-only';
  return new MarkError(`the mark ${file} cannot be written (${message}): ${advice}`, { cause: error });
}

/** Marks of before the journal have none. */
function addJournalColumn(database: DatabaseSync): void {
  const sql = "SELECT count(*) AS found FROM pragma_table_info('mark') WHERE name = 'journal'";
  const { found } = database.prepare(sql).get() as { found: number };
  if (found === 0) database.exec('ALTER TABLE mark ADD COLUMN journal TEXT');
}
