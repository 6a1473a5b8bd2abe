import type { DatabaseSync } from 'node:sqlite';

/** Milliseconds that a statement waits for another connection's lock. */
export const lockWaitMs = 5000;

/**
 * Leaves nothing in SQLite's write-ahead log of what was replaced or deleted. Throws at once where a reader keeps it:
 * this is tried again, and meanwhile nothing else should wait.
 */
export function emptyWriteAheadLog(database: DatabaseSync): void {
  database.exec('PRAGMA busy_timeout=0');
  try {
    const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
    if (busy !== 0)
      throw new Error('a reader, such as a backup, keeps what is to be removed: wait for its end');
  } finally {
    database.exec(`PRAGMA busy_timeout=${lockWaitMs}`);
  }
}
