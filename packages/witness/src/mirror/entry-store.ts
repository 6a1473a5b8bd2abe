/**
 * The entries of one log in the state file of a replayer, each exactly as the log served it.
 *
 * Appended in pieces, a piece being what one entry tile brought: a row of its own for every entry would cost more than
 * checking it. What is beyond the cosigned size was not judged against any checkpoint yet and is never served.
 */
import { decodeEntryBundle, encodeEntryBundle, IntegrityError, tileWidth } from '@tallystick/core';
import type { EntryRun } from '../replayer/entry-tiles.ts';
import type { StateFile } from '../state/state-file.ts';

/** A piece never crosses the border of a tile, so that it begins less than a tile before any entry that it holds. */
const schema = `
  CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, log INTEGER NOT NULL REFERENCES logs (id), start INTEGER NOT NULL,
    count INTEGER NOT NULL, bundle BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS entries_by_start ON entries (log, start, count);
`;

interface Piece {
  start: number;
  count: number;
  bundle: Uint8Array;
}

/** Entries from `start` up to `end`. */
export interface Span {
  start: number;
  end: number;
}

export class EntryStore {
  readonly #file: StateFile;
  readonly #log: number;
  /** What is held, in order, without two that touch. */
  #spans: Span[] = [];

  /** A state from before entries were kept gets the table, and lacks them. */
  constructor(file: StateFile, log: number) {
    this.#file = file;
    this.#log = log;
    file.database.exec(schema);
    const pieces = file.database.prepare('SELECT start, count FROM entries WHERE log = ? ORDER BY start');
    for (const row of pieces.iterate(log)) {
      this.#take({ start: Number(row.start), end: Number(row.start) + Number(row.count) });
    }
  }

  /** Number of entries held from the first one on, without a gap. */
  get held(): number {
    return this.endFrom(0);
  }

  /** The first index from `from` on that is not held. */
  endFrom(from: number): number {
    return this.#spans.find(({ start, end }) => start <= from && from < end)?.end ?? from;
  }

  /** The first entries below `size` that are not held; null where all are. */
  gapBelow(size: number): Span | null {
    const start = this.held;
    if (start >= size) return null;
    const next = this.#spans.find((span) => span.start > start)?.start ?? size;
    return { start, end: Math.min(next, size) };
  }

  /** Writes runs, none of which is held yet; the caller's transaction makes them durable, and `written` counts them. */
  write(runs: readonly EntryRun[]): void {
    const add = this.#file.database.prepare(
      'INSERT INTO entries (log, start, count, bundle) VALUES (?, ?, ?, ?)',
    );
    for (const { start, entries } of runs)
      add.run(this.#log, start, entries.length, encodeEntryBundle(entries));
  }

  /** The transaction that wrote these runs is durable. */
  written(runs: readonly EntryRun[]): void {
    for (const { start, entries } of runs) this.#take({ start, end: start + entries.length });
  }

  /** Writes runs durably. Throws where the disk does not take them; nothing was written then. */
  save(runs: readonly EntryRun[]): void {
    this.#file.transact(() => this.write(runs));
    this.written(runs);
  }

  /**
   * The entries from `from` up to `to`, all of which are held, as they are on the disk; null where what is there
   * cannot be read as entries.
   */
  read(from: number, to: number): Uint8Array[] | null {
    const entries: Uint8Array[] = [];
    for (const { start, count, bundle } of this.#pieces(from, to)) {
      const decoded = entriesOf(bundle, count);
      if (decoded === null || start > from + entries.length) return null;
      entries.push(...decoded.slice(Math.max(0, from - start), to - start));
    }
    return entries.length === to - from ? entries : null;
  }

  /** Forgets everything from `size` on. */
  truncate(size: number): void {
    this.#forget(size, Number.MAX_SAFE_INTEGER);
  }

  /** Forgets the pieces that hold entries from `from` up to `to`, so that they can be had anew. */
  drop(from: number, to: number): void {
    for (const { start, count } of this.#pieces(from, to)) this.#forget(start, start + count);
  }

  #forget(from: number, to: number): void {
    const cut = this.#pieces(from, from + 1).find(({ start }) => start < from);
    const kept = cut === undefined ? null : entriesOf(cut.bundle, cut.count)?.slice(0, from - cut.start);
    this.#file.transact(() => {
      this.#file.database
        .prepare('DELETE FROM entries WHERE log = ? AND start > ? AND start < ? AND start + count > ?')
        .run(this.#log, from - tileWidth, to, from);
      if (kept != null && cut !== undefined) this.write([{ start: cut.start, entries: kept }]);
    });
    const begin = cut?.start ?? from;
    this.#spans = this.#spans.flatMap(({ start, end }) => [
      ...(start < begin ? [{ start, end: Math.min(end, begin) }] : []),
      ...(end > to ? [{ start: Math.max(start, to), end }] : []),
    ]);
    if (kept != null && cut !== undefined) this.written([{ start: cut.start, entries: kept }]);
  }

  #pieces(from: number, to: number): Piece[] {
    const rows = this.#file.database
      .prepare(
        `SELECT start, count, bundle FROM entries
          WHERE log = ? AND start > ? AND start < ? AND start + count > ? ORDER BY start`,
      )
      .all(this.#log, from - tileWidth, to, from);
    return rows.map((row) => ({
      start: Number(row.start),
      count: Number(row.count),
      bundle: row.bundle as Uint8Array,
    }));
  }

  #take({ start, end }: Span): void {
    const apart = this.#spans.filter((span) => span.end < start || span.start > end);
    const touching = this.#spans.filter((span) => span.end >= start && span.start <= end);
    const joined = {
      start: Math.min(start, ...touching.map((span) => span.start)),
      end: Math.max(end, ...touching.map((span) => span.end)),
    };
    this.#spans = [...apart, joined].sort((a, b) => a.start - b.start);
  }
}

/** null where the bytes are not that many entries: the disk, or somebody, has changed them. */
function entriesOf(bundle: Uint8Array, count: number): Uint8Array[] | null {
  try {
    return decodeEntryBundle(bundle, count);
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}
