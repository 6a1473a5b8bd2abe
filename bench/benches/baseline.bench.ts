import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Synchronous } from '../baseline/store.ts';
import type { Bench, BenchContext } from '../bench.ts';
import type { LoadResult } from '../load-generator.ts';
import { commandLine, requireSuccess, runLoad, startServer } from '../processes.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';

const CUSTOMERS = 10_000;

/** Starts the baseline on an empty database, of PostgreSQL where a URL is given, loads it, and stops it. */
export async function measureBaseline(
  context: BenchContext,
  synchronous: Synchronous,
  round: number,
  postgres?: string,
): Promise<LoadResult> {
  const token = randomBytes(32).toString('hex');
  const directory = join(context.directory, `baseline-${randomBytes(4).toString('hex')}`);
  await using server = await startServer(
    new URL('../baseline/server.ts', import.meta.url),
    commandLine({
      directory,
      customers: CUSTOMERS,
      token,
      synchronous,
      ...(postgres !== undefined && { postgres }),
    }),
  );
  const result = await runLoad({
    port: Number(server.ready.port),
    customers: String(server.ready.customers),
    target: 'baseline',
    token,
    connections: context.connections,
    seconds: context.seconds,
  });
  context.log(
    `baseline ${postgres === undefined ? synchronous : 'PostgreSQL'} round ${round + 1}: ${formatNumber(result.ratePerSecond)}/s, ` +
      `generator ${result.generatorCpu.toFixed(2)} cores`,
  );
  return requireSuccess(result);
}

function row(name: string, results: readonly LoadResult[]): string[] {
  const rates = results.map((result) => result.ratePerSecond);
  return [
    name,
    formatNumber(median(rates)),
    `${formatNumber(Math.min(...rates))}–${formatNumber(Math.max(...rates))}`,
    formatNumber(median(results.map((result) => result.p50Ms)), 1),
    formatNumber(median(results.map((result) => result.p99Ms)), 1),
    median(results.map((result) => result.generatorCpu)).toFixed(2),
  ];
}

async function run(context: BenchContext): Promise<string[]> {
  const results = await interleave(context.rounds, {
    full: (round) => measureBaseline(context, 'FULL', round),
    off: (round) => measureBaseline(context, 'OFF', round),
  });
  const rates = (variant: readonly LoadResult[]): number[] => variant.map((result) => result.ratePerSecond);
  return [
    'The yardstick: fastify, an EdDSA JWT by jose, and one SQLite transaction per request that inserts the license, ' +
      `its idempotency key and an audit row. ${context.connections} keep-alive connections on the same machine, ` +
      `${CUSTOMERS.toLocaleString('en-US')} customers, ${context.rounds} interleaved rounds of ${context.seconds} s ` +
      'on an empty database after 1 s of warm-up; medians of the rounds.',
    markdownTable(
      ['synchronous', 'licenses/s', 'range', 'p50 ms', 'p99 ms', 'generator cores'],
      [row('FULL', results.full), row('OFF', results.off)],
    ),
    `OFF / FULL per pair of rounds: ${formatRatios(pairRatios(rates(results.off), rates(results.full)))}.`,
  ];
}

export const bench: Bench = {
  name: 'baseline',
  title: 'Issuing with the hand-written baseline',
  run,
};
