/** What threads do for a check: the same report as without them, whatever happens to them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { encodeEnvelope, parseRecordEntry, preAuthEncoding } from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProjectionSnapshot } from '../src/compare-projections.ts';
import { type FsckOptions, type FsckReport, fsck } from '../src/index.ts';
import { ProjectionSums } from '../src/projection-sums.ts';
import { RowSum } from '../src/scan/row-sum.ts';
import { ScanPool } from '../src/scan/scan-pool.ts';
import { shareTables, sumTables } from '../src/scan/table-scan.ts';
import { append, blobAt, continuation, firstOf, flip, sizeOf } from './support/tamper.ts';
import { execute } from './support/tamper-cases.ts';
import {
  Copy,
  check,
  makeLog,
  makeVariedLog,
  partsOf,
  removeLog,
  type VariedLog,
} from './support/varied-log.ts';

let log: VariedLog;

beforeAll(async () => {
  log = await makeVariedLog();
});

afterAll(() => {
  removeLog(log);
});

/** One thread, and blocks small enough that it finds nothing unusual in most of them. */
const shared = { workers: 1, entriesPerRead: 3 } satisfies Partial<FsckOptions>;

/** A folder in which nothing can be derived. */
const nowhere = join(tmpdir(), 'tally-does-not-exist', 'scratch');

