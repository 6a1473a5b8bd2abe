/**
 * How fast a store is checked. `TALLY_BENCH_FSCK` lists the sizes, `10000,100000` where it is not set: a log of a
 * million entries takes minutes to make.
 */
import { createHmac, generateKeyPairSync, sign, verify } from 'node:crypto';
import { join } from 'node:path';
import { type FsckOptions, type FsckParts, type FsckReport, fsck } from '@tallystick/audit';
import { type IndexLicenseKey, Projections, SqliteStore } from '@tallystick/ledger';
import { SigningKey } from '@tallystick/signer';
import { TestSystem } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import { formatNumber, interleave, markdownTable, median } from '../report.ts';

const sizesDefault = '10000,100000';
const concurrent = 500;
/** As testkit's systems index license keys. */
const indexKey: IndexLicenseKey = (key) => createHmac('sha256', 'test').update(key).digest('base64');

interface Files {
  storeFile: string;
  projectionsFile: string;
}

/** Appends licenses until the log has `size` entries; every tenth one is suspended. */
async function grow(system: TestSystem, size: number): Promise<void> {
  while (system.ledger.size < size) {
    const issued = await Promise.all(
      Array.from({ length: concurrent }, (_, nth) =>
        system.run({
          type: 'license.issue',
          plan: 'pro-yearly',
          licensee: 'Contoso GmbH',
          companion: { order: `O-${nth}`, price: 4900, currency: 'EUR' },
        }),
      ),
    );
    await Promise.all(
      issued
        .filter((_, nth) => nth % 10 === 0)
        .map(({ changes }) =>
          system.run({
            type: 'license.suspend',
            license: changes[0]?.change.subject.id ?? '',
            reason: 'payment',
          }),
        ),
    );
  }
  await system.ledger.whenPublished(system.ledger.size, 60_000);
}

/** One check by a reader of its own, with its rate in entries a second. */
async function check(system: TestSystem, files: Files, level: 'full' | 'hashes'): Promise<number> {
  const { identity, trust } = system.world;
  await using store = SqliteStore.open(files.storeFile, { readOnly: true });
  const parts: FsckParts = {
    store,
    genesis: trust.genesis,
    ns: identity.namespace.ns,
    keys: identity.onlineKeys.map((spec) => new SigningKey(spec).publicKey),
    projections: { file: files.projectionsFile, indexKey },
    mark: null,
  };
  const options: FsckOptions = { level, now: Math.floor(Date.now() / 1000) + 1 };
  const started = performance.now();
  const report = await fsck(parts, options);
  const seconds = (performance.now() - started) / 1000;
  requireClean(report);
  return report.size / seconds;
}

function requireClean({ ok, problems, skipped }: FsckReport): void {
  if (!ok || skipped.length > 0)
    throw new Error(`the log is not clean: ${JSON.stringify({ problems, skipped })}`);
}

/** Signature checks a second on one thread, which two threads cannot do better than twice. */
function bareChecksPerSecond(): number {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const message = new Uint8Array(500);
  const signature = sign(null, message, privateKey);
  const count = 2000;
  const started = performance.now();
  for (let nth = 0; nth < count; nth++)
    if (!verify(null, message, publicKey, signature)) throw new Error('invalid');
  return (count / (performance.now() - started)) * 1000;
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
    await grow(system, size);
    context.log(`${formatNumber(system.ledger.size)} entries`);
    const rates = await interleave(context.rounds, {
      full: () => check(system, files, 'full'),
      hashes: () => check(system, files, 'hashes'),
      bare: async () => bareChecksPerSecond(),
    });
    const { full, hashes, bare } = rates;
    context.log(`full ${formatNumber(median(full))}/s, hashes ${formatNumber(median(hashes))}/s`);
    rows.push([system.ledger.size, median(full), median(hashes), median(bare)].map(formatNumber));
  }
  return [
    'A store of licenses with companions, every tenth one suspended later, checked beside the (idle) server that ' +
      'writes it: in full (signatures on two threads, projections derived again and compared) and by hashes alone. ' +
      `Beside it the Ed25519 checks that one thread does. ${context.rounds} rounds in turn.`,
    markdownTable(['entries', 'full entries/s', '--hashes entries/s', 'Ed25519 checks/s, one thread'], rows),
  ];
}

export const bench: Bench = { name: 'fsck', title: 'Checking a store (fsck)', run };
