/**
 * The log key's memory: the newest checkpoint it signed, kept outside the main database, so that no
 * restored database can make it sign a second history.
 *
 * A small SQLite file: its transaction makes the mark durable before a signature leaves, and its
 * exclusive lock keeps a second signer off the same mark, also after kill -9.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Checkpoint, emptyRoot, formatCheckpoint } from '@tallystick/core';

export class MarkError extends Error {
  override readonly name = 'MarkError';
}

export class Mark {
  readonly #database: DatabaseSync;
  /** The newest checkpoint signed; durable before `advance` returns. */
  #checkpoint: Checkpoint;

  private constructor(database: DatabaseSync, checkpoint: Checkpoint) {
    this.#database = database;
    this.#checkpoint = checkpoint;
  }

  /** Makes the mark of a log that has no entries yet; refuses where there is one. */
  static create(file: string, origin: string): void {
    if (existsSync(file)) throw new MarkError(`${file} exists: a log has one mark for its whole life`);
    const database = new DatabaseSync(file);
    database.exec('PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA');
    database.exec(
      'CREATE TABLE mark (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT',
    );
    database.prepare('INSERT INTO mark VALUES (?, 0, ?)').run(origin, emptyRoot);
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
      database.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=EXTRA; BEGIN EXCLUSIVE; COMMIT');
    } catch (error) {
      throw new MarkError(`another signer is using ${file}`, { cause: error });
    }
    const row = database.prepare('SELECT origin, size, root FROM mark').get() as
      | { origin: string; size: number; root: Uint8Array }
      | undefined;
    if (row?.origin !== origin) throw new MarkError(`${file} is the mark of another log`);
    return new Mark(database, row);
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** Moves the mark; on disk before it returns. */
  advance(checkpoint: Checkpoint): void {
    const { size, root, origin } = checkpoint;
    if (size < this.#checkpoint.size)
      throw new MarkError(`mark cannot go back: ${formatCheckpoint(checkpoint)}`);
    this.#database.prepare('UPDATE mark SET size = ?, root = ? WHERE origin = ?').run(size, root, origin);
    this.#checkpoint = checkpoint;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
