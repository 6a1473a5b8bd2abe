import { SqliteStore } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import { Unavailable } from '@tallystick/witness';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsck } from '../src/index.ts';
import { firstOf, flip, recordRows } from './support/tamper.ts';
import {
  alterNote,
  documentOfAnotherRevision,
  execute,
  projectionCases,
  storeCases,
  whole,
} from './support/tamper-cases.ts';
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

describe('a log that nobody touched', () => {
  it('has no problems, and everything of it is counted', async () => {
    const report = await check(log, { workers: 2 });
    expect(report.problems).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.skipped).toEqual([]);
    const { counts, size, published } = report;
    expect(published).toBe(size);
    expect(counts.entries).toBe(size);
    expect(counts.records + counts.mapRoots + counts.trustRoots).toBe(size);
    expect(counts.signed).toBe(counts.records);
    expect(counts.documents + counts.erased).toBe(counts.records);
    expect(counts.erased).toBeGreaterThan(3);
    expect(counts.companions).toBeGreaterThan(5);
    expect(counts.checkpoints).toBeGreaterThan(4);
    expect(counts.rows).toBeGreaterThan(counts.records);
  });

  it('has none in its hashes either', async () => {
    const { problems, counts, size } = await check(log, { level: 'hashes' });
    expect(problems).toEqual([]);
    expect(counts).toMatchObject({ entries: size, signed: 0, rows: 0 });
  });

  it('tells how far the check is', async () => {
    const seen: string[] = [];
    await check(log, { onProgress: ({ step, done, total }) => seen.push(`${step} ${done}/${total}`) });
    const { size } = await check(log, { level: 'hashes' });
    expect(seen).toContain(`entries ${size}/${size}`);
    expect(seen).toContain(`projections ${size}/${size}`);
  });

  it('cannot be judged without the keys that signed it', async () => {
    await expect(check(log, {}, { keys: [] })).rejects.toBeInstanceOf(Unavailable);
  });

  it('of another trust root is not this log', async () => {
    const { problems } = await check(log, {}, { genesis: new Uint8Array(32) });
    expect(problems).toMatchObject([{ index: 0, table: 'entries', part: 'trust-root' }]);
  });
});

const inStore = storeCases(() => log);

describe('what was tampered with is found and named', () => {
  it.each([...inStore, ...projectionCases])(
    '$what',
    async ({ store, projections, table, part, inHashes }) => {
      using copy = new Copy(log);
      let index: number | null = null;
      if (store !== undefined) copy.tamper((db) => (index = store(db)));
      if (projections !== undefined) copy.tamperProjections(projections);
      const [first, all, hashes] = [
        await copy.check(),
        await copy.check({ all: true }),
        await copy.check({ level: 'hashes' }),
      ];
      const { ok, problems } = first;
      expect(ok).toBe(false);
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatchObject({ table, part, index });
      expect(hashes.ok).toBe(!inHashes);
      expect(all.problems.length).toBeGreaterThan(0);
      expect(all.problems[0]).toEqual(problems[0]);
      for (const [wanted, alone] of [
        [{}, first],
        [{ all: true }, all],
        [{ level: 'hashes' }, hashes],
      ] as const) {
        const shared = await copy.check({ ...wanted, workers: 1, entriesPerRead: 4 });
        expect({ ...shared, counts: null }, JSON.stringify(wanted)).toEqual({ ...alone, counts: null });
      }
    },
  );

  it('says what to do where the projections are behind an erasure that is not of just now', async () => {
    using copy = new Copy(log);
    copy.tamperProjections((db) => execute(db, 'UPDATE cursor SET size = 4'));
    const { skipped } = await copy.check();
    expect(skipped).toEqual([
      expect.stringMatching(/^The projections have taken in 4 of \d+ entries, and not the erasure/),
    ]);
  });

  it('says which revision a document is of that stands at the wrong place', async () => {
    using copy = new Copy(log);
    copy.tamper((db) => documentOfAnotherRevision(db));
    const { problems } = await copy.check();
    expect(problems[0]?.message).toMatch(/it says revision \d+ of this subject/);
    expect(problems[0]?.expected).toMatch(/^[0-9a-f]{12}$/);
    expect(problems[0]?.found).not.toBe(problems[0]?.expected);
  });

  it('collects every problem when asked to, and goes on behind each', async () => {
    using copy = new Copy(log);
    copy.tamper((db) => {
      for (const { index } of recordRows(db).slice(2, 5)) flip(db, 'contents', 'document', index);
      flip(db, 'causes', 'salt', whole(db));
      // The newest, so that it stands behind the others however many there are.
      const { newest } = db.prepare('SELECT count(*) - 1 AS newest FROM checkpoints').get() as {
        newest: number;
      };
      alterNote(db, 1, newest);
    });
    const { problems } = await copy.check({ all: true });
    expect(problems.map(({ table }) => table)).toEqual([
      'contents',
      'contents',
      'contents',
      'causes',
      'checkpoints',
    ]);
  });

  it('goes on behind an altered entry whose subject was changed later', async () => {
    using copy = new Copy(log);
    let index = 0;
    copy.tamper((db) => {
      index = firstOf(db, 'license.suspended').index;
      flip(db, 'entries', 'entry', index);
    });
    const { problems } = await copy.check({ all: true });
    expect(problems).toMatchObject([{ index, table: 'entries', part: 'entry' }]);
    expect(problems).toEqual((await copy.check({ all: true, workers: 1, entriesPerRead: 3 })).problems);
  });

  it('names a cause that no command made before what is wrong behind it', async () => {
    using copy = new Copy(log);
    let index = 0;
    copy.tamper((db) => {
      flip(db, 'contents', 'document', whole(db));
      index = recordRows(db).find((row) => row.record.type === 'license.issued')?.index ?? 0;
      execute(db, 'DELETE FROM contents WHERE idx = ?', index);
      execute(db, 'UPDATE causes SET idx = 0 WHERE idx = 1');
    });
    const { problems } = await copy.check({ all: true });
    expect(problems.map((problem) => [problem.index, problem.table, problem.part])).toEqual([
      [0, 'causes', 'row'],
      [1, 'causes', 'row'],
      [index, 'contents', 'row'],
      [expect.any(Number), 'contents', 'document'],
    ]);
    for (const entriesPerRead of [2, 1000])
      expect((await copy.check({ entriesPerRead })).problems).toEqual(problems.slice(0, 1));
  });

  it('finds a flipped bit in any blob that the log commits to', async () => {
    const columns = [
      ['leaves', 'leaf'],
      ['leaves', 'subject'],
      ['entries', 'entry'],
      ['contents', 'salt'],
      ['contents', 'document'],
      ['contents', 'companion_salt'],
      ['contents', 'companion'],
      ['causes', 'salt'],
      ['causes', 'document'],
    ] as const;
    using copy = new Copy(log);
    const flips = fc.record({
      column: fc.constantFrom(...columns),
      row: fc.nat(),
      at: fc.nat(100_000),
      bit: fc.nat(7),
    });
    await fc.assert(
      fc.asyncProperty(flips, async ({ column: [table, column], row, at, bit }) => {
        let index = 0;
        copy.tamper((db) => {
          const rows = db
            .prepare(`SELECT idx FROM ${table} WHERE ${column} IS NOT NULL ORDER BY idx`)
            .all() as { idx: number }[];
          index = rows[row % rows.length]?.idx ?? 0;
          flip(db, table, column, index, at, bit);
        });
        for (const level of ['full', 'hashes'] as const) {
          const { problems } = await copy.check({ level });
          expect(problems[0]?.index, level).toBe(index);
        }
        copy.tamper((db) => flip(db, table, column, index, at, bit));
      }),
      { numRuns: 60 },
    );
    expect((await copy.check()).ok).toBe(true);
  });
});

