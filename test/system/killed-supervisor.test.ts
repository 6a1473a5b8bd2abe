import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { Load } from './support/load.ts';
import { expectLogAsAcknowledged } from './support/outcome.ts';
import { RealSystem } from './support/real-system.ts';
import { SeededRandom } from './support/seeded-random.ts';
import { processesOf, TallyUp } from './support/tally-up.ts';
import { eventually, sleep } from './support/waiting.ts';

const clients = 4;
/** Above the ten seconds after which a process that hangs without its supervisor ends itself. */
const orphanMsMax = 12_000;

let system: RealSystem;
let up: TallyUp;
let load: Load;
let random: SeededRandom;

beforeAll(async () => {
  random = new SeededRandom(SeededRandom.seed('killed supervisor'));
  system = await RealSystem.create();
  load = new Load(system, random);
});

afterAll(async () => {
  await load?.stop();
  await up?.stop();
  await system?.[Symbol.asyncDispose]();
});

/** Resolves when none of these processes runs any more, each given as its id and its command line. */
async function untilEnded(processes: readonly string[]): Promise<void> {
  const left = (): string[] => processesOf(system).filter((each) => processes.includes(each));
  await eventually('processes to end after their supervisor', () => left().length === 0, orphanMsMax).catch(
    (error: unknown) => {
      throw new Error(left().join('\n'), { cause: error });
    },
  );
}

async function untilWorkIsDone(changes: number): Promise<void> {
  const goal = load.acknowledged.length + changes;
  const isDone = (): boolean => load.acknowledged.length >= goal || load.faults.length > 0;
  await eventually(`${changes} more changes`, isDone, 30_000);
}

describe.skipIf(process.platform !== 'linux')('a supervisor that is killed', () => {
  it('while it starts is outlived by none of its processes, at whatever moment', async () => {
    for (const ms of [400, 900]) {
      const young = TallyUp.begin(system);
      await sleep(ms + random.below(400));
      await young.kill();
      await untilEnded(processesOf(system));
    }
  });

  it('under load is outlived by none either', async () => {
    up = await TallyUp.start(system);
    await system.sellPro();
    load.start(clients);
    await untilWorkIsDone(60);
    const running = processesOf(system);
    expect(running).toHaveLength(5);
    // One that takes its time, as on a machine that is busy: it still holds its state when the next one starts.
    const witnesses = (): string[] => processesOf(system).filter((each) => each.includes('/witness-1.json'));
    const slow = witnesses()[0] ?? '';
    process.kill(Number(slow.split(' ')[0]), 'SIGSTOP');
    await up.kill();
    up = TallyUp.begin(system);
    await eventually('the next witness', () => witnesses().some((each) => each !== slow));
    await sleep(1000);
    expect(witnesses()).toContain(slow);
    process.kill(Number(slow.split(' ')[0]), 'SIGCONT');
    await untilEnded(running);
  });

  it('is followed at once by a new one on the same data, which goes on with what clients were at', async () => {
    await up.ready();
    await untilWorkIsDone(60);
    await load.stop();
  });

  it('has lost and doubled nothing that was acknowledged, and the log passes its check', async () => {
    await expectLogAsAcknowledged(system, load);
    const { problems, incidents, size, published } = await auditAtRest(system, () => up.stop());
    expect(problems).toEqual([]);
    expect(incidents).toEqual([]);
    expect(published).toBe(size);
  });
});
