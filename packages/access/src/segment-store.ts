/**
 * The access log on disk: one SQLite file. Its calls block and belong in a thread of their own.
 *
 * `leaves` is the log; `segments` has what they commit to, apart, so that it can go one day and the log stays. `pending`
 * holds records of the segment that is still open, where they had to be durable before it was full. The commit point of a
 * segment is the transaction that writes it with its leaf and takes its records out of `pending`, so that a crash leaves
 * each record in exactly one of both. `inputs` has once what records name by its hash: what their decisions were made on.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import {
  base64,
  equalBytes,
  IntegrityError,
  LogTree,
  leafHash,
  parseInstant,
  parseSignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { AccessLogError } from './errors.ts';
import { parseAccessRecord } from './record.ts';
import {
  encodeLeaf,
  isDropped,
  leafOf,
  linesLengthMax,
  openSegment,
  packLines,
  parseLeaf,
  recordsMax,
  timeOf,
} from './segment.ts';
import {
  noFile,
  openFile,
  SegmentReader,
  type StoredAccessCheckpoint,
  type StoredSegment,
} from './segment-reader.ts';

export interface SegmentStoreOptions {
  /** Fresh bytes for salts. */
  random: (length: number) => Uint8Array;
}

const schema = `
  CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
  CREATE TABLE segments (idx INTEGER PRIMARY KEY, salt BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE pending (n INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
  CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL, at TEXT NOT NULL) STRICT;
  PRAGMA user_version = 1;
`;

/** Of its own, since files of before lack it. `day` is the newest on which it was written. */
const inputsSchema = `
  CREATE TABLE IF NOT EXISTS inputs (entities TEXT PRIMARY KEY, input TEXT NOT NULL, day TEXT NOT NULL) STRICT;
`;

const saltLength = 32;
/** Of an instant: up to its hour, and its day. */
const hourLength = 13;
const dayLength = 10;
/** SQLite's result code where another process has the lock; the bits above its lowest eight say how it noticed. */
const busy = 5;
const clockSetMaxMs = 86_400_000;

export class SegmentStore extends SegmentReader {
  readonly #lock: DatabaseSync;
  readonly #random: SegmentStoreOptions['random'];
  readonly tree: LogTree = new LogTree();
  /** Number of the first record that is in no segment. */
  #first = 0;
  /** Lines of the open segment that are on disk. */
  #open: string[] = [];

  private constructor(database: DatabaseSync, lock: DatabaseSync, { random }: SegmentStoreOptions) {
    super(database);
    this.#lock = lock;
    this.#random = random;
  }

  /**
   * Makes the log, with what says whose it is as its first leaf. Throws AccessLogError where the file exists.
   *
   * @param identity an attestation of the key that signs it
   */
  static create(file: string, identity: Uint8Array): void {
    if (existsSync(file))
      throw new AccessLogError('file', `${file} exists: an access log is never begun over another`);
    // Under its name it is whole: one that was begun and not finished could not be opened, nor begun again.
    const partial = `${file}.partial`;
    rmSync(partial, { force: true });
    // SQLite would make it readable by everybody, and gives its journal the mode that it finds.
    closeSync(openSync(partial, 'wx', 0o600));
    const database = new DatabaseSync(partial);
    database.exec('PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN');
    database.exec(schema);
    database.exec(inputsSchema);
    database.prepare('INSERT INTO leaves VALUES (0, ?)').run(identity);
    database.exec('COMMIT');
    database.close();
    renameSync(partial, file);
    syncFolder(dirname(file));
  }

  /**
   * Opens the log to write to it, and checks what it builds on: that its leaves follow each other, that its newest checkpoint is
   * over them, and all that no checkpoint covers. What was left open becomes a segment. Throws AccessLogError.
   */
  static openToWrite(file: string, options: SegmentStoreOptions): SegmentStore {
    if (!existsSync(file)) throw noFile(file);
    const lock = takeLock(file);
    let database: DatabaseSync | undefined;
    try {
      database = openFile(file, false);
      database.exec(inputsSchema);
      const store = new SegmentStore(database, lock, options);
      store.#load();
      store.append(store.next, [], true);
      return store;
    } catch (error) {
      database?.close();
      lock.close();
      throw error;
    }
  }

  /** As far as they are known to be written. */
  override get size(): number {
    return this.tree.size;
  }

  /** Number of the next record. */
  get next(): number {
    return this.#first + this.#open.length;
  }

