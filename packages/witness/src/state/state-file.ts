/**
 * The SQLite file that a cosigner's memory lives in.
 *
 * `init` creates it and nothing else does: a cosigner that silently began again at size 0 would cosign a second
 * history. One process holds it at a time: in exclusive locking mode SQLite keeps its lock from the first access
 * to the end of the process, and the kernel drops it with the process, however that ended.
 */
import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { emptyRoot } from '@tallystick/core';
import { ConfigError, messageOf, StateHeld } from '../errors.ts';

export type CosignerKind = 'witness' | 'replayer';

/** What is remembered of a log: the last checkpoint that was cosigned. */
export interface CosignedHead {
  size: number;
  root: Uint8Array;
  /** The signed note with our cosignatures; null while nothing was cosigned. */
  note: string | null;
}

export interface InitStateOptions {
  stateFile: string;
  kind: CosignerKind;
  /** The cosigner's name: a state belongs to one cosigner. */
  name: string;
  /** Origins that begin here at size 0. */
  origins: readonly string[];
  /** Adds origins only: a state that is missing or empty is lost, and makes this a ConfigError. */
  mustExist?: boolean;
}

const schema = `
  CREATE TABLE IF NOT EXISTS cosigner (
    one INTEGER PRIMARY KEY CHECK (one = 1), kind TEXT NOT NULL, name TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS segments (
    log INTEGER NOT NULL REFERENCES logs (id), start INTEGER NOT NULL, rows BLOB NOT NULL,
    PRIMARY KEY (log, start)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS facts (
    log INTEGER NOT NULL REFERENCES logs (id), name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (log, name)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Creates the state file, or adds origins to one. An origin that is there already stays as it is. Returns the
 * origins that begin at size 0 now.
 */
export function initState(options: InitStateOptions): string[] {
  if (options.mustExist === true) checkExists(options.stateFile);
  const database = openExclusively(options.stateFile, pageSizes[options.kind]);
  try {
    database.exec('BEGIN IMMEDIATE');
    if (options.mustExist === true) checkOwner(database, options);
    database.exec(schema);
    database
      .prepare('INSERT INTO cosigner VALUES (1, ?, ?) ON CONFLICT DO NOTHING')
      .run(options.kind, options.name);
    checkOwner(database, options);
    const added = beginLogs(database, options.origins);
    database.exec('COMMIT');
    return added;
  } finally {
    database.close();
    syncFolder(dirname(options.stateFile));
  }
}

/** An open state. Every method is synchronous, so a transaction is never interleaved with another. */
export class StateFile implements Disposable {
  readonly database: DatabaseSync;
  readonly #file: string;

  private constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.database = database;
  }

  /** Throws ConfigError where the state is missing, another cosigner's, or held by another process. */
  static open(stateFile: string, owner: { kind: CosignerKind; name: string }): StateFile {
    checkExists(stateFile);
    const database = openExclusively(stateFile);
    try {
      checkOwner(database, { stateFile, ...owner });
    } catch (error) {
      database.close();
      throw error;
    }
    return new StateFile(stateFile, database);
  }

  /** The row id of an origin; throws ConfigError where `init` never began it. */
  logId(origin: string): number {
    const row = this.database.prepare('SELECT id FROM logs WHERE origin = ?').get(origin);
    if (row === undefined)
      throw new ConfigError(
        `the log ${origin} is not in the state: begin it with init (tally witness add-log) where this cosigner never ` +
          'cosigned it; where it did, the state is an older one: restore the newest',
      );
    return Number(row.id);
  }

  /** Begins logs at size 0, all or none; one that is there already stays as it is. */
  begin(origins: readonly string[]): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      beginLogs(this.database, origins);
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }

  head(log: number): CosignedHead {
    const row = this.database.prepare('SELECT size, root, note FROM logs WHERE id = ?').get(log);
    if (row === undefined) throw new Error(`no log ${log} in the state`);
    const note = row.note === null ? null : String(row.note);
    return { size: Number(row.size), root: row.root as Uint8Array, note };
  }

  /**
   * Replaces the head where it still is `before`, in one durable transaction together with what `also` writes.
   * Throws where it is not, which the lock on the file makes a bug rather than a race, and where the disk does not
   * confirm it: then nothing may be cosigned.
   */
  advance(log: number, before: CosignedHead, next: CosignedHead, also: () => void = nothing): void {
    try {
      this.transact(() => {
        const { changes } = this.database
          .prepare('UPDATE logs SET size = ?, root = ?, note = ? WHERE id = ? AND size = ? AND root = ?')
          .run(next.size, next.root, next.note, log, before.size, before.root);
        if (changes !== 1) throw new Error('the recorded checkpoint changed under our hands');
        also();
      });
    } catch (error) {
      throw new Error(
        `nothing was cosigned, because the state ${this.#file} could not be made durable (${messageOf(error)}): see ` +
          'whether its disk is full or failing',
        { cause: error },
      );
    }
  }

  /** Runs `write` in one durable transaction, of which nothing stays where it throws. */
  transact(write: () => void): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.database.isOpen) this.database.close();
  }
}

function nothing(): void {}

function checkExists(stateFile: string): void {
  if (!existsSync(stateFile)) throw lost(stateFile, 'is missing');
}

function lost(stateFile: string, how: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `the state file ${stateFile} ${how}: restore the newest one, or, where there is none, give up this key and ` +
      'make a cosigner of another name; a cosigner that never ran before is made with init',
    { cause },
  );
}

/** Inside a transaction. Returns the origins that were not there. */
function beginLogs(database: DatabaseSync, origins: readonly string[]): string[] {
  const add = database.prepare(
    'INSERT INTO logs (origin, size, root) VALUES (?, 0, ?) ON CONFLICT DO NOTHING',
  );
  return origins.filter((origin) => add.run(origin, emptyRoot).changes === 1);
}

/** A replayer appends entries, of which few fit into a small page. Only a new file gets its size. */
const pageSizes: Record<CosignerKind, number> = { witness: 4096, replayer: 16_384 };

function openExclusively(stateFile: string, pageSize = 4096): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(stateFile, { timeout: 0 });
    database.exec(`PRAGMA page_size = ${pageSize}`);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // The lock is taken by the first write transaction and then kept.
    database.exec('BEGIN IMMEDIATE; COMMIT');
    return database;
  } catch (error) {
    database?.close();
    const why = messageOf(error);
    if (why.includes('locked'))
      throw new StateHeld(`cannot open the state file ${stateFile}: another process holds it`);
    if (/not a database|malformed/.test(why)) throw lost(stateFile, `is damaged (${why})`, error);
    const advice = 'see whether its disk is full, failing or read-only';
    throw new ConfigError(`cannot open the state file ${stateFile} (${why}): ${advice}`, { cause: error });
  }
}

function checkOwner(
  database: DatabaseSync,
  owner: Pick<InitStateOptions, 'stateFile' | 'kind' | 'name'>,
): void {
  let row: { kind?: unknown; name?: unknown } | undefined;
  try {
    row = database.prepare('SELECT kind, name FROM cosigner').get();
  } catch (error) {
    throw lost(owner.stateFile, 'holds nothing', error);
  }
  if (row === undefined) throw lost(owner.stateFile, 'holds nothing');
  if (row.kind !== owner.kind || row.name !== owner.name) {
    throw new ConfigError(
      `the state belongs to the ${String(row.kind)} ${String(row.name)}, not to the ${owner.kind} ${owner.name}`,
    );
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
