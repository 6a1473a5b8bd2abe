/** The connection to the file of a store. */
import { DatabaseSync } from 'node:sqlite';
import { lockWaitMs } from '../write-ahead-log.ts';
import { namingDamaged } from './damaged-file.ts';

export interface SqliteStoreOptions {
  /** 'off' gives durability away and exists for benchmarks. */
  synchronous?: 'full' | 'off';
  /** Opens an existing file without writing to it: for checks beside a running server. */
  readOnly?: boolean;
}

/** Throws StoreDamaged for a file that is no database, or a damaged one. */
export function openSqlite(file: string, options: SqliteStoreOptions): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: lockWaitMs, readOnly: options.readOnly ?? false });
  try {
    configure(database, options);
    return database;
  } catch (error) {
    database.close();
    throw namingDamaged(file, error);
  }
}

function configure(database: DatabaseSync, options: SqliteStoreOptions): void {
  if (options.readOnly !== true) {
    // Rows are a kilobyte or two and only appended: in larger pages fewer of them go to the disk half empty.
    database.exec('PRAGMA page_size=16384; PRAGMA journal_mode=WAL');
    // The commit that fills the log of writes waits until it is copied: of 16 MB, a third as long as of 64.
    database.exec('PRAGMA wal_autocheckpoint=1000');
    // Always, not only to remove: where a table outgrows its first page, a copy of those rows would stay in it.
    database.exec(`PRAGMA synchronous=${options.synchronous ?? 'full'}; PRAGMA secure_delete=ON`);
  }
  // Nothing has been read of a file that is only to be read.
  database.prepare('PRAGMA user_version').get();
}