  /**
   * Takes lines in, durable when it returns: those that are there already, after a call of which nobody knows how it ended,
   * are left out. Segments that are full are closed, and the last one where that is asked for.
   *
   * @param first number of the first line
   * @param inputs what decisions were made on, by its hash
   */
  append(
    first: number,
    lines: readonly string[],
    closes: boolean,
    inputs: ReadonlyMap<string, string> = new Map(),
  ): void {
    if (first > this.next)
      throw new AccessLogError(
        'record',
        `records ${this.next} to ${first - 1} are missing before the next one`,
      );
    const fresh = lines.slice(this.next - first);
    const all = [...this.#open, ...fresh];
    const chunks = chunksOf(all);
    const isLastFull = chunks.at(-1)?.length === recordsMax;
    const rest = closes || isLastFull ? [] : (chunks.pop() ?? []);
    const made: Made[] = [];
    let at = this.#first;
    for (const chunk of chunks) {
      made.push(this.#make(at, chunk));
      at += chunk.length;
    }
    const kept = made.length > 0 ? rest : fresh;
    const last = lines.at(-1);
    if (last !== undefined && inputs.size > 0) this.#keepInputs(inputs, timeOf(last).slice(0, dayLength));
    if (made.length === 0 && kept.length === 0) return;
    this.#commit(made, kept, at + rest.length - kept.length);
    for (const { leaf } of made) this.tree.append(leafHash(leaf));
    this.#first = at;
    this.#open = rest;
  }

  /** Keeps a checkpoint, durable when it returns: the newest, and of those before it the last one of each hour. */
  saveCheckpoint({ size, note, at }: StoredAccessCheckpoint): void {
    this.#transact(() => {
      this.database
        .prepare('DELETE FROM checkpoints WHERE size < ? AND substr(at, 1, ?) = ?')
        .run(size, hourLength, at.slice(0, hourLength));
      this.database.prepare('INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)').run(size, note, at);
    });
  }

