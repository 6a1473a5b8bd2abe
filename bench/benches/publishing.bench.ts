/** From a change to its published checkpoint, by what root, log and cosigners sign with. */
import { join } from 'node:path';
import type { SystemAlgorithms } from '@tallystick/server';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { formatNumber, interleave, markdownTable, median, percentile } from '../report.ts';

/** Milliseconds between checkpoints: short, so that signing is what one waits for. */
const INTERVAL_MS = 10;
/** As by default. */
const USUAL_MS = 200;

const variants: readonly [string, SystemAlgorithms, number][] = [
  ['Ed25519', ['ed25519'], INTERVAL_MS],
  ['Ed25519 and ML-DSA-44', ['ed25519', 'ml-dsa-44'], INTERVAL_MS],
  ['Ed25519 and ML-DSA-44', ['ed25519', 'ml-dsa-44'], USUAL_MS],
];

interface Latencies {
  p50: number;
  p99: number;
}

/** One license after another, each until it is published. */
async function issueInTurn(ours: Ours, seconds: number): Promise<Latencies> {
  const samples: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const started = performance.now();
    await ours.request('POST', '/v1/licenses?wait=published', { plan: 'pro', licensee: 'Contoso GmbH' });
    samples.push(performance.now() - started);
  }
  const sorted = samples.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99) };
}

async function run({ directory, rounds, seconds }: BenchContext): Promise<string[]> {
  const systems: Ours[] = [];
  try {
    for (const [name, algorithms, intervalMs] of variants) {
      const folder = join(directory, `${name.replaceAll(' ', '-')}-${intervalMs}`);
      const options = { directory: folder, customers: 1, synchronous: 'full', algorithms } as const;
      systems.push(await Ours.start({ ...options, intervalMs }));
    }
    const works = Object.fromEntries(
      systems.map((ours, at) => [String(at), () => issueInTurn(ours, seconds)]),
    );
    const results = await interleave(rounds, works);
    return [
      'Licenses issued over HTTP one after another, each from the request until its checkpoint is cosigned by two witnesses ' +
        `and a replayer, which are processes of their own. A checkpoint every ${USUAL_MS} ms is the default; with one every ` +
        `${INTERVAL_MS} the wait for it is short. Three systems in turn, medians of ${rounds} rounds of ${seconds} s.`,
      markdownTable(
        ['root, log and cosigners', 'checkpoint every ms', 'published p50 ms', 'p99 ms'],
        variants.map(([name, , intervalMs], at) => {
          const of = results[String(at)] ?? [];
          return [
            name,
            String(intervalMs),
            ...(['p50', 'p99'] as const).map((part) => formatNumber(median(of.map((each) => each[part])), 1)),
          ];
        }),
      ),
    ];
  } finally {
    for (const ours of systems) await ours.stop();
  }
}

export const bench: Bench = { name: 'publishing', title: 'Publishing by algorithms', run };
