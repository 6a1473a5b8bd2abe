/**
 * Two servers on a database of three nodes, witnesses and a replayer, under load, while one thing after the other goes
 * wrong. What clients saw must be explained by one sequential log, after each fault and in the end.
 *
 * `TALLYSTICK_CHAOS_SEED` repeats a run: the same faults in the same order at the same clients. `TALLYSTICK_CHAOS_FAULTS` says
 * how many, or names kinds, separated by commas.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from '../system/support/operator.ts';
import { SeededRandom } from '../system/support/seeded-random.ts';
import { eventually } from '../system/support/waiting.ts';
import { Arena } from './support/arena.ts';
import { Clients } from './support/clients.ts';
import { type Fault, faultsFor } from './support/faults.ts';
import { Judge } from './support/judge.ts';
import { runs, treeOf } from './support/processes.ts';
import { Recovery } from './support/recovery.ts';

const defaultFaults = 50;
const clientCount = 6;
/** One of so many comes together with another one. */
const pairedOf = 5;
/** Between the end of one fault and the next one. */
const calmMs = 150;

const seed = Number(process.env['TALLYSTICK_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const wanted = process.env['TALLYSTICK_CHAOS_FAULTS'] ?? String(defaultFaults);

let arena: Arena;
let clients: Clients;
let judge: Judge;
const recovery = new Recovery();

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

beforeAll(async () => {
  say(`chaos: TALLYSTICK_CHAOS_SEED=${seed} TALLYSTICK_CHAOS_FAULTS='${wanted}'`);
  arena = await Arena.start();
  judge = new Judge(arena);
  clients = new Clients(arena);
  await arena.whole();
});

afterAll(async () => {
  await judge?.stop();
  await arena?.[Symbol.asyncDispose]();
});

/** The faults of this run, in their order. */
async function drawn(random: SeededRandom): Promise<Fault[]> {
  const { faults: all, skipped } = await faultsFor(arena);
  for (const reason of skipped) say(`chaos: skipped, ${reason}`);
  if (!/^\d+$/.test(wanted)) {
    return wanted.split(',').map((kind) => {
      const found = all.find((fault) => fault.kind === kind.trim());
      if (found === undefined)
        throw new Error(`there is no fault "${kind}": ${all.map((fault) => fault.kind).join(', ')}`);
      return found;
    });
  }
  const faults: Fault[] = [];
  while (faults.length < Number(wanted)) {
    const round = all.flatMap((fault) => Array.from({ length: fault.count }, () => fault));
    while (round.length > 0) faults.push(...round.splice(random.below(round.length), 1));
  }
  return faults.slice(0, Number(wanted));
}

/** One or two of them at once. */
function taken(faults: Fault[], random: SeededRandom): Fault[] {
  const first = faults.shift();
  if (first === undefined) return [];
  if (random.below(pairedOf) > 0) return [first];
  const beside = faults.findIndex(({ on }) => on !== first.on);
  return beside < 0 ? [first] : [first, ...faults.splice(beside, 1)];
}

async function suffer(faults: readonly Fault[], random: SeededRandom): Promise<void> {
  const whole = await arena.whole();
  const name = faults.map(({ kind }) => kind).join(' + ');
  say(`chaos: ${name}`);
  const begun = performance.now();
  const running = faults.map((fault) => {
    // One of its own for each, or two at once would share theirs as it happens.
    return fault.run({ arena, random: new SeededRandom(random.below(2 ** 31)), ...whole });
  });
  await Promise.all(running);
  await eventually(
    'something to be acknowledged',
    () => (clients.acknowledgedAt.at(-1) ?? 0) > begun,
    60_000,
  );
  const { follower } = await arena.whole();
  const id = await clients.issuePublished();
  let last = 'nothing';
  await eventually('the server that follows to have it', async () => {
    const answer = await follower.system.admin('GET', `/v1/licenses/${id}`).catch(() => null);
    last = answer === null ? 'nothing' : `${answer.status} ${answer.text}`;
    return answer?.status === 200;
  }).catch(async (error: unknown) => {
    const status = await follower.system
      .admin('GET', '/v1/log')
      .catch((failure: unknown) => ({ text: String(failure) }));
    throw new Error(`${String(error)}; it answered ${last}\n${status.text}\n${arena.lastLines()}`);
  });
  const silence = clients.silence(begun);
  say(
    `chaos:   ${silence.toFixed(0)} ms of silence, whole after ${(performance.now() - begun).toFixed(0)} ms`,
  );
  if (faults.length === 1) recovery.note(name, silence);
}

describe('a history that clients see while', () => {
  it('everything fails, again and again, is explained by one sequential log', async () => {
    const random = new SeededRandom(seed);
    const faults = await drawn(random);
    const kinds = new Set(faults.map(({ kind }) => kind)).size;
    const count = faults.length;
    clients.start(clientCount, seed);
    try {
      while (faults.length > 0) {
        await suffer(taken(faults, random), random);
        expect([...(await judge.problems(clients.seen)), ...clients.oddities]).toEqual([]);
        await new Promise((resolve) => setTimeout(resolve, calmMs));
      }
    } catch (error) {
      // Before the end of what it may take long to end.
      say(`chaos: ${String(error)}`);
      throw error;
    } finally {
      await clients.stop();
      const { length } = clients.acknowledgedAt;
      say(
        `chaos: ${count} faults of ${kinds} kinds, ${length} changes acknowledged, ${clients.seen.length} answers in all`,
      );
      say(recovery.table);
    }
    await arena.whole();
    expect(await judge.problemsAnew(clients.seen)).toEqual([]);
    expect(clients.oddities).toEqual([]);
    expect(judge.checkpoints).toBeGreaterThan(count);
  });
});

describe('afterwards', () => {
  it('the log follows every rule, and the journals of both signers explain it', async () => {
    const operator = new Operator(arena.parties[1].system);
    const { code, stdout } = await operator.tally('fsck', '--all', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true }]);
    const signers = arena.parties.map(({ system }) => join(system.layout.root, 'signer'));
    // What a server that was killed had signed is explained once it follows and has told its signer.
    let incidents: unknown;
    await eventually('the journals to explain the log', async () => {
      const audit = await operator.tally('audit', 'signer', '--all', '--json', '--signer', ...signers);
      ({ incidents } = JSON.parse(audit.stdout) as { incidents: unknown[] });
      return Array.isArray(incidents) && incidents.length === 0;
    }).catch(() => expect(incidents).toEqual([]));
  });

  it('no process is left', async () => {
    const pids = treeOf(process.pid).filter((pid) => pid !== process.pid);
    expect(pids.length).toBeGreaterThan(10);
    await judge.stop();
    await arena[Symbol.asyncDispose]();
    await eventually('all of them to end', () => !pids.some(runs));
  });
});