describe('an erasure', () => {
  it('that was not carried out is found', async () => {
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
      expect((await check(erased)).problems).toEqual([]);
      using copy = new Copy(erased);
      const [{ index, salt, document }] = kept as [(typeof kept)[0]];
      copy.tamper((db) =>
        execute(db, 'UPDATE contents SET salt = ?, document = ? WHERE idx = ?', salt, document, index),
      );
      const { problems } = await copy.check();
      expect(problems).toMatchObject([{ index, table: 'contents', part: 'document' }]);
      expect(problems[0]?.message).toContain('was not removed');
    } finally {
      removeLog(erased);
    }
  });
});

describe('beside a server that writes', () => {
  it('checks the log as it was when the check began, also while content is erased', async () => {
    const sizes: number[] = [];
    const grown = await makeLog(async (system, files) => {
      await system.sellPro();
      const customers = await Promise.all(
        Array.from({ length: 40 }, () => system.run({ type: 'customer.create', name: 'Ada' })),
      );
      await system.ledger.whenPublished(system.ledger.size, 10_000);
      await using store = SqliteStore.open(files.storeFile, { readOnly: true });
      const { identity, trust } = system.world;
      const keys = onlineKeys(identity.keys).map(({ publicKey }) => publicKey);
      const projections = { file: files.projectionsFile, indexKey: log.indexKey };
      const parts = { store, genesis: trust.genesis, ns: log.ns, keys, projections, mark: null };
      const writing = customers.map(async ({ changes }) => {
        await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' });
        await system.run({ type: 'customer.erase', customer: changes[0]?.change.subject.id ?? '' });
      });
      for (let round = 0; round < 5; round++) {
        const report = await fsck(parts, { now: Math.floor(Date.now() / 1000) + 1, workers: 0 });
        expect(report.problems).toEqual([]);
        sizes.push(report.size);
      }
      await Promise.all(writing);
    });
    const { ok, size } = await check(grown);
    expect(ok).toBe(true);
    expect(size).toBeGreaterThan(sizes[0] ?? size);
    removeLog(grown);
  });
});

describe('a store', () => {
  it('can be checked while another has it open for writing', async () => {
    using copy = new Copy(log);
    await using writer = SqliteStore.open(copy.log.storeFile);
    await using reader = SqliteStore.open(copy.log.storeFile, { readOnly: true });
    expect(await writer.size()).toBe(await reader.size());
    const report = await fsck(partsOf(copy.log, reader), { now: Math.floor(Date.now() / 1000), workers: 0 });
    expect(report.ok).toBe(true);
  });
});
