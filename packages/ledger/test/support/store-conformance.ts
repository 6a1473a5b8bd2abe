/** What every store promises (see the comment of `Store`), as tests that each driver has to pass. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AppendBatch, type Store, StoreConflict, type StoredContent } from '../../src/index.ts';
import { batchAt, causeAt, entriesPerBatch, entryAt, plainEntryAt } from './store-batches.ts';

export interface StoreDriver {
  /** An empty store. */
  create(): Promise<Store>;
  /** The store that was created last, opened again after it was closed; null for one that keeps nothing. */
  reopen: (() => Promise<Store>) | null;
  /** Removes what the last store left. */
  remove(): Promise<void>;
}

export function describeStore(name: string, driver: StoreDriver): void {
  describe(name, () => {
    let store: Store;

    beforeEach(async () => {
      store = await driver.create();
    });

    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await driver.remove();
    });

    const fill: Fill = async (batches) => {
      for (let nth = 0; nth < batches; nth++) await store.append(batchAt(nth * entriesPerBatch));
    };

    describeAppends(() => store, fill);
    describeReads(() => store, fill);
    describeShredding(() => store, fill);
    describeCheckpoints(() => store, fill);

    const { reopen } = driver;
    if (reopen === null) return;
    it('holds the same after it was closed and opened again', async () => {
      await fill(2);
      await store.shred([1]);
      await store.saveCheckpoint({ size: 4, note: 'four', at: '2026-01-01T00:00:00.000Z' });
      const before = [await store.entries(0, 100), await store.causes(0, 100), await store.checkpoint()];
      await store[Symbol.asyncDispose]();
      store = await reopen();
      expect([await store.entries(0, 100), await store.causes(0, 100), await store.checkpoint()]).toEqual(
        before,
      );
      await store.append(batchAt(6));
      expect(await store.size()).toBe(9);
    });
  });
}

type Fill = (batches: number) => Promise<void>;

/** Values that no driver can take in, at several places of a batch. */
const halfWay: readonly [string, (batch: AppendBatch) => AppendBatch][] = [
  [
    'its last entry',
    (batch) => ({ ...batch, entries: [...batch.entries.slice(0, -1), broken(batch.entries.at(-1))] }),
  ],
  ['its first cause', (batch) => ({ ...batch, causes: batch.causes.map(broken) })],
  [
    'what was signed for a cause',
    (batch) => ({
      ...batch,
      causes: [
        ...batch.causes,
        { ...causeAt(batch.size + 1), signed: broken(causeAt(0).signed ?? {}) as never },
      ],
    }),
  ],
  ['a second cause', (batch) => ({ ...batch, causes: [...batch.causes, broken(causeAt(batch.size + 1))] })],
];

function broken<T extends object>(part: T | undefined): T {
  return { ...(part as T), salt: () => 0, entry: () => 0 };
}

function describeAppends(current: () => Store, fill: Fill): void {
  it('begins empty', async () => {
    const store = current();
    expect(await store.size()).toBe(0);
    expect(await store.entries(0, 10)).toEqual([]);
    expect(await store.checkpoint()).toBeUndefined();
  });

  it.each([0, 1, 2, 4, 6, 100])('appends where the log ends, at 3, and not at %i', async (size) => {
    const store = current();
    await fill(1);
    await expect(store.append(batchAt(size))).rejects.toBeInstanceOf(StoreConflict);
    expect(await store.size()).toBe(3);
    expect(await store.causes(0, 1000)).toHaveLength(1);
    await store.append(batchAt(3));
    expect(await store.size()).toBe(6);
  });

  it.each(halfWay)('takes in nothing of a batch that fails at %s', async (_where, breakIt) => {
    const store = current();
    await fill(1);
    await expect(store.append(breakIt(batchAt(3)))).rejects.toThrow();
    expect(await store.size()).toBe(3);
    expect(await store.entries(0, 100)).toHaveLength(3);
    expect(await store.leaves(3, 100)).toEqual([]);
    expect(await store.causes(0, 100)).toEqual([causeAt(0, 3)]);
    await store.append(batchAt(3));
    expect(await store.entries(3, 100)).toEqual(batchAt(3).entries);
  });

  it('keeps what it was given, also when the caller goes on with the bytes', async () => {
    const store = current();
    const batch = batchAt(0);
    await store.append(batch);
    for (const { entry, leaf } of batch.entries) {
      entry.fill(0);
      leaf.fill(0);
    }
    expect(await store.entries(0, 10)).toEqual(batchAt(0).entries);
  });
}

