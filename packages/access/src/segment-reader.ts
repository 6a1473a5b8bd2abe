/** The file of the access log, as auditors and a running server read it; segment-store.ts says what is in it. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { AccessLogError } from './errors.ts';

export interface StoredSegment {
  salt: Uint8Array;
  bytes: Uint8Array;
}

export interface StoredAccessCheckpoint {
  size: number;
  /** The signed note with its cosignatures. */
  note: string;
  /** Instant. */
  at: string;
}

const lockWaitMs = 5000;

/** The file, read only, as auditors and a running server read it. */
export class SegmentReader implements Disposable {
  protected readonly database: DatabaseSync;

  protected constructor(database: DatabaseSync) {
    this.database = database;
  }

  /** Throws AccessLogError where there is no such file, or it is none of these. Works beside a server that writes. */
  static open(file: string): SegmentReader {
    return new SegmentReader(openFile(file, true));
  }

  /** Bytes of the leaf at an index; undefined where there is none. */
  leaf(index: number): Uint8Array | undefined {
    const row = this.database.prepare('SELECT leaf FROM leaves WHERE idx = ?').get(index);
    return row?.leaf as Uint8Array | undefined;
  }

  /** The leaves from an index on, in order. */
  *leaves(from = 0): Generator<{ index: number; leaf: Uint8Array }> {
    const sql = 'SELECT idx, leaf FROM leaves WHERE idx >= ? ORDER BY idx';
    for (const { idx, leaf } of this.database.prepare(sql).iterate(from))
      yield { index: idx as number, leaf: leaf as Uint8Array };
  }

  /** Index behind the last leaf. */
  get size(): number {
    const row = this.database.prepare('SELECT coalesce(max(idx) + 1, 0) AS size FROM leaves').get();
    return (row as { size: number }).size;
  }

  segment(index: number): StoredSegment | undefined {
    const row = this.database.prepare('SELECT salt, bytes FROM segments WHERE idx = ?').get(index);
    return row as unknown as StoredSegment | undefined;
  }

  /** Records of the segment that is open, with their numbers. */
  pending(): { n: number; line: string }[] {
    const rows = this.database.prepare('SELECT n, line FROM pending ORDER BY n').all();
    return rows as unknown as { n: number; line: string }[];
  }

  /** What decisions of this hash were made on, as it was written; undefined where that is not there. */
  input(entities: string): string | undefined {
    // A file of before has none of them.
    const table = this.database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'inputs'").get();
    if (table === undefined) return undefined;
    const row = this.database.prepare('SELECT input FROM inputs WHERE entities = ?').get(entities);
    return row?.['input'] as string | undefined;
  }

  checkpoint(): StoredAccessCheckpoint | undefined {
    const row = this.database.prepare('SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1').get();
    return row as unknown as StoredAccessCheckpoint | undefined;
  }

  /** All that are kept. */
  checkpoints(): StoredAccessCheckpoint[] {
    const rows = this.database.prepare('SELECT * FROM checkpoints ORDER BY size').all();
    return rows as unknown as StoredAccessCheckpoint[];
  }

  [Symbol.dispose](): void {
    this.database.close();
  }
}

/** Throws AccessLogError. */
export function openFile(file: string, readOnly: boolean): DatabaseSync {
  if (!existsSync(file)) throw noFile(file);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: lockWaitMs, readOnly });
    // Always, not only to drop: where a table outgrows its first page, a copy of those rows would stay in it.
    if (!readOnly) database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON');
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (version === 1) return database;
    throw new Error(`it has format ${version}, which this version does not know`);
  } catch (error) {
    database?.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new AccessLogError('file', `${file} cannot be opened: ${why}`, { cause: error });
  }
}

export function noFile(file: string): AccessLogError {
  return new AccessLogError('file', `there is no access log at ${file}`);
}
