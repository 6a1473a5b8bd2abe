import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';
import { CUSTOMERS, measureOurs } from './issue.bench.ts';

async function run(context: BenchContext): Promise<string[]> {
  const directory = join(context.directory, randomBytes(4).toString('hex'));
  const start = (name: string, isGateOpen: boolean): Promise<Ours> =>
    Ours.start({ directory: join(directory, name), customers: CUSTOMERS, synchronous: 'full', isGateOpen });
  const judged = await start('judged', false);
  const open = await start('open', true);
  try {
    const results = await interleave(context.rounds, {
      open: () => measureOurs(context, open, true),
      judged: () => measureOurs(context, judged, true),
    });
    const rates = (name: keyof typeof results): number[] => results[name].map((each) => each.ratePerSecond);
    const row = (title: string, name: keyof typeof results): string[] => [
      title,
      formatNumber(median(rates(name))),
      formatNumber(median(results[name].map((each) => each.p50Ms)), 1),
      formatNumber(median(results[name].map((each) => each.p99Ms)), 1),
      name === 'open' ? '1' : formatRatios(pairRatios(rates(name), rates('open'))),
    ];
    return [
      `Issuing over HTTP with ${context.connections} connections, cosigners paused, ${context.rounds} interleaved rounds ` +
        `of ${context.seconds} s; medians. The server without judgment is one that only this benchmark can start.`,
      markdownTable(
        ['', 'licenses/s', 'p50 ms', 'p99 ms', 'ratio (range)'],
        [
          row('nobody judged, cause without a decision', 'open'),
          row('every request judged, decision in the cause', 'judged'),
        ],
      ),
    ];
  } finally {
    await judged.stop();
    await open.stop();
  }
}

export const bench: Bench = { name: 'gate', title: 'Issuing with and without the gate', run };