describe('threads', () => {
  it('find what one thread does in a log that nobody touched', async () => {
    const alone = await check(log);
    for (const entriesPerRead of [1, 2, 5, 16, 1000]) {
      for (const level of ['full', 'hashes'] as const) {
        const report = await check(log, { workers: 2, entriesPerRead, level });
        expect(report, `${level} ${entriesPerRead}`).toEqual(
          level === 'full' ? alone : await check(log, { level }),
        );
      }
    }
  });

  it('leave to the checking thread only what they found unusual', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    const size = await store.size();
    const read = new Set<number>();
    const watched = new Proxy(store, {
      get(target, name) {
        if (name !== 'entries') return (Reflect.get(target, name) as () => unknown).bind(target);
        return async (from: number, limit: number) => {
          const entries = await target.entries(from, limit);
          for (const { index } of entries) read.add(index);
          return entries;
        };
      },
    });
    // Without the projections, whose check reads what an erasure covers.
    const parts = partsOf(log, watched, { projections: null });
    const { ok } = await fsck(parts, { now: Math.floor(Date.now() / 1000), ...shared });
    expect(ok).toBe(true);
    // The trust root, the namespace and the brake with what shares a block with them.
    expect([...read].toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(size).toBeGreaterThan(30);
  });

  it('report the first of several problems, and in log order when asked for all', async () => {
    const columns = [
      ['leaves', 'leaf'],
      ['leaves', 'subject'],
      ['entries', 'entry'],
      ['contents', 'salt'],
      ['contents', 'document'],
      ['contents', 'companion'],
      ['causes', 'salt'],
      ['causes', 'document'],
    ] as const;
    const flips = fc.array(
      fc.record({ column: fc.constantFrom(...columns), row: fc.nat(), at: fc.nat(2000), bit: fc.nat(7) }),
      { minLength: 1, maxLength: 3 },
    );
    using copy = new Copy(log);
    const tamper = (
      changes: readonly { column: (typeof columns)[number]; row: number; at: number; bit: number }[],
    ) =>
      copy.tamper((db) => {
        for (const { column, row, at, bit } of changes) flipAt(db, column, row, at, bit);
      });
    await fc.assert(
      fc.asyncProperty(
        flips,
        fc.boolean(),
        fc.integer({ min: 1, max: 6 }),
        async (changes, all, entriesPerRead) => {
          tamper(changes);
          for (const level of ['full', 'hashes'] as const) {
            const alone = await outcome(copy, { all, level });
            expect(await outcome(copy, { all, level, workers: 1, entriesPerRead })).toEqual(alone);
          }
          tamper(changes.toReversed());
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each([
    ['by a key more than it needs', true],
    ['well by a key that it does not need, and badly by the one that it does', false],
  ])('take a record that is signed %s as one thread does', async (_what, isGood) => {
    using copy = new Copy(log);
    let index = 0;
    copy.tamper((db) => {
      const { id } = firstOf(db, 'license.rekeyed');
      const appended = continuation(db, id, 'license.reissued', log.keyFor('license'));
      const { envelope } = parseRecordEntry(appended.entry);
      const [needed] = envelope.signatures;
      if (needed === undefined) throw new Error('no signature');
      if (!isGood) needed.sig = needed.sig.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
      const other = log.keyFor('lease');
      const message = preAuthEncoding(envelope.payloadType, envelope.payload);
      const signatures = [{ keyid: other.keyid, sig: other.sign(message) }, needed];
      index = append(db, { ...appended, entry: encodeEnvelope({ ...envelope, signatures }) });
    });
    const report = await copy.check(shared);
    const found = isGood ? [] : [{ index, table: 'entries', part: 'signature' }];
    expect(report.problems).toMatchObject(found);
    expect(report).toEqual(await copy.check());
  });

  it('report a step that the model forbids, though they judge it later than what comes after it', async () => {
    using copy = new Copy(log);
    const indexes: number[] = [];
    copy.tamper((db) => {
      const { id } = firstOf(db, 'license.rekeyed');
      indexes.push(append(db, continuation(db, id, 'license.reinstated', log.keyFor('license'))));
      const { index, record } = firstOf(db, 'license.reinstated');
      const entry = blobAt(db, 'entries', 'entry', index);
      indexes.push(append(db, { entry, subject: record.subject, rev: record.rev, contentOf: index }));
    });
    const { problems } = await copy.check(shared);
    expect(problems).toMatchObject([{ index: indexes[0], part: 'not_suspended' }]);
    const all = await copy.check({ ...shared, all: true });
    expect(all.problems.map(({ index }) => index)).toEqual(indexes);
    expect(all).toEqual(await copy.check({ all: true }));
  });

  it('that cannot open the store leave everything to the checking thread', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    const parts = partsOf(log, store, { storeFile: join(nowhere, 'ledger.db') });
    const report = await fsck(parts, { now: Math.floor(Date.now() / 1000), ...shared });
    expect(report).toEqual(await check(log));
  });

  it('that have ended leave the rest to the checking thread', async () => {
    await using pool = new ScanPool({ storeFile: log.storeFile, full: null }, 1);
    expect(await pool.block(3, 6)).not.toBeNull();
    const asked = pool.block(6, 9);
    await pool[Symbol.asyncDispose]();
    // It was asked for before the end was, so it is still answered.
    expect(await asked).not.toBeNull();
    expect(await pool.block(9, 12)).toBeNull();
  });
});

describe('the sums over the projections', () => {
  it('spare deriving them anew where nothing differs', async () => {
    const report = await check(log, { ...shared, scratch: nowhere });
    expect(report).toEqual(await check(log));
  });

  it.each([
    ['a row', "UPDATE licenses SET until = '2031-01-01T00:00:00.000Z' WHERE state = 'active'"],
    ['a name', "DELETE FROM names WHERE name LIKE 'license-key:%'"],
    ['two swapped revisions', 'UPDATE revisions SET idx = idx + 1 - 2 * (rev % 2) WHERE rev < 2'],
    ['a request', "UPDATE requests SET idx = 2 WHERE key = 'order-0'"],
    ['the number of rows', "INSERT INTO names SELECT name || 'x', id FROM names"],
  ])('do not where %s differs', async (_what, sql) => {
    using copy = new Copy(log);
    copy.tamperProjections((db) => execute(db, sql));
    await expect(copy.check({ ...shared, scratch: nowhere })).rejects.toThrow('ENOENT');
    expect((await copy.check(shared)).problems).toEqual((await copy.check()).problems);
  });

  it('do not where a table has a column more', async () => {
    using copy = new Copy(log);
    copy.tamperProjections((db) => db.exec('ALTER TABLE licenses ADD COLUMN seats INTEGER'));
    await expect(copy.check({ ...shared, scratch: nowhere })).rejects.toThrow('ENOENT');
  });

  it('do where a name moved from one subject to another', async () => {
    const moved = await makeLog(async (system) => {
      const reference = (nth: number): string | null => (nth === 0 ? 'C-1' : null);
      const created = await Promise.all(
        [0, 1].map((nth) => system.run({ type: 'customer.create', name: 'Ada', reference: reference(nth) })),
      );
      const [first = '', second = ''] = created.map(({ changes }) => changes[0]?.change.subject.id ?? '');
      await system.run({ type: 'customer.update', customer: first, reference: 'C-2' });
      await system.run({ type: 'customer.update', customer: second, reference: 'C-1' });
    });
    try {
      expect(await check(moved, { ...shared, scratch: nowhere })).toEqual(await check(moved));
    } finally {
      removeLog(moved);
    }
  });

  it('do not where a name was taken again after its holder last took it', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    using found = new ProjectionSnapshot(log.projectionsFile);
    const sums = new ProjectionSums(log.indexKey);
    const present = [sumTables(log.projectionsFile, sums.key, shareTables(1)[0] ?? [])];
    const none = new RowSum(sums.key).take();
    sums.addSteps({ odd: [], keyed: [], dropped: [], rows: present[0]?.rows ?? none });
    const drop = (lastAt: number): void =>
      sums.addSteps({ odd: [], keyed: [], dropped: [{ name: 'reference:C-1', lastAt }], rows: none });
    const rows = async (): Promise<number | null> => sums.agreedRows(present, found, store, []);
    expect(await rows()).toBeGreaterThan(20);
    drop(0);
    expect(await rows()).toBeGreaterThan(20);
    drop(1_000_000);
    expect(await rows()).toBeNull();
  });

  it('do not where something was not removed that an erasure covers', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'tally-scratch-'));
    const kept: { index: number; salt: Uint8Array; document: Uint8Array }[] = [];
    const erased = await makeLog(async (system) => {
      const { changes } = await system.run({ type: 'customer.create', name: 'Ada', reference: 'A-1' });
      const index = changes[0]?.index ?? 0;
      const content = (await system.world.store.entry(index))?.content;
      if (content?.salt == null || content.document === null) throw new Error('no content');
      kept.push({ index, salt: Uint8Array.from(content.salt), document: Uint8Array.from(content.document) });
      await system.run({ type: 'customer.erase', customer: changes[0]?.change.subject.id ?? '' });
    });
    try {
      expect(await check(erased, { ...shared, scratch: nowhere })).toMatchObject({ ok: true });
      using copy = new Copy(erased);
      const [{ index, salt, document }] = kept as [(typeof kept)[0]];
      copy.tamper((db) =>
        execute(db, 'UPDATE contents SET salt = ?, document = ? WHERE idx = ?', salt, document, index),
      );
      const report = await copy.check({ ...shared, scratch });
      expect(report.problems).toMatchObject([{ index, table: 'contents', part: 'document' }]);
      expect(report.problems).toEqual((await copy.check()).problems);
    } finally {
      removeLog(erased);
      rmSync(scratch, { recursive: true });
    }
  });
});

function flipAt(
  db: DatabaseSync,
  [table, column]: readonly [string, string],
  row: number,
  at: number,
  bit: number,
): void {
  const rows = db.prepare(`SELECT idx FROM ${table} WHERE ${column} IS NOT NULL ORDER BY idx`).all() as {
    idx: number;
  }[];
  const { idx } = rows[row % rows.length] ?? { idx: sizeOf(db) };
  flip(db, table, column, idx, at, bit);
}

/** What a check says, or why it says nothing. How far it got beyond a problem is nobody's business. */
async function outcome(copy: Copy, options: Partial<FsckOptions>): Promise<Partial<FsckReport> | string> {
  try {
    const { problems, skipped, ok, size, published } = await copy.check(options);
    return { problems, skipped, ok, size, published };
  } catch (error) {
    return String(error);
  }
}
