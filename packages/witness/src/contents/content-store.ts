/**
 * What a mirror has of the documents of one log: sealed parts, each as it came, in a file of its own. The memory of a
 * cosigner must not wait for it, nor fill up with it.
 *
 * Owned by one process, as the state is. What is written is durable when a method returns, and nothing of it is there where it
 * throws Unavailable; an erasure leaves nothing in the file or its write-ahead log.
 */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { equalBytes } from '@tallystick/core';
import { ConfigError, messageOf } from '../errors.ts';
import { Unavailable } from '../replayer/violation.ts';
import { partKinds, type SealedBatch, type SealedPart } from './sealed-batch.ts';

/**
 * A part of index `i` stands at `2 i`, a cause one behind it. What was signed for a cause has a table of its own, in
 * which nothing is left of what was erased but its index: there was a version without. A cause lacks where that does.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS about (
    one INTEGER PRIMARY KEY CHECK (one = 1), genesis BLOB NOT NULL, key TEXT NOT NULL, walked INTEGER NOT NULL,
    fetched INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, enc BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS parts (
    place INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batches (id), sealed BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS lacking (
    place INTEGER PRIMARY KEY, why TEXT NOT NULL, size INTEGER NOT NULL, told INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS erased (idx INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS requests (
    idx INTEGER PRIMARY KEY, batch INTEGER REFERENCES batches (id), sealed BLOB
  ) STRICT;
`;

/** Why a part that should be here is not: the log's server had not got it, or handed out another one. */
export type Lack = 'gone' | 'altered';

export interface HeldPart extends SealedPart {
  /** The batch that it came in: its number here, its key, and how large the log was. */
  batch: number;
  enc: Uint8Array;
  size: number;
}

/** A part that is lacking, for which no erasure in the log accounts. */
export interface LackingPart {
  index: number;
  isCause: boolean;
  why: Lack;
  /** Number of entries of the log when its server said so. */
  size: number;
}

export class ContentStore implements Disposable {
  readonly #file: string;
  readonly #database: DatabaseSync;

