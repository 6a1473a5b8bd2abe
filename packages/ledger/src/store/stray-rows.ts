import type { StrayRow } from './store.ts';

/** What only whoever writes to the database itself puts at an index that no entry has. */
const keyedByIndex: readonly StrayRow['table'][] = ['entries', 'contents', 'causes'];

/**
 * Selects `table` and `index` of the rows that `Store.strayRows` tells. One statement, so that a server which appends
 * meanwhile is seen as it was at one moment.
 *
 * @param prefix what stands before the name of a table
 */
export function strayRowsSql(prefix = ''): string {
  const select = (table: StrayRow['table'], where: string): string =>
    `SELECT '${table}' AS "table", idx AS "index" FROM ${prefix}${table} t WHERE ${where}`;
  const behind = `idx > (SELECT coalesce(max(idx), -1) FROM ${prefix}leaves)`;
  const parts = [
    select('leaves', 'idx < 0'),
    // In two, each of which is a look at one end of a table.
    ...keyedByIndex.flatMap((table) => [select(table, 'idx < 0'), select(table, behind)]),
    select('signed_requests', `NOT EXISTS (SELECT 1 FROM ${prefix}causes c WHERE c.idx = t.idx)`),
  ];
  return `${parts.join(' UNION ALL ')} ORDER BY 2, 1 LIMIT 100`;
}