function describeReads(current: () => Store, fill: Fill): void {
  it('reads entries, leaves and causes as they were appended, with and without content', async () => {
    const store = current();
    await fill(2);
    await store.append({ size: 6, entries: [plainEntryAt(6), entryAt(7)], causes: [causeAt(7)] });
    const all = [...batchAt(0).entries, ...batchAt(3).entries, plainEntryAt(6), entryAt(7)];
    expect(await store.entries(0, 100)).toEqual(all);
    expect(await store.leaves(0, 100)).toEqual(
      all.map(({ index, leaf, subject, rev }) => ({ index, leaf, subject, rev })),
    );
    expect(await store.causes(0, 100)).toEqual([causeAt(0, 3), causeAt(3, 3), causeAt(7)]);
    expect(await store.entry(7)).toEqual(entryAt(7));
    expect(await store.entryBytes(2, 5)).toEqual(all.slice(2, 7).map(({ entry }) => entry));
    expect(await store.entryBytes(8, 5)).toEqual([]);
    expect(await store.cause(3)).toEqual(causeAt(3, 3));
  });

  it('reads no more than was asked for, and nothing where there is nothing', async () => {
    const store = current();
    await fill(3);
    expect((await store.entries(2, 4)).map(({ index }) => index)).toEqual([2, 3, 4, 5]);
    expect((await store.leaves(7, 4)).map(({ index }) => index)).toEqual([7, 8]);
    expect(await store.entries(9, 4)).toEqual([]);
    expect(await store.entry(9)).toBeUndefined();
    expect(await store.cause(1)).toBeUndefined();
    expect((await store.causes(3, 6)).map(({ index }) => index)).toEqual([3]);
    expect(await store.causes(4, 6)).toEqual([]);
  });
}

function describeShredding(current: () => Store, fill: Fill): void {
  it('shreds content, what was signed for it, and nothing else, twice as well as once', async () => {
    const store = current();
    await fill(2);
    await store.append({ size: 6, entries: [plainEntryAt(6)], causes: [] });
    await store.shred([1, 4]);
    await store.shred([4]);
    await store.shred([]);
    const shredded = (index: number): StoredContent => ({
      ...(entryAt(index, index < 3 ? 0 : 3).content as StoredContent),
      salt: null,
      document: null,
      companionSalt: null,
      companion: null,
    });
    const expected = [...batchAt(0).entries, ...batchAt(3).entries, plainEntryAt(6)].map((entry) =>
      [1, 4].includes(entry.index) ? { ...entry, content: shredded(entry.index) } : entry,
    );
    expect(await store.entries(0, 100)).toEqual(expected);
    expect(await store.causes(0, 100)).toEqual([{ ...causeAt(0, 3), signed: null }, causeAt(3, 3)]);
    await store.append({ size: 7, entries: [entryAt(7), entryAt(8)], causes: [causeAt(7), causeAt(8)] });
    await store.shred([7]);
    expect(await store.causes(7, 100)).toEqual([causeAt(7), causeAt(8)]);
    expect(causeAt(8).signed).not.toBeNull();
  });
}

function describeCheckpoints(current: () => Store, fill: Fill): void {
  it('gives the largest checkpoint of at most a size', async () => {
    const store = current();
    await fill(3);
    for (const size of [0, 4, 7])
      await store.saveCheckpoint({ size, note: `note ${size}`, at: `at ${size}` });
    const found = await Promise.all([0, 3, 4, 6, 7, 100].map((size) => store.checkpoint(size)));
    expect(found.map((checkpoint) => checkpoint?.size)).toEqual([0, 0, 4, 4, 7, 7]);
    expect({ ...(await store.checkpoint()) }).toEqual({ size: 7, note: 'note 7', at: 'at 7' });
  });

  it('replaces a checkpoint by one of the same size, and no other', async () => {
    const store = current();
    await fill(1);
    await store.saveCheckpoint({ size: 2, note: 'two', at: 'a' });
    await store.saveCheckpoint({ size: 3, note: 'old', at: 'b' });
    await store.saveCheckpoint({ size: 3, note: 'new', at: 'c' });
    expect({ ...(await store.checkpoint(3)) }).toEqual({ size: 3, note: 'new', at: 'c' });
    expect((await store.checkpoint(2))?.note).toBe('two');
    expect(await store.checkpoint(1)).toBeUndefined();
  });
}
