/** The clock of the host that signer and server share is set wrong, and right again. */
import { setTimeout as after } from 'node:timers/promises';
import { utf8 } from '@tallystick/core';
import type { LedgerParts } from '@tallystick/ledger';
import type { Signer } from '@tallystick/signer';
import { startSigner, TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { timeOfEntry } from '../src/content.ts';
import { checkLog } from './support/check-log.ts';

const day = 86_400_000;
let system: TestSystem;
/** Milliseconds that the host's clock is ahead of the cosigners'. */
let wrong: number;
/** The signer that took the place of the first. */
let restarted: Signer | null;
/** What happens once, with the next request of this kind to the signer. */
let when: Partial<Record<'clockProblem' | 'signCheckpoint', () => void>>;

beforeEach(async () => {
  wrong = 0;
  when = {};
  restarted = null;
  const meanwhile = (kind: keyof typeof when): void => {
    const act = when[kind];
    delete when[kind];
    act?.();
  };
  system = await TestSystem.start({
    wrapSigner: (signer) => ({
      ...signer,
      // The clock is set as soon as it was looked at.
      clockProblem: async () => {
        const problem = await asked(signer).clockProblem();
        meanwhile('clockProblem');
        return problem;
      },
      signCheckpoint: (checkpoint, proof) => {
        const signed = asked(signer).signCheckpoint(checkpoint, proof);
        meanwhile('signCheckpoint');
        return signed;
      },
      signBatch: (batch) => asked(signer).signBatch(batch),
      witnessed: (note, isFresh) =>
        restarted === null ? signer.witnessed(note, isFresh) : restarted.witnessed(utf8(note), isFresh),
    }),
    now: () => Date.now() + wrong,
    cosignersNow: () => Date.now(),
    monotonic: () => performance.now(),
    times: { refreshMs: 200 },
  });
  await system.sellPro();
});

afterEach(() => system[Symbol.asyncDispose]());

type Asked = Pick<LedgerParts['signer'], 'clockProblem' | 'signCheckpoint' | 'signBatch'>;

function asked(first: Asked): Asked {
  if (restarted === null) return first;
  const signer = restarted;
  return {
    clockProblem: async () => signer.clockProblem(),
    signCheckpoint: (checkpoint, proof) => signer.signCheckpoint(checkpoint, proof),
    signBatch: (batch) => signer.signBatch(batch),
  };
}

function restartSigner(): void {
  const { world } = system;
  const { log, issuing, brake, lease } = world.identity.keys;
  const keys = [...log, ...issuing, brake, lease];
  restarted = startSigner(keys, world, [world.trust], world.now, { monotonic: () => performance.now() });
}

const issue = () => system.submit({ type: 'license.issue', plan: 'pro-yearly' });

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('it does not come about');
    await after(2);
  }
}

/** A time from the future would keep every replayer from cosigning until then. */
async function expectPast(): Promise<void> {
  const { store } = system.world;
  await system.ledger.whenPublished(system.ledger.size, 5000);
  for (const entry of await store.entries(0, Number.MAX_SAFE_INTEGER))
    expect(timeOfEntry(entry) ?? 0, `entry ${entry.index}`).toBeLessThan(Date.now() + 1000);
  await checkLog(store);
}

/** Changes that are asked for one after the other while `during` goes on; how many were made. */
async function issueDuring(during: () => Promise<void>): Promise<number> {
  let made = 0;
  const done = during().then(() => null);
  for (;;) {
    const outcomes = await Promise.allSettled([issue(), issue(), issue()]);
    made += outcomes.filter(({ status }) => status === 'fulfilled').length;
    if ((await Promise.race([done, after(1)])) === null) return made;
  }
}

describe('a clock that is set', () => {
  it.each([
    ['a day ahead', day],
    ['a day back', -day],
    ['ten seconds ahead', 10_000],
  ])(
    '%s stops log and changes, says so, and all goes on by itself once it is right',
    async (_what, error) => {
      const { mark } = system.world;
      let frozen = 0;
      const made = await issueDuring(async () => {
        await after(30);
        wrong = error;
        await until(() => system.ledger.mutations?.problem === 'clock_differs');
        frozen = mark.checkpoint.size;
        const { asOf } = system.ledger.published!;
        await until(() => system.ledger.published!.asOf > asOf);
        await expect(issue()).rejects.toMatchObject({
          problem: 'clock_differs',
          message: expect.stringMatching(/clock and the cosigners' differ by/) as string,
        });
        expect(mark.checkpoint.size).toBe(frozen);
        wrong = 0;
        await until(() => system.ledger.mutations === null);
      });
      expect(made).toBeGreaterThan(0);
      await system.ledger.whenPublished(system.ledger.size, 5000);
      await issue();
      await expectPast();
    },
  );

  it('leaves no time of a refused change behind', async () => {
    await system.ledger.whenPublished(system.ledger.size, 5000);
    wrong = day;
    await expect(issue()).rejects.toMatchObject({ message: expect.stringMatching(/clock/) as string });
    wrong = 0;
    await until(() => system.ledger.mutations === null);
    await issue();
    await expectPast();
  });

  it('between a look at it and a map root writes no time into the log', async () => {
    await issue();
    when.clockProblem = () => {
      wrong = day;
    };
    await until(() => system.ledger.mutations?.problem === 'clock_differs');
    wrong = 0;
    await system.ledger.whenPublished(system.ledger.size, 5000);
    await expectPast();
  });

  it('stays wrong to a signer that is started anew meanwhile', async () => {
    await issue();
    wrong = day;
    await until(() => system.ledger.mutations?.problem === 'clock_differs');
    for (let count = 0; count < 5; count++) {
      restartSigner();
      await after(20);
      await expect(issue()).rejects.toMatchObject({ problem: 'clock_differs' });
    }
    wrong = 0;
    await until(() => system.ledger.mutations === null);
    await issue();
    await expectPast();
  });

  it('is no matter to a signer that is started anew while it is right', async () => {
    for (let count = 0; count < 5; count++) {
      restartSigner();
      await after(10);
      await issue();
    }
    await expectPast();
  });

  it('back while a checkpoint is made does not put off the next try until then', async () => {
    await issue();
    when.signCheckpoint = () => {
      wrong = -day;
    };
    await until(() => system.ledger.mutations?.problem === 'clock_differs');
    wrong = 0;
    await system.ledger.whenPublished(system.ledger.size, 5000);
  });

  it('right again does not keep an idle log from asking for fresh cosignatures', async () => {
    wrong = day;
    await until(() => system.ledger.mutations?.problem === 'clock_differs');
    const { asOf } = system.ledger.published!;
    await until(() => system.ledger.published!.asOf > asOf);
    let looks = 0;
    when.clockProblem = () => {
      looks += 1;
      wrong = 0;
    };
    await until(() => looks > 0 && system.ledger.mutations === null);
    const later = system.ledger.published!.asOf;
    await until(() => system.ledger.published!.asOf > later + 1);
  });
});