  private constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
  }

  /**
   * Opens the file of a log, or makes it. Throws ConfigError where it is another log's, sealed to another key, or held by
   * another process.
   */
  static open(file: string, genesis: Uint8Array, keyId: string): ContentStore {
    const database = openExclusively(file);
    try {
      database.exec(schema);
      database.prepare('INSERT INTO about VALUES (1, ?, ?, 0, 0) ON CONFLICT DO NOTHING').run(genesis, keyId);
      const about = database.prepare('SELECT genesis, key FROM about').get();
      if (!equalBytes(about?.genesis as Uint8Array, genesis))
        throw new ConfigError(`${file} has the documents of another log: name another file`);
      if (about?.key !== keyId) {
        throw new ConfigError(
          `${file} is sealed to the content key ${String(about?.key)}, and the configuration names ${keyId}: name the key ` +
            'of before, or another file, into which everything is fetched anew',
        );
      }
      return new ContentStore(file, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Entries that were looked through for erasures. */
  get walked(): number {
    return this.#about('walked');
  }

  /** Entries whose parts were asked for. */
  get fetched(): number {
    return this.#about('fetched');
  }

  /** Keeps what of a batch is good, notes what is not, and goes on behind it where it stands at its beginning. */
  save(
    { header, parts }: SealedBatch,
    lacking: readonly { index: number; isCause: boolean; why: Lack }[],
  ): void {
    const { from, to, size, enc } = header;
    const database = this.#database;
    this.#transact(() => {
      const { lastInsertRowid: batch } = database
        .prepare('INSERT INTO batches (size, enc) VALUES (?, ?)')
        .run(size, enc);
      database.prepare('DELETE FROM lacking WHERE place >= ? AND place < ?').run(2 * from, 2 * to);
      const isErased = database.prepare('SELECT 1 FROM erased WHERE idx = ?');
      const isRequestErased = database.prepare('SELECT 1 FROM requests WHERE idx = ? AND sealed IS NULL');
      const add = database.prepare('INSERT OR REPLACE INTO parts VALUES (?, ?, ?)');
      const addRequest = database.prepare('INSERT OR REPLACE INTO requests VALUES (?, ?, ?)');
      const lack = database.prepare('INSERT OR REPLACE INTO lacking VALUES (?, ?, ?, 0)');
      for (const { index, kind, sealed } of parts) {
        // What was erased since it was asked for does not come back.
        if (kind === partKinds.content && isErased.get(index) !== undefined) continue;
        if (kind === partKinds.request) {
          if (isRequestErased.get(index) === undefined) addRequest.run(index, batch, sealed);
          continue;
        }
        add.run(placeOf(index, kind === partKinds.cause), batch, sealed);
      }
      for (const { index, isCause, why } of lacking) {
        if (!isCause && isErased.get(index) !== undefined) continue;
        const isHeld = isCause && parts.some((part) => part.index === index && part.kind === partKinds.cause);
        if (isHeld && isRequestErased.get(index) !== undefined) continue;
        lack.run(placeOf(index, isCause), why, size);
      }
      database.prepare('UPDATE about SET fetched = ? WHERE fetched = ?').run(to, from);
    });
  }

  /**
   * Removes the contents at these indexes, and what was signed for the commands that begin at `commands`, for good, and notes that
   * everything up to `walked` was looked through.
   */
  erase(indexes: readonly number[], commands: readonly number[], walked: number): void {
    let removed = 0;
    this.#transact(() => {
      const note = this.#database.prepare('INSERT OR IGNORE INTO erased VALUES (?)');
      const remove = this.#database.prepare('DELETE FROM parts WHERE place = ?');
      const settle = this.#database.prepare('DELETE FROM lacking WHERE place = ?');
      for (const index of indexes) {
        note.run(index);
        removed += Number(remove.run(placeOf(index, false)).changes);
        settle.run(placeOf(index, false));
      }
      const empty = this.#database.prepare('INSERT OR REPLACE INTO requests VALUES (?, NULL, NULL)');
      const isHeld = this.#database.prepare('SELECT 1 FROM parts WHERE place = ?');
      for (const index of commands) {
        removed += Number(empty.run(index).changes);
        // The cause itself may lack as well, which no erasure accounts for.
        if (isHeld.get(placeOf(index, true)) !== undefined) settle.run(placeOf(index, true));
      }
      this.#database.prepare('UPDATE about SET walked = ?').run(walked);
    });
    if (removed > 0) this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  isErased(index: number): boolean {
    return this.#database.prepare('SELECT 1 FROM erased WHERE idx = ?').get(index) !== undefined;
  }

  /** The content at an index, sealed; null where it is not here. */
  content(index: number): HeldPart | null {
    const [part] = this.parts(index, index + 1);
    return part?.kind === partKinds.content ? part : null;
  }

  /** The parts that are here of entries `from` up to `to`, in order. */
  parts(from: number, to: number): HeldPart[] {
    const rows = this.#database
      .prepare(
        `SELECT at, batch, sealed, enc, size FROM (
           SELECT 3 * (place / 2) + place % 2 AS at, batch, sealed FROM parts WHERE place >= ? AND place < ?
           UNION ALL SELECT 3 * idx + 2, batch, sealed FROM requests WHERE idx >= ? AND idx < ?
         ) JOIN batches ON id = batch ORDER BY at`,
      )
      .all(2 * from, 2 * to, from, to);
    return rows.map((row) => {
      const at = Number(row['at']);
      return {
        index: Math.floor(at / 3),
        kind: kindsInOrder[at % 3] ?? partKinds.content,
        sealed: row['sealed'] as Uint8Array,
        batch: Number(row['batch']),
        enc: row['enc'] as Uint8Array,
        size: Number(row['size']),
      };
    });
  }

  /** How many parts are lacking. */
  get lacks(): number {
    return Number(this.#database.prepare('SELECT count(*) AS lacks FROM lacking').get()?.['lacks']);
  }

  /** The first parts that are lacking of entries from `from` on, at most `limit`. */
  lacking(limit: number, from: number): LackingPart[] {
    return this.#lackingWhere(`place >= ${2 * from}`, limit);
  }

  /** Parts that have not been told of, and that the log up to `size` entries does not account for; they are told now. */
  untold(size: number): LackingPart[] {
    const found = this.#lackingWhere(`told = 0 AND size <= ${size}`, 100);
    const tell = this.#database.prepare('UPDATE lacking SET told = 1 WHERE place = ?');
    for (const { index, isCause } of found) tell.run(placeOf(index, isCause));
    return found;
  }

  /** Bytes on the disk. */
  get bytes(): number {
    const sizes = ['', '-wal'].map((end) => statSync(this.#file + end, { throwIfNoEntry: false })?.size ?? 0);
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #lackingWhere(condition: string, limit: number): LackingPart[] {
    const rows = this.#database
      .prepare(`SELECT place, why, size FROM lacking WHERE ${condition} ORDER BY place LIMIT ?`)
      .all(limit);
    return rows.map((row) => ({
      index: Math.floor(Number(row['place']) / 2),
      isCause: Number(row['place']) % 2 === 1,
      why: row['why'] === 'altered' ? 'altered' : 'gone',
      size: Number(row['size']),
    }));
  }

  #about(member: 'walked' | 'fetched'): number {
    return Number(this.#database.prepare(`SELECT ${member} FROM about`).get()?.[member]);
  }

  #transact(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      const why = `the documents could not be made durable (${messageOf(error)}): see whether the disk is full`;
      throw new Unavailable(why, { cause: error });
    }
  }
}

const kindsInOrder = [partKinds.content, partKinds.cause, partKinds.request] as const;

function placeOf(index: number, isCause: boolean): number {
  return 2 * index + (isCause ? 1 : 0);
}

function openExclusively(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    // Rows are half a kilobyte and only appended; what is removed is overwritten.
    database.exec('PRAGMA page_size = 16384; PRAGMA secure_delete = ON');
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    // A process that was killed may have removed something, and not yet what the log of its writes has of it.
    database.exec('BEGIN IMMEDIATE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)');
    return database;
  } catch (error) {
    database?.close();
    throw new ConfigError(`cannot open the documents in ${file}: ${messageOf(error)}`, { cause: error });
  }
}
