import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { formatNumber, median } from './report.ts';

/** How fast work on many like things is. */
export interface Rate {
  perSecond: number;
  /** Microseconds of processor time for each, in all threads: other work on the machine hardly changes it. */
  processorUs: number;
}

/** `work` is on as many things as it returns. */
export async function rateOf(work: () => Promise<number>): Promise<Rate> {
  const before = process.cpuUsage();
  const started = performance.now();
  const count = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { perSecond: count / seconds, processorUs: (user + system) / count };
}

/** Ed25519 checks on one thread: nothing that checks a signature per entry can do more there. */
export function bareChecks(): Promise<Rate> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const message = new Uint8Array(500);
  const signature = sign(null, message, privateKey);
  const count = 5000;
  return rateOf(async () => {
    for (let nth = 0; nth < count; nth++)
      if (!verify(null, message, publicKey, signature)) throw new Error('invalid');
    return count;
  });
}

/** The medians of several rounds, as `15,873 (63 µs)`. */
export function formatRate(rounds: readonly Rate[]): string {
  const perSecond = median(rounds.map((rate) => rate.perSecond));
  const processorUs = median(rounds.map((rate) => rate.processorUs));
  return `${formatNumber(perSecond)} (${formatNumber(processorUs, processorUs < 10 ? 1 : 0)} µs)`;
}
