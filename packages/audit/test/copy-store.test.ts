import { MemoryStore, SqliteStore, type Store } from '@tallystick/ledger';
import { type FaultKind, FaultyStore, StoreFault } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CopyRefused, checkTarget, copyStore, fsck } from '../src/index.ts';
import { flip } from './support/tamper.ts';
import { Copy, makeVariedLog, partsOf, removeLog, type VariedLog } from './support/varied-log.ts';

let log: VariedLog;
let source: SqliteStore;
let size: number;

beforeAll(async () => {
  log = await makeVariedLog();
  source = SqliteStore.open(log.storeFile, { readOnly: true });
  size = await source.size();
});

afterAll(async () => {
  await source[Symbol.asyncDispose]();
  removeLog(log);
});

const copy = (target: Store, from: Store = source) => copyStore(from, target, { size, entriesPerBatch: 10 });

/** The copy of a log that has these bytes altered. */
async function copyOfAltered(table: string, column: string, index: number): Promise<unknown> {
  using altered = new Copy(log);
  altered.tamper((db) => flip(db, table, column, index));
  await using from = SqliteStore.open(altered.log.storeFile, { readOnly: true });
  return await copy(new MemoryStore(), from).catch((error: unknown) => error);
}

describe('copying a store', () => {
  it('makes another one in which everything fits', async () => {
    const target = new MemoryStore();
    const report = await copy(target);
    expect(report).toMatchObject({ size, copied: size, erased: 0 });
    expect(report.checkpoints).toBeGreaterThan(1);
    const { storeFile: _, ...parts } = partsOf(log, source);
    const now = Math.floor(Date.now() / 1000);
    const checked = await fsck({ ...parts, store: target }, { now, workers: 0 });
    expect(checked).toMatchObject({ ok: true, size, problems: [], skipped: [] });
    expect(checked.counts.checkpoints).toBe(report.checkpoints);
    expect(await copy(target)).toMatchObject({ copied: 0, root: report.root });
  });

  it.each(['did nothing', 'did everything'] satisfies FaultKind[])(
    'that was cut short goes on where it ended: the write %s',
    async (kind) => {
      const target = new FaultyStore(new MemoryStore());
      target.fail('append', kind, { skip: 2 });
      await expect(copy(target)).rejects.toThrow(StoreFault);
      expect(await target.size()).toBe(kind === 'did nothing' ? 20 : 30);
      target.fail('saveCheckpoint', kind, { skip: 1 });
      await expect(copy(target)).rejects.toThrow(StoreFault);
      await copy(target);
      expect(await target.entries(0, size)).toEqual(await source.entries(0, size));
      expect(await target.causes(0, size)).toEqual(await source.causes(0, size));
    },
  );

  it('erases in the target what the source has erased since', async () => {
    using later = new Copy(log);
    const target = new MemoryStore();
    await copy(target);
    await using from = SqliteStore.open(later.log.storeFile);
    const gone = (await from.entries(0, size)).filter(({ content }) => content?.document != null).slice(3, 5);
    await from.shred(gone.map(({ index }) => index));
    expect(await copy(target, from)).toMatchObject({ copied: 0, erased: 2 });
    expect(await target.entries(0, size)).toEqual(await from.entries(0, size));
  });

  it('erases what was signed with it, also where the cause was read before', async () => {
    using later = new Copy(log);
    later.tamper((db) => db.exec('INSERT INTO signed_requests SELECT idx, salt, document FROM causes'));
    const target = new MemoryStore();
    await using from = SqliteStore.open(later.log.storeFile);
    const one = () => copyStore(from, target, { size, entriesPerBatch: 1 });
    await one();
    expect(await target.causes(0, size)).toEqual(await from.causes(0, size));
    const { index, records } = (await from.causes(0, size)).findLast((cause) => cause.records > 1)!;
    await from.shred([index + records - 1]);
    expect((await from.cause(index))?.signed).toBeNull();
    expect(await one()).toMatchObject({ copied: 0, erased: 1 });
    expect(await target.causes(0, size)).toEqual(await from.causes(0, size));
  });

  it('refuses a target that is longer, or no beginning of the source, and leaves it as it is', async () => {
    const target = new MemoryStore();
    await copy(target);
    await expect(copyStore(source, target, { size: size - 1 })).rejects.toThrow('not a beginning');
    using other = new Copy(log);
    other.tamper((db) => flip(db, 'leaves', 'leaf', 5));
    await using begun = SqliteStore.open(other.log.storeFile);
    for (const work of [copyStore, checkTarget])
      await expect(work(source, begun, { size })).rejects.toThrow('entry 5 of the target');
    expect(await begun.size()).toBe(size);
  });

  it.each([
    ['contents', 'document'],
    ['entries', 'entry'],
    ['causes', 'document'],
  ])('refuses a target whose %s.%s was altered, also behind the narrow rows', async (table, column) => {
    using altered = new Copy(log);
    const index = (await source.causes(5, size))[0]?.index ?? 0;
    altered.tamper((db) => flip(db, table, column, index));
    await using target = SqliteStore.open(altered.log.storeFile);
    await expect(copy(target)).rejects.toThrow(CopyRefused);
  });

  it.each([
    ['entries', 'entry'],
    ['leaves', 'leaf'],
  ])('refuses a source whose %s.%s was altered', async (table, column) => {
    const error = await copyOfAltered(table, column, 12);
    expect(error).toBeInstanceOf(CopyRefused);
    expect(String(error)).toContain('entry 12 of the source');
  });
});
