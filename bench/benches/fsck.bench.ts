/**
 * How fast a store is checked. `TALLY_BENCH_FSCK` lists the sizes, `10000,100000` where it is not set: a log of a
 * million entries takes about five minutes to make.
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { type FsckOptions, type FsckParts, type FsckReport, fsck } from '@tallystick/audit';
import { type IndexLicenseKey, Projections, SqliteStore } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import { TestSystem } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import { growLog } from '../grow-log.ts';
import { bareChecks, formatRate, type Rate, rateOf } from '../rate.ts';
import { formatNumber, interleave, markdownTable } from '../report.ts';

const sizesDefault = '10000,100000';
/** As testkit's systems index license keys. */
const indexKey: IndexLicenseKey = (key) => createHmac('sha256', 'test').update(key).digest('base64');

interface Files {
  storeFile: string;
  projectionsFile: string;
}

/** One check by a reader of its own. */
async function check(system: TestSystem, files: Files, level: 'full' | 'hashes'): Promise<Rate> {
  const { identity, trust } = system.world;
  await using store = SqliteStore.open(files.storeFile, { readOnly: true });
  const parts: FsckParts = {
    store,
    storeFile: files.storeFile,
    genesis: trust.genesis,
    ns: identity.namespace.ns,
    keys: onlineKeys(identity.keys).map(({ publicKey }) => publicKey),
    projections: { file: files.projectionsFile, indexKey },
    mark: null,
  };
  const options: FsckOptions = { level, now: Math.floor(Date.now() / 1000) + 1 };
  return await rateOf(async () => {
    const report = await fsck(parts, options);
    requireClean(report);
    return report.size;
  });
}

function requireClean({ ok, problems, skipped }: FsckReport): void {
  if (!ok || skipped.length > 0)
    throw new Error(`the log is not clean: ${JSON.stringify({ problems, skipped })}`);
}

async function run(context: BenchContext): Promise<string[]> {
  const sizes = (process.env['TALLY_BENCH_FSCK'] ?? sizesDefault).split(',').map(Number);
  const files = {
    storeFile: join(context.directory, 'ledger.db'),
    projectionsFile: join(context.directory, 'p.db'),
  };
  const store = SqliteStore.create(files.storeFile, { synchronous: 'off' });
  const projections = new Projections(files.projectionsFile);
  const times = { intervalMs: 200, retryMs: 200 };
  await using system = await TestSystem.start({ store, projections, times });
  await system.sellPro();
  const rows: string[][] = [];
  for (const size of sizes) {
    await growLog(system, size, context.log);
    context.log(`${formatNumber(system.ledger.size)} entries`);
    const rates = await interleave(context.rounds, {
      full: () => check(system, files, 'full'),
      hashes: () => check(system, files, 'hashes'),
      bare: bareChecks,
    });
    const { full, hashes, bare } = rates;
    context.log(`full ${formatRate(full)}, hashes ${formatRate(hashes)}`);
    rows.push([formatNumber(system.ledger.size), ...[full, hashes, bare].map(formatRate)]);
  }
  return [
    'A store of licenses with companions, every tenth one suspended later, checked beside the (idle) server that ' +
      'writes it, on two threads: in full (signatures, documents, rules, projections) and by hashes alone. ' +
      'Beside it the Ed25519 checks that one thread does, and in parentheses the processor time of one in all ' +
      `threads. ${context.rounds} rounds in turn.`,
    markdownTable(['entries', 'full entries/s', '--hashes entries/s', 'Ed25519 checks/s, one thread'], rows),
  ];
}

export const bench: Bench = { name: 'fsck', title: 'Checking a store (fsck)', run };
