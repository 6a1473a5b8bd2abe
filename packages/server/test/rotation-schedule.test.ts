import { keyFingerprintText } from '@tallystick/core';
import { onlineKeys } from '@tallystick/server';
import { TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RotationSchedule } from '../src/ledger-thread/rotation-schedule.ts';

const dayMs = 86_400_000;
let system: TestSystem;
let now: number;
let alarms: string[];
/** Ids of the issuing keys. */
let keys: string[];

beforeEach(async () => {
  now = Date.now();
  alarms = [];
  system = await TestSystem.start();
  await system.sellPro();
  keys = onlineKeys(system.world.identity.keys)
    .filter(({ usages }) => usages.includes('license'))
    .map(({ publicKey }) => keyFingerprintText(publicKey));
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

function schedule(limits: { days: number | null; entries: number | null }): RotationSchedule {
  return new RotationSchedule(
    system.ledger,
    limits,
    () => now,
    (message) => alarms.push(message),
  );
}

function ended(): string[] {
  return system.ledger.governing.brake.until.map(({ id }) => id);
}

describe('the issuing key', () => {
  it('rotates once it has signed for its days, and the next one begins to count then', async () => {
    const rotation = schedule({ days: 90, entries: null });
    now += 90 * dayMs - 60_000;
    await rotation.check();
    expect(ended()).toEqual([]);
    now += 120_000;
    await rotation.check();
    expect(ended()).toEqual([keys[0]]);
    now -= 60_000;
    await rotation.check();
    expect(ended()).toEqual([keys[0]]);
    const history = await system.ledger.read.history('brake', 99, 1);
    expect(history[0]?.cause).toMatchObject({ who: { kind: 'system', id: 'rotation' } });
    expect(alarms).toEqual([]);
  });

  it('rotates once it has signed its number of entries', async () => {
    const rotation = schedule({ days: null, entries: system.ledger.size + 5 });
    await rotation.check();
    expect(ended()).toEqual([]);
    for (let count = 0; count < 6; count++) await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    await rotation.check();
    expect(ended()).toEqual([keys[0]]);
  });

  it('that has nobody to hand over to goes on, and raises one alarm', async () => {
    const rotation = schedule({ days: null, entries: 1 });
    for (let count = 0; count < 4; count++) {
      await system.run({ type: 'license.issue', plan: 'pro-yearly' });
      await rotation.check();
    }
    expect(ended()).toEqual([keys[0]]);
    expect(alarms).toEqual([expect.stringMatching(/No key would be left/)]);
    await system.run({ type: 'license.issue', plan: 'pro-yearly' });
  });

  it('without limits stays', async () => {
    now += 10_000 * dayMs;
    await schedule({ days: null, entries: null }).check();
    expect(ended()).toEqual([]);
  });
});