  /**
   * Drops the content of segments that are wholly from before an instant and published, of the `max` oldest that are there behind
   * leaf `from`; durable and overwritten when it returns. Leaves stay. Returns the leaf to go on with; null where nothing more is
   * to be dropped. Throws AccessLogError for what does not fit, and drops nothing then: that somebody altered it must not go
   * unseen.
   */
  drop(before: string, from: number, max: number): number | null {
    const published = this.checkpoint()?.size ?? 0;
    const sql =
      'SELECT idx, leaf, salt, bytes FROM segments JOIN leaves USING (idx) WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?';
    const rows = this.database.prepare(sql).all(from, published, max) as unknown as SegmentRow[];
    const leaves = rows.map((row) => ({
      ...row,
      ...checked('leaf', `leaf ${row.idx}`, () => parseLeaf(row.leaf)),
    }));
    const gone = leaves.filter((leaf) => isDropped(leaf, before));
    for (const leaf of gone)
      checked('segment', `the segment of leaf ${leaf.idx}`, () => openSegment(leaf, leaf.salt, leaf.bytes));
    const last = leaves.at(-1);
    // A clock that was set back leaves older segments behind newer ones.
    const isPast = last !== undefined && parseInstant(last.from) > parseInstant(before) + clockSetMaxMs;
    const isOver = last === undefined || leaves.length < max || isPast;
    this.#transact(() => {
      const segment = this.database.prepare('DELETE FROM segments WHERE idx = ?');
      for (const { idx } of gone) segment.run(idx);
      const input = this.database.prepare('DELETE FROM inputs WHERE day < ?');
      if (isOver) input.run(before.slice(0, dayLength));
    });
    // What was overwritten is in the file by then, and out of the journal.
    if (gone.length > 0) this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return isOver ? null : last.idx + 1;
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#lock.close();
  }

  #load(): void {
    // What a process wrote that died before the disk confirmed it may be in the cache alone: it is not built upon.
    this.database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    const saved = this.checkpoint();
    const covered = saved?.size ?? 0;
    for (const { index, leaf } of this.leaves()) {
      if (index !== this.tree.size)
        throw new AccessLogError('leaf', `leaf ${this.tree.size} is missing: see tally access log verify`);
      if (index > 0) this.#follow(index, leaf, index >= covered);
      this.tree.append(leafHash(leaf));
    }
    if (this.tree.size === 0) throw new AccessLogError('identity', 'the access log has no first leaf');
    if (saved !== undefined) demandCheckpoint(saved, this.tree);
    for (const { n, line } of this.pending()) {
      if (n !== this.next)
        throw new AccessLogError('record', `record ${this.next} is missing among those of the open segment`);
      checked('record', `record ${n} of the open segment`, () => parseAccessRecord(line));
      this.#open.push(line);
    }
  }

  #follow(index: number, bytes: Uint8Array, isNew: boolean): void {
    const leaf = checked('leaf', `leaf ${index}`, () => parseLeaf(bytes));
    if (leaf.first !== this.#first)
      throw new AccessLogError('leaf', `leaf ${index} begins with record ${leaf.first}, not ${this.#first}`);
    if (isNew) {
      const segment = this.segment(index);
      if (segment === undefined)
        throw new AccessLogError('segment', `the segment of leaf ${index} is missing`);
      checked('segment', `the segment of leaf ${index}`, () =>
        openSegment(leaf, segment.salt, segment.bytes),
      );
    }
    this.#first += leaf.count;
  }

  #make(first: number, lines: readonly string[]): Made {
    const salt = this.#random(saltLength);
    const bytes = packLines(lines);
    return { leaf: encodeLeaf(leafOf(first, lines, salt, bytes)), salt, bytes };
  }

  /** Before what names them, so that nothing on disk names what is not there. */
  #keepInputs(inputs: ReadonlyMap<string, string>, day: string): void {
    const sql = 'INSERT INTO inputs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET day = excluded.day';
    this.#transact(() => {
      const row = this.database.prepare(sql);
      for (const [entities, input] of inputs) row.run(entities, input, day);
    });
  }

  #commit(made: readonly Made[], kept: readonly string[], keptFrom: number): void {
    this.#transact(() => {
      const leaf = this.database.prepare('INSERT INTO leaves VALUES (?, ?)');
      const segment = this.database.prepare('INSERT INTO segments VALUES (?, ?, ?)');
      const line = this.database.prepare('INSERT INTO pending VALUES (?, ?)');
      if (made.length > 0) this.database.exec('DELETE FROM pending');
      for (const [nth, each] of made.entries()) {
        leaf.run(this.size + nth, each.leaf);
        segment.run(this.size + nth, each.salt, each.bytes);
      }
      for (const [nth, each] of kept.entries()) line.run(keptFrom + nth, each);
    });
    // Signed is only what can be read again.
    for (const [nth, each] of made.entries()) {
      const index = this.size + nth;
      const [leaf, segment] = [this.leaf(index), this.segment(index)];
      const isThere = leaf !== undefined && segment !== undefined;
      if (!isThere || !equalBytes(leaf, each.leaf) || !equalBytes(segment.bytes, each.bytes))
        throw new AccessLogError(
          'segment',
          `segment ${index} was written and reads otherwise: look at the disk`,
        );
    }
  }

  #transact(work: () => void): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }
}

interface SegmentRow extends StoredSegment {
  idx: number;
  leaf: Uint8Array;
}

interface Made extends StoredSegment {
  leaf: Uint8Array;
}

/** Lines as they fit into segments; the last one may be short. */
function chunksOf(lines: readonly string[]): string[][] {
  const chunks: string[][] = [];
  let length = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const last = chunks.at(-1);
    length += line.length + 1;
    if (last === undefined || last.length === recordsMax || length > linesLengthMax) {
      chunks.push([line]);
      length = line.length + 1;
    } else last.push(line);
  }
  return chunks;
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Throws AccessLogError unless a checkpoint that was kept is over the leaves that are there. */
export function demandCheckpoint({ size, note }: StoredAccessCheckpoint, tree: LogTree): void {
  const { root, size: said } = checked('checkpoint', `the checkpoint of size ${size}`, () =>
    parseSignedCheckpoint(utf8(note)),
  );
  if (said !== size)
    throw new AccessLogError('checkpoint', `the checkpoint of size ${said} stands as ${size}`);
  if (size > tree.size)
    throw new AccessLogError('tail', `a checkpoint is over ${size} leaves, and ${tree.size} are there`);
  if (!equalBytes(tree.root(size), root))
    throw new AccessLogError(
      'checkpoint',
      `the first ${size} leaves have the root ${base64(tree.root(size))}, not ${base64(root)} as was signed`,
    );
}

export function checked<T>(part: AccessLogError['part'], what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    throw new AccessLogError(part, `${what}: ${error.message}`, { cause: error });
  }
}

/** On a file beside, so that readers are not locked out. The system releases it with the process, also after kill -9. */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    // Taking it writes, so that a disk that is full or read-only is met here first.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== busy) throw error;
    throw new AccessLogError('held', `another process writes to ${file}`, { cause: error });
  }
}
