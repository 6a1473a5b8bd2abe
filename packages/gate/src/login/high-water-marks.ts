/**
 * Numbers that only grow, kept across restarts: the newest period whose code was used, and the counters of
 * authenticators. One code counts once, and an authenticator that was copied shows.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';

export class HighWaterMarks implements Disposable {
  readonly #database: DatabaseSync;
  readonly #raise: StatementSync;

  /** `file` is a path, or `:memory:`. */
  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;`);
    this.#raise = this.#database.prepare(
      'INSERT INTO mark VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value WHERE excluded.value > value',
    );
  }

  /** Whether the value was larger than every one before; on disk before it returns. */
  raise(name: string, value: number): boolean {
    return this.#raise.run(name, value).changes === 1;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
