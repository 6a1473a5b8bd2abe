import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Bench, BenchContext } from '../bench.ts';
import { LedgerRig } from '../ledger-rig.ts';
import { formatNumber, markdownTable, median } from '../report.ts';

const IN_FLIGHT = 64;
const WARM_UP = 5000;

interface Rotated {
  ratePerSecond: number;
  /** Milliseconds from asking to durable. */
  rotation: number;
  /** Longest time between two answers, in milliseconds: around the rotation, and away from it. */
  around: number;
  elsewhere: number;
}

/** Half a second to either side of the rotation belongs to it. */
const AROUND_MS = 500;

async function rotateUnderLoad(context: BenchContext): Promise<Rotated> {
  await using rig = await LedgerRig.start(join(context.directory, randomBytes(4).toString('hex')));
  await rig.issue(WARM_UP, IN_FLIGHT);
  const answers: number[] = [];
  const until = performance.now() + context.seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      await rig.run({ type: 'license.issue', plan: 'pro' });
      answers.push(performance.now());
    }
  };
  const load = Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  await new Promise((resolve) => setTimeout(resolve, (context.seconds * 1000) / 2));
  const [key] = rig.ledger.governing.namespace.keys;
  const asked = performance.now();
  await rig.run({ type: 'brake.tighten', until: [{ key: key?.id ?? '' }] });
  const done = performance.now();
  await load;
  const gaps = answers.slice(1).map((at, nth) => ({ at, gap: at - (answers[nth] as number) }));
  const longest = (isAround: boolean): number =>
    Math.max(
      ...gaps
        .filter(({ at }) => (at > asked - AROUND_MS && at < done + AROUND_MS) === isAround)
        .map(({ gap }) => gap),
    );
  return {
    ratePerSecond: answers.length / context.seconds,
    rotation: done - asked,
    around: longest(true),
    elsewhere: longest(false),
  };
}

async function run(context: BenchContext): Promise<string[]> {
  const results: Rotated[] = [];
  for (let round = 0; round < context.rounds; round++) {
    const result = await rotateUnderLoad(context);
    context.log(
      `rotation ${formatNumber(result.rotation, 1)} ms, longest stall ${formatNumber(result.around, 1)} ms`,
    );
    results.push(result);
  }
  const of = (member: keyof Rotated): string =>
    formatNumber(median(results.map((result) => result[member])), member === 'ratePerSecond' ? 0 : 1);
  return [
    `One issuing key hands over to the next in the middle of a load of ${IN_FLIGHT} commands in flight, without HTTP, ` +
      `SQLite with synchronous=FULL, the signer as a process. The longest time between two answers, within half a ` +
      `second of the rotation and in the rest of the ${context.seconds} s. Medians of ${context.rounds} rounds, each on a new log.`,
    markdownTable(
      ['changes/s', 'rotation durable after ms', 'longest stall around it ms', 'longest stall elsewhere ms'],
      [[of('ratePerSecond'), of('rotation'), of('around'), of('elsewhere')]],
    ),
  ];
}

export const bench: Bench = { name: 'rotation', title: 'Rotating the issuing key under load', run };
