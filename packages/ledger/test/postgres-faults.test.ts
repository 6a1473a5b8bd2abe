/**
 * What a cluster of PostgreSQL does to a store while it is taken apart, for real. Each fault comes twice: after what was
 * written is committed, and before. Never is anything doubled, acknowledged without a quorum, or lost once it was.
 */
import { setTimeout as after } from 'node:timers/promises';
import { CuttableProxy } from '@tallystick/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type PostgresTrouble,
  type StoredEntry,
  StoreFenced,
  StoreLocked,
  StoreUnavailable,
} from '../src/index.ts';
import { PostgresStore } from '../src/store/postgres/index.ts';
import { Cluster, entriesTo } from './support/postgres-cluster.ts';
import { batchAt, entriesPerBatch } from './support/store-batches.ts';

let cluster: Cluster;
let store: PostgresStore;

beforeAll(async () => {
  cluster = await Cluster.start();
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** How a write ended: with `null`, or with the error. */
const ending = (writing: Promise<unknown>): Promise<unknown> =>
  writing.then(
    () => null,
    (error: unknown) => error,
  );

function expectUnknown(error: unknown): void {
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect((error as StoreUnavailable).isOutcomeUnknown).toBe(true);
}

function expectRefused(error: unknown): void {
  expect(error).toBeInstanceOf(StoreUnavailable);
  expect((error as StoreUnavailable).isOutcomeUnknown).toBe(false);
}

/** The log holds so many entries, each once, and goes on. */
async function expectWhole(size: number): Promise<void> {
  expect(await store.size()).toBe(size);
  expect(await store.entries(0, 1000)).toEqual(entriesTo(size));
  await store.append(batchAt(size));
  expect(await store.size()).toBe(size + entriesPerBatch);
  expect(await cluster.shown()).toBe(size + entriesPerBatch);
}

const signal = (name: 'pg_cancel_backend' | 'pg_terminate_backend', pid: number) =>
  cluster.primary.sql(`SELECT ${name}(${pid})`);

describe('an append while its backend is', () => {
  beforeEach(async () => {
    store = await cluster.create();
    await store.append(batchAt(0));
  });

  afterEach(async () => {
    cluster.resumeStandbys();
    await store[Symbol.asyncDispose]();
  });

  it.each(['pg_cancel_backend', 'pg_terminate_backend'] as const)(
    'ended by %s in the wait for standbys is of unknown outcome, and there once they are back',
    async (name) => {
      await cluster.pauseStandbys();
      const appending = ending(store.append(batchAt(3)));
      await signal(name, await cluster.writerWaits('SyncRep'));
      expectUnknown(await appending);
      // Committed on the primary alone: everybody but the store shows it.
      expect(await cluster.shown()).toBe(6);
      expect(await store.entries(0, 10)).toEqual(entriesTo(3));
      const size = store.size();
      expect(await Promise.race([size, after(300, 'waits')])).toBe('waits');
      cluster.resumeStandbys();
      expect(await size).toBe(6);
      await expectWhole(6);
    },
  );

  it.each([
    ['pg_cancel_backend', expectRefused],
    ['pg_terminate_backend', expectUnknown],
  ] as const)('ended by %s before its commit is not there', async (name, expectEnding) => {
    const lock = await cluster.primary.holding('SELECT * FROM faults.fence FOR UPDATE');
    const appending = ending(store.append(batchAt(3)));
    await signal(name, await cluster.writerWaits('transactionid'));
    expectEnding(await appending);
    await lock[Symbol.asyncDispose]();
    await expectWhole(3);
  });

  it('that was put right, and ended in the wait for standbys, says that the outcome is unknown', async () => {
    const restored = async function* (): AsyncGenerator<StoredEntry> {
      yield* batchAt(3).entries;
    };
    await cluster.pauseStandbys();
    const restoring = ending(store.restore(restored()));
    await signal('pg_cancel_backend', await cluster.writerWaits('SyncRep'));
    expectUnknown(await restoring);
    cluster.resumeStandbys();
    expect([await store.size(), await store.entries(3, 9)]).toEqual([6, batchAt(3).entries]);
  });

  it('told that there are no standbys any more is not acknowledged, nor is any after it', async () => {
    const troubles: (PostgresTrouble | null)[] = [];
    await store[Symbol.asyncDispose]();
    store = await PostgresStore.open(
      cluster.options(cluster.primary, { onTrouble: (trouble) => troubles.push(trouble) }),
    );
    await cluster.pauseStandbys();
    const appending = ending(store.append(batchAt(3)));
    await cluster.writerWaits('SyncRep');
    await cluster.primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
    await cluster.primary.reload();
    expectUnknown(await appending);
    await cluster.primary.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await cluster.primary.reload();
    cluster.resumeStandbys();
    await expectWhole(6);
    expect(troubles[0]?.message).toContain('synchronous_standby_names is empty');
    expect(troubles.at(-1)).toBeNull();
  });
});

describe('a store on a cluster', () => {
  afterEach(async () => {
    cluster.resumeStandbys();
    await store[Symbol.asyncDispose]();
  });

  it('notices an emptied list of standbys between writes, and writes nothing until it is filled', async () => {
    await (await cluster.create())[Symbol.asyncDispose]();
    const told = Promise.withResolvers<PostgresTrouble | null>();
    store = await PostgresStore.open(cluster.options(cluster.primary, { onTrouble: told.resolve }));
    await cluster.primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''");
    await cluster.primary.reload();
    expectRefused(await told.promise);
    expectRefused(await ending(store.append(batchAt(0))));
    await expect(PostgresStore.open({ ...cluster.options(), takeOver: true })).rejects.toThrow(
      'synchronous_standby_names is empty',
    );
    expect(await cluster.shown()).toBe(0);
    await cluster.primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (n2)'");
    await cluster.primary.reload();
    const shown = () => cluster.primary.sql('SHOW synchronous_standby_names');
    await vi.waitFor(
      async () => expect(await shown()).toEqual([{ synchronous_standby_names: 'ANY 1 (n2)' }]),
      5000,
    );
    await expectWhole(0);
    await cluster.primary.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await cluster.primary.reload();
  });

  it('waits for standbys for as long as the primary answers, and is read meanwhile', async () => {
    await (await cluster.create())[Symbol.asyncDispose]();
    const limits = { connectMs: 2000, statementMs: 400, recoverMs: 0, watchMs: 50 };
    store = await PostgresStore.open(cluster.options(cluster.primary, { limits }));
    await store.append(batchAt(0));
    await cluster.pauseStandbys();
    expectUnknown(await ending(store.append(batchAt(3))));
    const size = store.size();
    expect(await Promise.race([size, after(1500, 'waits')])).toBe('waits');
    expect(await store.entries(0, 10)).toEqual(entriesTo(3));
    cluster.resumeStandbys();
    await expectWhole(6);
    expect(await size).toBe(6);
  });

  it('is taken over behind an append that waits, which counts for both', async () => {
    const first = await cluster.create();
    await cluster.pauseStandbys();
    const appending = ending(first.append(batchAt(0)));
    await cluster.writerWaits('SyncRep');
    const opening = PostgresStore.open(cluster.options(cluster.primary, { takeOver: true }));
    await cluster.writerWaits('transactionid');
    cluster.resumeStandbys();
    store = await opening;
    expect(await appending).toBeNull();
    await expect(first.append(batchAt(3))).rejects.toThrow(StoreFenced);
    await first[Symbol.asyncDispose]();
    await expectWhole(3);
  });

  it('is not taken over by a barrier that was canceled in its wait', async () => {
    const first = await cluster.create();
    await first.append(batchAt(0));
    await cluster.pauseStandbys();
    const takeOver = cluster.options(cluster.primary, { takeOver: true });
    const opening = ending(PostgresStore.open(takeOver));
    await signal('pg_cancel_backend', await cluster.writerWaits('SyncRep'));
    expectUnknown(await opening);
    cluster.resumeStandbys();
    store = await PostgresStore.open(takeOver);
    await expect(first.append(batchAt(3))).rejects.toThrow(StoreFenced);
    await first[Symbol.asyncDispose]();
    await expectWhole(3);
  });

  it('cut off and taken over meanwhile learns that it was fenced, not how its append ended', async () => {
    await using proxy = await CuttableProxy.start(cluster.primary.port);
    const first = await cluster.create(proxy.port);
    await first.append(batchAt(0));
    proxy.hold();
    const appending = ending(first.append(batchAt(3)));
    await proxy.holds();
    store = await PostgresStore.open(cluster.options(cluster.primary, { takeOver: true }));
    proxy.cut();
    const error = await appending;
    if (!(error instanceof StoreFenced)) expectUnknown(error);
    await expect(first.size()).rejects.toThrow(StoreFenced);
    await proxy.deliver();
    await first[Symbol.asyncDispose]();
    await expectWhole(3);
  });

  it('cut off behind its commit finds what it appended', async () => {
    await using proxy = await CuttableProxy.start(cluster.primary.port);
    store = await cluster.create(proxy.port);
    await cluster.pauseStandbys();
    const appending = ending(store.append(batchAt(0)));
    await cluster.writerWaits('SyncRep');
    proxy.cut();
    expectUnknown(await appending);
    cluster.resumeStandbys();
    await expectWhole(3);
  });

  it('is closed within seconds where its backends stand still', async () => {
    store = await cluster.create();
    await store.append(batchAt(0));
    const pids = await cluster.primary.sql<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'tallystick-%'",
    );
    for (const { pid } of pids) process.kill(pid, 'SIGSTOP');
    const closed = store[Symbol.asyncDispose]().then(() => 'closed');
    const first = await Promise.race([closed, after(5000, 'hangs')]);
    for (const { pid } of pids) process.kill(pid, 'SIGCONT');
    expect([first, pids.length >= 2]).toEqual(['closed', true]);
    await closed;
    store = await PostgresStore.open(cluster.options(cluster.primary, { takeOver: true }));
    await expectWhole(3);
  });

  it('cut off as a whole keeps others from opening it as soon as it writes again', async () => {
    await (await cluster.create())[Symbol.asyncDispose]();
    const limits = { connectMs: 2000, statementMs: 2000, recoverMs: 2000, watchMs: 60_000 };
    store = await PostgresStore.open(cluster.options(cluster.primary, { limits }));
    const all = "FROM pg_stat_activity WHERE application_name LIKE 'tallystick-%'";
    await cluster.primary.sql(`SELECT pg_terminate_backend(pid) ${all}`);
    await ending(store.append(batchAt(0)));
    await store.append(batchAt(await store.size()));
    const locks = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted";
    await vi.waitFor(async () => expect(await cluster.primary.sql(locks)).toHaveLength(1), 2000);
    await expect(PostgresStore.open(cluster.options())).rejects.toThrow(StoreLocked);
    await expectWhole(await store.size());
  });

  it('cut off before its append arrived is not overtaken by it later', async () => {
    await using proxy = await CuttableProxy.start(cluster.primary.port);
    store = await cluster.create(proxy.port);
    await store.append(batchAt(0));
    proxy.hold();
    const appending = ending(store.append(batchAt(3)));
    await proxy.holds();
    proxy.cut();
    expectUnknown(await appending);
    expect(await store.size()).toBe(3);
    // Now it arrives, at the size that it was made for.
    await proxy.deliver();
    await expectWhole(3);
  });
});

describe('a primary killed', () => {
  it('and started again shows what was never acknowledged, and the store only once it is', async () => {
    store = await cluster.create();
    await store.append(batchAt(0));
    await cluster.pauseStandbys();
    const appending = ending(store.append(batchAt(3)));
    await cluster.writerWaits('SyncRep');
    await cluster.primary.end('SIGKILL');
    expectUnknown(await appending);
    await cluster.primary.start();
    expect(await cluster.shown()).toBe(6);
    expect(await store.entries(0, 10)).toEqual(entriesTo(3));
    const size = store.size();
    expect(await Promise.race([size, after(300, 'waits')])).toBe('waits');
    cluster.resumeStandbys();
    await cluster.primary.synced(2);
    await expectWhole(6);
    await store[Symbol.asyncDispose]();
  });

  it('under load leaves everything that was acknowledged to the standby that is ahead, and gets no yes any more', async () => {
    const first = await cluster.create();
    let acknowledged = 0;
    const loading = (async () => {
      for (;;) {
        await first.append(batchAt(acknowledged));
        acknowledged += entriesPerBatch;
      }
    })().catch((error: unknown) => error);
    await after(400);
    await cluster.primary.end('SIGKILL');
    // Unknown where an append was under way, and certain where it died between two of them.
    expect(await loading).toBeInstanceOf(StoreUnavailable);
    expect(acknowledged).toBeGreaterThan(entriesPerBatch);

    const [killed, ...standbys] = cluster.nodes;
    const ahead = await Promise.all(
      standbys.map(async (node) => {
        const [row] = await node.sql<{ lsn: string }>("SELECT pg_last_wal_receive_lsn() - '0/0' AS lsn");
        return { node, lsn: BigInt(row?.lsn ?? 0) };
      }),
    );
    const [promoted, other] = ahead.sort((a, b) => (a.lsn < b.lsn ? 1 : -1)).map(({ node }) => node);
    if (killed === undefined || promoted === undefined || other === undefined)
      throw new Error('no three nodes');
    await promoted.promote();
    other.follow(promoted);
    await other.reload();
    await promoted.synced(1);

    store = await PostgresStore.open(cluster.options(promoted));
    const size = await store.size();
    expect([acknowledged, acknowledged + entriesPerBatch]).toContain(size);
    expect(await store.entries(0, size + 10)).toEqual(entriesTo(size));
    await store.append(batchAt(size));
    expect(await store.size()).toBe(size + entriesPerBatch);

    // The old primary comes back with its old fence, and nobody follows it.
    await killed.start();
    const opening = PostgresStore.open(cluster.options(killed, { takeOver: true }));
    const [appended, opened] = await Promise.all([
      ending(first.append(batchAt(acknowledged))),
      ending(opening),
    ]);
    expectRefused(appended);
    expect(String(opened)).toContain('PostgreSQL did not confirm who may write');
    await first[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
});
