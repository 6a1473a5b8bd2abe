/** Sums the rows of the projections' tables as they are. */
import { DatabaseSync } from 'node:sqlite';
import type { TableFacts } from './facts.ts';
import { RowSum, type RowValue } from './row-sum.ts';

/** The tables with the columns that are summed, in the order in which expected rows are. */
const columns: Readonly<Record<string, string>> = {
  names: 'name, id',
  requests: 'key, idx',
  revisions: 'id, rev, idx',
  catalog: 'id, type, code, product, state',
  customers: 'id, reference, state',
  licenses: 'id, customer, plan, product, state, until',
};

/** The tables in as many shares as there are threads, of about the same number of rows. */
export function shareTables(threads: number): string[][] {
  const shares: string[][] = Array.from({ length: Math.max(1, threads) }, () => []);
  // Every record has a row in `revisions`; most have one in `licenses` and in `names`.
  for (const [at, table] of [
    'revisions',
    'licenses',
    'names',
    'requests',
    'catalog',
    'customers',
  ].entries()) {
    shares[at % shares.length]?.push(table);
  }
  return shares;
}

/** Throws where there is no such file, or no such table. */
export function sumTables(file: string, sumKey: string, tables: readonly string[]): TableFacts {
  const database = new DatabaseSync(file, { timeout: 5000, readOnly: true });
  try {
    database.exec('BEGIN');
    const { size } = database.prepare('SELECT size FROM cursor').get() as { size: number };
    const sum = new RowSum(sumKey);
    for (const table of tables) {
      const statement = database.prepare(`SELECT ${columns[table]} FROM ${table}`);
      statement.setReturnArrays(true);
      for (const row of statement.iterate()) sum.add(table, row as unknown as RowValue[]);
    }
    return { cursor: size, rows: sum.take() };
  } finally {
    database.close();
  }
}
