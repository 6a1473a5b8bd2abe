/** Who writes, as servers tell it each other: on a real database, with clocks that the test sets. */
import { setTimeout as after } from 'node:timers/promises';
import { PostgresServer } from '@tallystick/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StoreLocked } from '../src/index.ts';
import { HeldLease, LeaseWatch, PostgresStore } from '../src/store/postgres/index.ts';

const times = { leaseMs: 2000, beatMs: 20 };

let database: PostgresServer;
let url: string;
let opened = 0;
let store: PostgresStore;
let lease: HeldLease;
let time: { monotonic: number; now: number };
let ended: AsyncDisposable[] = [];

const clock = { monotonic: () => time.monotonic, now: () => time.now };

beforeAll(async () => {
  database = await PostgresServer.start();
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

beforeEach(async () => {
  opened += 1;
  url = database.url({ durability: 'single-node', schema: `lease_${opened}` });
  time = { monotonic: 1000, now: 1_800_000_000_000 };
  store = await PostgresStore.create({ url, holder: 'one', address: 'http://one' });
  lease = new HeldLease({ url, holder: 'one' }, times, clock);
  ended = [lease, store];
  return async () => {
    for (const each of ended) await each[Symbol.asyncDispose]();
  };
});

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries++) {
    if (tries > 2000) throw new Error('it did not come about');
    await after(5);
  }
}

/** So much time goes by that only a beat sent after it, and answered, keeps the lease; each waits for the one before. */
async function beaten(): Promise<void> {
  time.monotonic += times.leaseMs;
  await until(() => lease.isHeld);
}

/** Another server has it, whatever this one believes. */
async function takeOver(): Promise<void> {
  const other = await PostgresStore.open({ url, holder: 'two', takeOver: true, address: 'http://two' });
  ended.push(other);
}

describe('a server that has the lease', () => {
  it('knows that it lost it as soon as it asks, however little time has passed', async () => {
    await takeOver();
    await until(() => !lease.isHeld);
  });

  it('does not have it after a sleep during which only the day went on', async () => {
    expect(lease.isHeld).toBe(true);
    time.now += 60_000;
    expect(lease.isHeld).toBe(false);
    await until(() => lease.isHeld);
  });

  it('does not lose it to a clock that is set back', async () => {
    time.now -= 60_000;
    expect(lease.isHeld).toBe(true);
    time.monotonic += times.leaseMs;
    expect(lease.isHeld).toBe(false);
  });

  it('keeps it while it offers it, and another one may have it then', async () => {
    const watch = new LeaseWatch({ url }, times, clock.monotonic);
    ended.push(watch);
    const look = async (): Promise<boolean> => (await watch.look()).isFree;
    expect(await look()).toBe(false);
    await beaten();
    expect(await look()).toBe(false);
    lease.offer();
    // What was on its way when it was offered has arrived by then.
    await beaten();
    await look();
    time.monotonic += times.leaseMs;
    expect(await look()).toBe(true);
    await until(() => lease.isHeld);
    await takeOver();
    await until(() => !lease.isHeld);
  });
});

describe('a lease that nobody has', () => {
  it('is not taken beside a server that shares its log with nobody and is running', async () => {
    const { epoch } = await new LeaseWatch({ url }, times, clock.monotonic).look();
    await lease[Symbol.asyncDispose]();
    ended = [store];
    const taking = { url, holder: 'two', address: 'http://two', takeOver: { epoch, isLeft: true } };
    await expect(PostgresStore.open(taking)).rejects.toThrow(StoreLocked);
    await store.saveSigned({ size: 1, note: 'still writes' });
    await store[Symbol.asyncDispose]();
    ended = [await PostgresStore.open(taking)];
  });
});
