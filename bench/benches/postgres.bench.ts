import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { PostgresServer } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { interleave, markdownTable } from '../report.ts';
import { measureBaseline } from './baseline.bench.ts';
import { CUSTOMERS, issueColumns, issueRow, measureOurs } from './issue.bench.ts';

/** How many milliseconds one row takes to be durable there, of many in a row. */
async function commitUs(server: PostgresServer): Promise<string> {
  await server.sql('CREATE TABLE commits (n bigint)');
  const statement = `DO $$ BEGIN FOR n IN 1..300 LOOP INSERT INTO commits VALUES (n); COMMIT; END LOOP; END $$`;
  const started = performance.now();
  await server.sql(statement);
  return `${Math.round(((performance.now() - started) / 300) * 1000)} µs`;
}

async function run(context: BenchContext): Promise<string[]> {
  const single = await PostgresServer.start();
  const nodes = await PostgresServer.cluster(3);
  const [first] = nodes;
  if (first === undefined) throw new Error('a cluster without nodes');
  const base = join(context.directory, randomBytes(4).toString('hex'));
  const start = (name: string, store?: string): Promise<Ours> =>
    Ours.start({
      directory: join(base, name),
      customers: CUSTOMERS,
      synchronous: 'full',
      ...(store !== undefined && { store: { store } }),
    });
  const systems: Ours[] = [];
  try {
    const commits = [await commitUs(single), await commitUs(first)];
    const sqlite = await start('sqlite');
    systems.push(sqlite);
    const one = await start('one', single.url({ durability: 'single-node' }));
    systems.push(one);
    const three = await start('three', first.url());
    systems.push(three);
    const results = await interleave(context.rounds, {
      sqliteBaseline: (round) => measureBaseline(context, 'FULL', round),
      sqlite: () => measureOurs(context, sqlite, true),
      oneBaseline: (round) => measureBaseline(context, 'FULL', round, single.url()),
      one: () => measureOurs(context, one, true),
      threeBaseline: (round) => measureBaseline(context, 'FULL', round, first.url()),
      three: () => measureOurs(context, three, true),
    });
    return [
      `Issuing to ${CUSTOMERS.toLocaleString('en-US')} existing customers over HTTP, as in the table of issuing, on three ` +
        'stores. All nodes of PostgreSQL 18 are on the same two cores and the same disk as everything else, so that ' +
        `three of them write everything three times. ${context.connections} connections, ${context.rounds} interleaved ` +
        `rounds of ${context.seconds} s; medians; cosigners paused. A baseline commits each request by itself on the ` +
        `same engine; on PostgreSQL over 32 connections, whose commits it flushes together. One row durable in PostgreSQL, one after another: ${commits[0]} on one node, ${commits[1]} with ` +
        'one of two standbys.',
      markdownTable(issueColumns, [
        issueRow('baseline, SQLite', results.sqliteBaseline, results.sqliteBaseline),
        issueRow('ours, SQLite', results.sqlite, results.sqliteBaseline),
        issueRow('baseline, PostgreSQL, one node', results.oneBaseline, results.oneBaseline),
        issueRow('ours, PostgreSQL, one node', results.one, results.oneBaseline),
        issueRow('baseline, PostgreSQL, ANY 1 of 2 standbys', results.threeBaseline, results.threeBaseline),
        issueRow('ours, PostgreSQL, ANY 1 of 2 standbys', results.three, results.threeBaseline),
      ]),
    ];
  } finally {
    for (const system of systems) await system.stop();
    for (const server of [single, ...nodes]) await server[Symbol.asyncDispose]();
  }
}

export const bench: Bench = { name: 'postgres', title: 'Issuing on PostgreSQL', run };
