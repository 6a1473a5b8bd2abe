import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Bench, BenchContext } from '../bench.ts';
import type { LoadResult } from '../load-generator.ts';
import { Ours } from '../ours.ts';
import { requireSuccess, runLoad } from '../processes.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';
import { measureBaseline } from './baseline.bench.ts';

export const CUSTOMERS = 10_000;

export async function measureOurs(context: BenchContext, ours: Ours, isPaused: boolean): Promise<LoadResult> {
  if (isPaused) ours.pauseCosigners(true);
  try {
    const { adminUrl, token } = ours.client;
    const result = await runLoad({
      port: Number(new URL(adminUrl).port),
      customers: ours.customersFile,
      target: 'ours',
      token,
      connections: context.connections,
      seconds: context.seconds,
    });
    context.log(
      `ours, cosigners ${isPaused ? 'paused' : 'running'}: ${formatNumber(result.ratePerSecond)}/s`,
    );
    return requireSuccess(result);
  } finally {
    if (isPaused) ours.pauseCosigners(false);
    await ours.ready();
  }
}

export const issueColumns: string[] = ['', 'licenses/s', 'p50 ms', 'p99 ms', 'ratio to the baseline (range)'];

/** A row under `issueColumns`. */
export function issueRow(
  name: string,
  results: readonly LoadResult[],
  baseline: readonly LoadResult[],
): string[] {
  const rates = results.map((result) => result.ratePerSecond);
  const ratios = pairRatios(
    rates,
    baseline.map((result) => result.ratePerSecond),
  );
  return [
    name,
    formatNumber(median(rates)),
    formatNumber(median(results.map((result) => result.p50Ms)), 1),
    formatNumber(median(results.map((result) => result.p99Ms)), 1),
    results === baseline ? '1' : formatRatios(ratios),
  ];
}

async function run(context: BenchContext): Promise<string[]> {
  const directory = join(context.directory, randomBytes(4).toString('hex'));
  const full = await Ours.start({
    directory: join(directory, 'full'),
    customers: CUSTOMERS,
    synchronous: 'full',
  });
  const off = await Ours.start({
    directory: join(directory, 'off'),
    customers: CUSTOMERS,
    synchronous: 'off',
  });
  try {
    const results = await interleave(context.rounds, {
      baseline: (round) => measureBaseline(context, 'FULL', round),
      paused: () => measureOurs(context, full, true),
      running: () => measureOurs(context, full, false),
      baselineOff: (round) => measureBaseline(context, 'OFF', round),
      pausedOff: () => measureOurs(context, off, true),
    });
    return [
      `Issuing to ${CUSTOMERS.toLocaleString('en-US')} existing customers over HTTP, ${context.connections} keep-alive ` +
        `connections, everything on the same cores (load generator included), ${context.rounds} interleaved rounds ` +
        `of ${context.seconds} s; medians. Ours answers when the change is durable, logged, signed and promised.`,
      markdownTable(issueColumns, [
        issueRow('baseline, synchronous=FULL', results.baseline, results.baseline),
        issueRow('ours, cosigners paused', results.paused, results.baseline),
        issueRow('ours, two witnesses and a replayer running', results.running, results.baseline),
        issueRow('baseline, synchronous=OFF', results.baselineOff, results.baselineOff),
        issueRow('ours, synchronous=OFF, cosigners paused', results.pausedOff, results.baselineOff),
      ]),
    ];
  } finally {
    await full.stop();
    await off.stop();
  }
}

export const bench: Bench = { name: 'issue', title: 'Issuing over HTTP beside the baseline', run };
