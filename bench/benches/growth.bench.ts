import { join } from 'node:path';
import type { Bench, BenchContext } from '../bench.ts';
import { LedgerRig } from '../ledger-rig.ts';
import { formatNumber, markdownTable, median } from '../report.ts';

/** GROWTH=1000000 measures up to a million, which takes minutes. */
const sizes = [10_000, 100_000, 1_000_000].filter((size) => size <= Number(process.env.GROWTH ?? 100_000));
const measured = 20_000;
const singles = 200;

interface Sample {
  subjects: number;
  perSecond: number;
  oneChangeMs: number;
  publishedMs: number;
  bundleBytes: number;
  residentMb: number;
  restartMs: number;
}

async function sample(rig: LedgerRig, subjects: number): Promise<Sample> {
  const started = performance.now();
  await rig.issue(measured);
  const perSecond = measured / ((performance.now() - started) / 1000);
  await rig.ready();
  const durable: number[] = [];
  const published: number[] = [];
  let id = '';
  for (let at = 0; at < singles; at++) {
    const begun = performance.now();
    const { changes } = await rig.run({ type: 'license.issue', plan: 'pro' });
    durable.push(performance.now() - begun);
    if (at < 20) {
      await rig.ledger.whenPublished((changes[0]?.index ?? 0) + 1, 60_000);
      published.push(performance.now() - begun);
    }
    id = changes[0]?.change.subject.id ?? '';
  }
  await rig.ready();
  const bundleBytes = (await rig.ledger.bundle(id)).length;
  globalThis.gc?.();
  const residentMb = process.memoryUsage().rss / 1e6;
  const restartMs = await rig.restart();
  return {
    subjects,
    perSecond,
    oneChangeMs: median(durable),
    publishedMs: median(published),
    bundleBytes,
    residentMb,
    restartMs,
  };
}

async function run(context: BenchContext): Promise<string[]> {
  await using rig = await LedgerRig.start(join(context.directory, 'growth'));
  const samples: Sample[] = [];
  for (const size of sizes) {
    await rig.issue(Math.max(0, size - rig.ledger.size - measured));
    samples.push(await sample(rig, size));
    context.log(JSON.stringify(samples.at(-1)));
  }
  const rows = samples.map((each) => [
    formatNumber(each.subjects),
    formatNumber(each.perSecond),
    each.oneChangeMs.toFixed(2),
    each.publishedMs.toFixed(0),
    formatNumber(each.bundleBytes),
    formatNumber(each.residentMb),
    (each.restartMs / 1000).toFixed(1),
  ]);
  const titles = [
    'subjects',
    'changes/s',
    'one change ms',
    'published ms',
    'file B',
    'resident MB',
    'restart s',
  ];
  return [
    'Sequencing without HTTP: commands into the ledger with 256 in flight, SQLite with synchronous=FULL, the signer as ' +
      'a process, publishing every 200 ms with cosigners in this process. "One change" and "published" are medians ' +
      'of single changes from submission to durable and to published; "restart" is from opening to taking changes. ' +
      'Resident memory is that of the whole process, this driver included.',
    markdownTable(titles, rows),
  ];
}

export const bench: Bench = { name: 'growth', title: 'Sequencing and growth', run };
