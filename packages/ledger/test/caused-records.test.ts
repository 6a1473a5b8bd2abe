/** Records read in a row with what caused them, as whoever reads them one by one finds it. */
import { isPlainEntry } from '@tallystick/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CrashingSystem } from './support/crashing-system.ts';

let system: CrashingSystem;
/** Log indexes of records. */
let records: number[];

beforeEach(async () => {
  system = await CrashingSystem.start();
  await system.sell();
  for (let nth = 0; nth < 3; nth++) {
    const license = await system.make({ type: 'license.issue', plan: 'pro' });
    await system.make({ type: 'license.replace', license });
    // With a map root behind it.
    if (nth === 1) await system.ready();
  }
  const entries = await system.store.entryBytes(0, system.ledger.size);
  records = entries.flatMap((entry, index) => (isPlainEntry(entry) ? [] : [index]));
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

it('are the same wherever a range begins and ends', async () => {
  const { read, size } = system.ledger;
  const single = await Promise.all(records.map(async (index) => ({ index, ...(await read.causeOf(index)) })));
  expect(single.some(({ index, first }) => first < index)).toBe(true);
  expect(records.length).toBeLessThan(size - 1);
  for (let from = 0; from <= size; from++) {
    for (let to = from; to <= size + 1; to++) {
      const caused = await read.causedBetween(from, to);
      expect(caused.map(({ index, first, cause }) => ({ index, first, cause }))).toEqual(
        single.filter(({ index }) => index >= from && index < to),
      );
    }
  }
});

it('are refused where an entry, a cause or the place of one is not what was logged', async () => {
  const { read, size } = system.ledger;
  const { store } = system;
  const causes = store.causes.bind(store);
  const all = async (): Promise<unknown> => read.causedBetween(0, size);
  const [pair = 0] = (await causes(0, size)).flatMap((cause) => (cause.records === 2 ? [cause.index] : []));
  for (const replaced of [
    { index: pair, records: 1 },
    { index: pair, records: 3 },
    { index: pair, salt: new Uint8Array(32) },
    { index: pair, document: new TextEncoder().encode('{}') },
  ]) {
    store.causes = async (from, to) =>
      (await causes(from, to)).map((cause) => (cause.index === pair ? { ...cause, ...replaced } : cause));
    await expect(all()).rejects.toThrow(/cause/);
  }
  store.causes = async (from, to) => (await causes(from, to)).filter(({ index }) => index !== pair);
  await expect(read.causedBetween(pair, size)).resolves.toBeDefined();
  await expect(all()).rejects.toThrow('its cause is missing');
  store.causes = causes;
  const entryBytes = store.entryBytes.bind(store);
  store.entryBytes = async (from, limit) => (await entryBytes(from, limit)).slice(0, -1);
  await expect(all()).rejects.toThrow('the entry is missing');
  store.entryBytes = async (from, limit) =>
    (await entryBytes(from, limit)).map((entry) => entry.map((byte, at) => (at === 30 ? byte ^ 1 : byte)));
  await expect(all()).rejects.toThrow('not the one logged');
});
