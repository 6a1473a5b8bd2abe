/** Whether a token that holds every long-lived key bounds how fast licenses are issued. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import type { Bench, BenchContext } from '../bench.ts';
import type { LoadResult } from '../load-generator.ts';
import { Ours, type OursOptions } from '../ours.ts';
import { requireSuccess, runLoad } from '../processes.ts';
import { formatNumber, formatRatios, interleave, markdownTable, median, pairRatios } from '../report.ts';

const CUSTOMERS = 2000;

function makeToken(directory: string): NonNullable<OursOptions['token']> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const hsm = SoftHsm.create(directory);
  const pinFile = join(directory, 'token.pin');
  writeFileSync(pinFile, hsm.pin, { mode: 0o600 });
  return { module: hsm.module, label: hsm.label, pinFile };
}

async function measure(context: BenchContext, ours: Ours): Promise<LoadResult> {
  const { adminUrl, token } = ours.client;
  const result = await runLoad({
    port: Number(new URL(adminUrl).port),
    customers: ours.customersFile,
    target: 'ours',
    token,
    connections: context.connections,
    seconds: context.seconds,
  });
  await ours.ready();
  return requireSuccess(result);
}

async function run(context: BenchContext): Promise<string[]> {
  if (softHsmModule === null) return ['SoftHSM was not installed: nothing was measured.'];
  const directory = join(context.directory, randomBytes(4).toString('hex'));
  const token = makeToken(join(directory, 'token'));
  const common = { customers: CUSTOMERS, synchronous: 'full' } as const;
  const sealed = await Ours.start({ ...common, directory: join(directory, 'sealed') });
  const held = await Ours.start({ ...common, directory: join(directory, 'held'), token });
  try {
    const results = await interleave(context.rounds, {
      sealed: () => measure(context, sealed),
      held: () => measure(context, held),
    });
    const rates = (which: readonly LoadResult[]): number[] => which.map((result) => result.ratePerSecond);
    const row = (name: string, which: readonly LoadResult[]): string[] => [
      name,
      formatNumber(median(rates(which))),
      formatNumber(median(which.map(({ p50Ms }) => p50Ms)), 1),
      formatNumber(median(which.map(({ p99Ms }) => p99Ms)), 1),
      which === results.sealed ? '1' : formatRatios(pairRatios(rates(which), rates(results.sealed))),
    ];
    return [
      'Issuing over HTTP with two witnesses and a replayer running, once with all keys in sealed files and once with ' +
        'log, root and authority keys in a PKCS#11 token (SoftHSM). Issuing keys are in the memory of the signer either ' +
        `way; the log key signs each batch's promise and each checkpoint. ${context.connections} connections, ` +
        `${context.rounds} interleaved rounds of ${context.seconds} s; medians.`,
      markdownTable(
        ['long-lived keys', 'licenses/s', 'p50 ms', 'p99 ms', 'ratio (range)'],
        [row('sealed files', results.sealed), row('PKCS#11 token', results.held)],
      ),
    ];
  } finally {
    await sealed.stop();
    await held.stop();
  }
}

export const bench: Bench = { name: 'custody', title: 'Issuing with keys in a token', run };
