import { describe, expect, it } from 'vitest';
import { openPin, PromiseKeeper } from '../src/index.ts';
import { day, startMs, World } from './support/world.ts';

async function setUp() {
  const world = await World.create();
  const keeper = new PromiseKeeper(await openPin(world.trustFile));
  const index = await world.change();
  const promise = await world.promise(index, world.leafAt(index), startMs + day);
  return { world, keeper, index, promise };
}

describe('a promise', () => {
  it('is honored by the file that shows its entry', async () => {
    const { world, keeper, promise } = await setUp();
    await keeper.keep(promise);
    await keeper.keep(promise);
    expect(keeper.promises).toEqual([promise]);
    expect(await keeper.settle(world.bundle(await world.publish()), 'acme')).toEqual({
      honored: [promise],
      broken: [],
    });
    expect(keeper.promises).toEqual([]);
  });

  it('is broken by a later checkpoint that does not cover it', async () => {
    const { world, keeper } = await setUp();
    const size = world.size + 1;
    const late = await world.promise(size, new Uint8Array(32), startMs + day);
    await keeper.keep(late);
    const early = world.bundle(await world.publish(startMs + day));
    expect(await keeper.settle(early, 'acme')).toEqual({ honored: [], broken: [] });
    const twin = await setUp();
    await expect(keeper.settle(twin.world.bundle(await twin.world.publish()), 'acme')).rejects.toThrow();
    // The log stands still: its next checkpoint is of the same size and of a later time.
    const again = world.bundle(await world.republish(startMs + day + 1000));
    const { broken } = await keeper.settle(again, 'acme');
    expect(broken).toMatchObject([{ why: 'late', promise: late, bundle: again }]);
    expect(keeper.promises).toEqual([]);
  });

  it('is broken by another entry in its place', async () => {
    const { world, keeper, index } = await setUp();
    await keeper.keep(await world.promise(index, new Uint8Array(32), startMs + day));
    const { broken } = await keeper.settle(world.bundle(await world.publish()), 'acme');
    expect(broken).toMatchObject([{ why: 'other_entry', statement: { index } }]);
  });

  it('stays open while the log covers it without showing it, until it is forgotten', async () => {
    const { world, keeper, promise } = await setUp();
    await keeper.keep(promise);
    await world.change();
    expect(await keeper.settle(world.bundle(await world.publish(startMs + 9 * day)), 'acme')).toEqual({
      honored: [],
      broken: [],
    });
    expect(keeper.promises).toEqual([promise]);
    keeper.forget(promise);
    expect(keeper.promises).toEqual([]);
  });

  it('of another log is not kept', async () => {
    const [{ keeper }, other] = await Promise.all([setUp(), setUp()]);
    await expect(keeper.keep(other.promise)).rejects.toMatchObject({ code: 'LOG_SIGNATURE_INVALID' });
  });

  it('survives being stored, and damage to it is reported', async () => {
    const { world, keeper, promise } = await setUp();
    await keeper.keep(promise);
    const pin = await openPin(world.trustFile);
    const text = keeper.toText();
    expect((await PromiseKeeper.parse(pin, text)).promises).toEqual([promise]);
    for (const each of [
      '',
      '{}',
      'null',
      '{"v":1,"promises":[{}]}',
      text.replace('"index":3', '"index":4'),
    ]) {
      await expect(PromiseKeeper.parse(pin, each)).rejects.toMatchObject({
        name: 'StoreError',
        code: 'damaged',
      });
    }
  });
});
