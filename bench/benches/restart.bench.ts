/**
 * How long a system is away when its processes die. `TALLY_BENCH_RESTART` lists the sizes of the log in entries,
 * `10000,100000` where it is not set: a million takes a while to make.
 */
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { Bench, BenchContext } from '../bench.ts';
import { Ours } from '../ours.ts';
import { formatNumber, interleave, markdownTable, median } from '../report.ts';

const sizesDefault = '10000,100000';
const customers = 100;
const inFlight = 64;
const processes = ['server', 'signer', 'witness-1', 'witness-2', 'replayer-1'];
const restartMsMax = 120_000;

interface Restart {
  /** Seconds from the start of the server's new process to the first read, and to the first change. */
  reads: number;
  changes: number;
}

/** Issues licenses until the log has `size` entries and all are published. Returns the id of the last one. */
async function grow(ours: Ours, size: number): Promise<string> {
  let last = '';
  const durable = async (): Promise<number> =>
    ((await ours.request('GET', '/v1/log')) as { size: number }).size;
  for (let left = size - (await durable()); left > 0; left = size - (await durable())) {
    const issue = async (): Promise<void> => {
      while (left-- > 0) {
        const answer = await ours.request('POST', '/v1/licenses', { plan: 'pro', licensee: 'Contoso GmbH' });
        last = (answer as { document: { id: string } }).document.id;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, issue));
  }
  await ours.ready();
  return last;
}

/** Kills with SIGKILL, and measures what the next users of the system would see. */
async function killed(ours: Ours, victims: readonly string[], license: string): Promise<Restart> {
  await ours.ready();
  const before = ours.pidOf('server');
  for (const name of victims) process.kill(ours.pidOf(name), 'SIGKILL');
  // The supervisor waits longer before each restart of a process that dies often: that is not what is measured.
  const started = await moment('a new server', async () => ![0, before].includes(ours.pidOf('server')));
  const reads = await moment('reads', async () => {
    if ((await ours.readiness())?.reads.ready !== true) return false;
    await ours.request('GET', `/v1/licenses/${license}`);
    return true;
  });
  const changes = await moment('changes', async () => (await ours.readiness())?.mutations.ready === true);
  await ours.request('POST', '/v1/licenses', { plan: 'pro', licensee: 'Contoso GmbH' });
  return { reads: (reads - started) / 1000, changes: (changes - started) / 1000 };
}

/** When something came true, in milliseconds. Throws where it does not. */
async function moment(what: string, isTrue: () => Promise<boolean>): Promise<number> {
  const deadline = performance.now() + restartMsMax;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${restartMsMax} ms`);
    await after(5);
  }
  return performance.now();
}

async function run(context: BenchContext): Promise<string[]> {
  const sizes = (process.env['TALLY_BENCH_RESTART'] ?? sizesDefault).split(',').map(Number);
  const directory = join(context.directory, 'restart');
  const ours = await Ours.start({ directory, customers, synchronous: 'full' });
  const rows: string[][] = [];
  try {
    for (const size of sizes) {
      const license = await grow(ours, size);
      context.log(`${formatNumber(size)} entries`);
      const { server, all } = await interleave(context.rounds, {
        server: () => killed(ours, ['server'], license),
        all: () => killed(ours, processes, license),
      });
      const seconds = (restarts: readonly Restart[], of: keyof Restart): string =>
        median(restarts.map((each) => each[of])).toFixed(2);
      const figures = [server, all].flatMap((each) => [seconds(each, 'reads'), seconds(each, 'changes')]);
      context.log(figures.join(' '));
      rows.push([formatNumber(size), ...figures]);
    }
  } finally {
    await ours.stop();
  }
  return [
    'A system whose processes end by SIGKILL while it is idle, under the supervisor that starts them again: the ' +
      'server alone, and all five at once. Seconds from the start of the new server process until a license is ' +
      'read over HTTP, and until signer and a quorum have confirmed the log and changes are taken. The supervisor ' +
      `adds 0.1 s before the first restart. Medians of ${context.rounds} rounds in turn.`,
    markdownTable(['entries', 'server: reads', 'server: changes', 'all: reads', 'all: changes'], rows),
  ];
}

export const bench: Bench = { name: 'restart', title: 'Restarting after a crash', run };
