/** Sums the rows of the projections' tables as they are. */
import { DatabaseSync } from 'node:sqlite';
import { projectionTables } from '../compare-projections.ts';
import type { TableFacts } from './facts.ts';
import { RowSum, type RowValue } from './row-sum.ts';

/** The tables with all of their columns, in the order in which the rows that are expected have them. */
const columnsOf: Readonly<Record<string, readonly string[]>> = {
  names: ['name', 'id'],
  requests: ['key', 'idx'],
  revisions: ['id', 'rev', 'idx'],
  catalog: ['id', 'type', 'code', 'product', 'state'],
  customers: ['id', 'reference', 'state'],
  licenses: ['id', 'customer', 'plan', 'product', 'state', 'until'],
};

/** The tables in as many shares as there are threads, of about the same number of rows. */
export function shareTables(threads: number): string[][] {
  const shares: string[][] = Array.from({ length: Math.max(1, threads) }, () => []);
  // Every record has a row in `revisions`; most have one in `licenses` and in `names`.
  const large = ['revisions', 'licenses', 'names'];
  const others = projectionTables.map(({ name }) => name).filter((name) => !large.includes(name));
  for (const [at, table] of [...large, ...others].entries()) shares[at % shares.length]?.push(table);
  return shares;
}

/** Throws where there is no such file, or a table has other columns than are expected of it. */
export function sumTables(file: string, sumKey: string, tables: readonly string[]): TableFacts {
  const database = new DatabaseSync(file, { timeout: 5000, readOnly: true });
  try {
    database.exec('BEGIN');
    const { size } = database.prepare('SELECT size FROM cursor').get() as { size: number };
    const sum = new RowSum(sumKey);
    for (const table of tables) {
      const statement = database.prepare(`SELECT * FROM ${table}`);
      // A column that nobody expects would be left out of the comparison.
      const columns = statement.columns().map(({ name }) => name);
      if (columns.join() !== columnsOf[table]?.join())
        throw new Error(`${table} has other columns: ${columns.join()}`);
      statement.setReturnArrays(true);
      for (const row of statement.iterate()) sum.add(table, row as unknown as RowValue[]);
    }
    return { cursor: size, rows: sum.take() };
  } finally {
    database.close();
  }
}
