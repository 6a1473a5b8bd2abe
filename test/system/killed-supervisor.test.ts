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
  up = await TallyUp.start(system);
  await system.sellPro();
  load = new Load(system, random);
  load.start(clients);
});

afterAll(async () => {
  await load?.stop();
  await up?.stop();
  await system?.[Symbol.asyncDispose]();
});

async function untilNothingRuns(): Promise<void> {
  const none = (): boolean => processesOf(system).length === 0;
  await eventually('all processes to end after their supervisor', none, orphanMsMax).catch(
    (error: unknown) => {
      throw new Error(processesOf(system).join('\n'), { cause: error });
    },
  );
}

async function untilWorkIsDone(changes: number): Promise<void> {
  const goal = load.acknowledged.length + changes;
  const isDone = (): boolean => load.acknowledged.length >= goal || load.faults.length > 0;
  await eventually(`${changes} more changes`, isDone, 30_000);
}

describe.skipIf(process.platform !== 'linux')('a supervisor that is killed', () => {
  it('under load is outlived by none of its processes', async () => {
    expect(processesOf(system)).toHaveLength(5);
    await untilWorkIsDone(60);
    await up.kill();
    await untilNothingRuns();
  });

  it('while it starts is outlived by none either, at whatever moment', async () => {
    for (const ms of [400, 900]) {
      const young = TallyUp.begin(system);
      await sleep(ms + random.below(400));
      await young.kill();
      await untilNothingRuns();
    }
  });

  it('is followed by a new one on the same data at once, which goes on with what clients were at', async () => {
    up = await TallyUp.start(system);
    await untilWorkIsDone(60);
    await up.kill();
    // Without waiting for the end of the processes of the one before, as an impatient operator would.
    up = await TallyUp.start(system);
    await untilWorkIsDone(30);
    await load.stop();
  });

  it('has lost and doubled nothing that was acknowledged, and the log passes its check', async () => {
    await expectLogAsAcknowledged(system, load);
    const { problems, size, published } = await auditAtRest(system, () => up.stop());
    expect(problems).toEqual([]);
    expect(published).toBe(size);
  });
});
