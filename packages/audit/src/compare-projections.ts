/** Two projection files, row by row in both directions. */
import { DatabaseSync } from 'node:sqlite';
import type { FsckProblem, FsckTable } from './report.ts';

/** The tables with the columns that they are ordered by. */
export const projectionTables: readonly { name: FsckTable; key: readonly string[] }[] = [
  { name: 'names', key: ['name'] },
  { name: 'requests', key: ['key'] },
  { name: 'revisions', key: ['id', 'rev'] },
  { name: 'catalog', key: ['id'] },
  { name: 'customers', key: ['id'] },
  { name: 'licenses', key: ['id'] },
];

type Value = null | number | bigint | string | Uint8Array;
type Row = Record<string, Value>;

/** A projection file as it is at one moment, also while a server goes on writing to it. */
export class ProjectionSnapshot {
  readonly #database: DatabaseSync;

  /** Throws where there is no such file, or it cannot be read. */
  constructor(file: string) {
    this.#database = new DatabaseSync(file, { timeout: 5000, readOnly: true });
    try {
      this.#database.exec('BEGIN');
      // A transaction takes its snapshot with the first read.
      void this.size;
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Number of log entries taken in. */
  get size(): number {
    return (this.#database.prepare('SELECT size FROM cursor').get() as { size: number }).size;
  }

  rows(table: string, key: readonly string[]): Iterator<Row> {
    const rows = this.#database.prepare(`SELECT * FROM ${table} ORDER BY ${key.join(', ')}`).iterate();
    return rows as Iterator<Row>;
  }

  /** The subject that holds a name; null where none does. */
  holderOf(name: string): string | null {
    const row = this.#database.prepare('SELECT id FROM names WHERE name = ?').get(name);
    return (row as { id: string } | undefined)?.id ?? null;
  }

  /** Log indexes of a subject's revisions, oldest first. */
  revisionsOf(id: string): number[] {
    const rows = this.#database.prepare('SELECT idx FROM revisions WHERE id = ? ORDER BY rev').all(id);
    return (rows as { idx: number }[]).map(({ idx }) => idx);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Calls `report` for every row that differs, until it returns false. Returns the number of rows that should be. */
export function compareProjections(
  expected: ProjectionSnapshot,
  found: ProjectionSnapshot,
  report: (problem: FsckProblem) => boolean,
): number {
  let count = 0;
  for (const { name, key } of projectionTables) {
    const wanted = expected.rows(name, key);
    const present = found.rows(name, key);
    let want = next(wanted);
    let have = next(present);
    while (want !== null || have !== null) {
      const order = want === null ? 1 : have === null ? -1 : compareKeys(want, have, key);
      const problem = rowProblem(name, key, order <= 0 ? want : null, order >= 0 ? have : null);
      if (problem !== null && !report(problem)) return count;
      if (order <= 0) count += 1;
      if (order <= 0) want = next(wanted);
      if (order >= 0) have = next(present);
    }
  }
  return count;
}

function next(rows: Iterator<Row>): Row | null {
  const result = rows.next();
  return result.done === true ? null : result.value;
}

/** As SQLite orders: text by its UTF-8 bytes. */
function compareKeys(a: Row, b: Row, key: readonly string[]): number {
  for (const column of key) {
    const [left, right] = [a[column], b[column]];
    const order =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
    if (order !== 0) return order;
  }
  return 0;
}

function rowProblem(
  table: FsckTable,
  key: readonly string[],
  want: Row | null,
  have: Row | null,
): FsckProblem | null {
  const row = want ?? have;
  if (row === null) return null;
  const of = key.map((column) => String(row[column])).join(' revision ');
  const problem = { index: null, table };
  if (have === null)
    return {
      ...problem,
      part: 'row',
      message: `the row of ${of} is missing`,
      expected: 'a row',
      found: null,
    };
  if (want === null)
    return {
      ...problem,
      part: 'row',
      message: `the log knows no row of ${of}`,
      expected: null,
      found: 'a row',
    };
  const column = Object.keys(want).find((each) => want[each] !== have[each]);
  if (column === undefined) return null;
  const compared = { expected: String(want[column]), found: String(have[column]) };
  return {
    ...problem,
    part: column,
    message: `the row of ${of} does not say what the log says`,
    ...compared,
  };
}
