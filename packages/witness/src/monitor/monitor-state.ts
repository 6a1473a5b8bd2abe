/**
 * What a monitor remembers: the newest tree that it verified of each log, leaf by leaf, the checkpoints that do not fit it,
 * and its alarms. A round is one transaction, so a crash leaves the state of the round before. One process holds it.
 */
import { DatabaseSync } from 'node:sqlite';
import { equalBytes, hashLength, LogTree, tileWidth } from '@tallystick/core';
import { ConfigError, messageOf } from '../errors.ts';
import { type Alarm, type AlarmKind, keyOf } from './alarm.ts';

/** The largest checkpoint of a log that was verified. */
export interface Tip {
  size: number;
  root: Uint8Array;
  /** As it was first seen. */
  note: string;
  /** When that was, in seconds. */
  seenAt: number;
}

export interface PendingHead {
  note: string;
  /** Who showed it. */
  source: string;
}

const schema = `
  CREATE TABLE IF NOT EXISTS tips (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, seen_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS leaves (
    origin TEXT NOT NULL, tile INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (origin, tile)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS pending (
    origin TEXT NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (origin, note)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS trust_roots (
    origin TEXT NOT NULL, version INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (origin, version)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS alarms (
    origin TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL, todo TEXT NOT NULL,
    evidence TEXT, PRIMARY KEY (origin, kind, subject)
  ) STRICT;
`;

export class MonitorState implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws ConfigError where another process holds it, or it cannot be read. */
  static open(file: string): MonitorState {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { timeout: 0 });
      database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      database.exec(`BEGIN IMMEDIATE; ${schema} COMMIT`);
      return new MonitorState(database);
    } catch (error) {
      database?.close();
      const why = messageOf(error).includes('locked') ? 'another process holds it' : messageOf(error);
      throw new ConfigError(`cannot open the state ${file}: ${why}`, { cause: error });
    }
  }

  tip(origin: string): Tip | null {
    const row = this.#database.prepare('SELECT * FROM tips WHERE origin = ?').get(origin);
    if (row === undefined) return null;
    const { size, root, note, seen_at } = row;
    return { size: Number(size), root: root as Uint8Array, note: String(note), seenAt: Number(seen_at) };
  }

  /** The tree under the tip. Throws ConfigError where the leaves are not the tip's. */
  tree(origin: string): LogTree {
    const tree = new LogTree();
    const rows = this.#database
      .prepare('SELECT hashes FROM leaves WHERE origin = ? ORDER BY tile')
      .iterate(origin);
    for (const { hashes } of rows) {
      const bytes = hashes as Uint8Array;
      for (let at = 0; at < bytes.length; at += hashLength) tree.append(bytes.subarray(at, at + hashLength));
    }
    const tip = this.tip(origin);
    if (tree.size !== (tip?.size ?? 0) || (tip !== null && !equalBytes(tree.root(), tip.root)))
      throw new ConfigError(
        `the state of ${origin} is damaged: move it away, and the monitor reads the log anew`,
      );
    return tree;
  }

  pending(origin: string): PendingHead[] {
    const rows = this.#database.prepare('SELECT note, source FROM pending WHERE origin = ?').all(origin);
    return rows.map(({ note, source }) => ({ note: String(note), source: String(source) }));
  }

  /** Envelopes of the versions that were followed, in order. */
  trustRoots(origin: string): Uint8Array[] {
    const rows = this.#database
      .prepare('SELECT envelope FROM trust_roots WHERE origin = ? ORDER BY version')
      .all(origin);
    return rows.map(({ envelope }) => envelope as Uint8Array);
  }

  /** Durable on return. */
  addTrustRoot(origin: string, version: number, envelope: Uint8Array): void {
    this.#database.prepare('INSERT INTO trust_roots VALUES (?, ?, ?)').run(origin, version, envelope);
  }

  alarms(origin: string): Alarm[] {
    return this.#database
      .prepare('SELECT * FROM alarms WHERE origin = ? ORDER BY kind, subject')
      .all(origin)
      .map(({ kind, subject, message, todo, evidence }) => ({
        origin,
        kind: String(kind) as AlarmKind,
        subject: String(subject),
        message: String(message),
        todo: String(todo),
        evidence: evidence === null ? null : String(evidence),
      }));
  }

  /** Writes what a round of one log found. `grownFrom` is the size whose leaves are stored already. */
  commit(
    origin: string,
    found: {
      tip: Tip | null;
      tree: LogTree;
      grownFrom: number;
      pending: readonly PendingHead[];
      alarms: readonly Alarm[];
    },
  ): void {
    const database = this.#database;
    database.exec('BEGIN IMMEDIATE');
    try {
      if (found.tip !== null) this.#setTip(origin, found.tip);
      this.#addLeaves(origin, found.tree, found.grownFrom);
      database.prepare('DELETE FROM pending WHERE origin = ?').run(origin);
      const add = database.prepare('INSERT INTO pending VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
      for (const { note, source } of found.pending) add.run(origin, note, source);
      database.prepare('DELETE FROM alarms WHERE origin = ?').run(origin);
      const raise = database.prepare('INSERT INTO alarms VALUES (?, ?, ?, ?, ?, ?)');
      for (const { kind, subject, message, todo, evidence } of found.alarms)
        raise.run(origin, kind, subject, message, todo, evidence);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #setTip(origin: string, { size, root, note, seenAt }: Tip): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO tips VALUES (?, ?, ?, ?, ?)')
      .run(origin, size, root, note, seenAt);
  }

  #addLeaves(origin: string, tree: LogTree, from: number): void {
    const set = this.#database.prepare('INSERT OR REPLACE INTO leaves VALUES (?, ?, ?)');
    for (let tile = Math.floor(from / tileWidth); tile * tileWidth < tree.size && from < tree.size; tile++)
      set.run(origin, tile, tree.tile(0, tile, Math.min(tileWidth, tree.size - tile * tileWidth)));
  }
}

/** Alarms of one round, each once. What is proven is kept from the rounds before. */
export class AlarmList {
  readonly #alarms = new Map<string, Alarm>();

  constructor(before: readonly Alarm[]) {
    for (const alarm of before) if (alarm.evidence !== null) this.#alarms.set(keyOf(alarm), alarm);
  }

  /** An alarm that is proven stays as it was raised first. */
  raise(alarm: Alarm): void {
    if (this.#alarms.get(keyOf(alarm))?.evidence == null) this.#alarms.set(keyOf(alarm), alarm);
  }

  isProven(origin: string, kind: AlarmKind, subject: string): boolean {
    return this.#alarms.get(keyOf({ origin, kind, subject }))?.evidence != null;
  }

  get all(): Alarm[] {
    return [...this.#alarms.values()];
  }
}
