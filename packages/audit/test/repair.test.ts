import { cpSync, existsSync, rmSync } from 'node:fs';
import { SqliteStore, StoreLocked } from '@tallystick/ledger';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RepairOptions, type RepairParts, type RepairReport, repairStore } from '../src/index.ts';
import { repairParts, type StoreMirror, serveStore } from './support/store-mirror.ts';
import { alterFile, rowsOf } from './support/tamper.ts';
import { makeLog, type VariedLog } from './support/varied-log.ts';

const licenses = 800;
const tables = ['leaves', 'entries', 'contents', 'causes', 'checkpoints'] as const;

let log: VariedLog;
let mirror: StoreMirror;
/** A copy of the store that tests alter. */
let copy: string;
let size: number;

beforeAll(async () => {
  log = await makeLog(async (system) => {
    await system.sellPro();
    for (let done = 0; done < licenses; done += 200) {
      const issuing = Array.from({ length: 200 }, () =>
        system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' }),
      );
      await Promise.all(issuing);
      await system.ledger.whenPublished(system.ledger.size, 60_000);
    }
  });
  mirror = await serveStore(log.storeFile, log.trust.log.origin);
  copy = `${log.folder}/copy.db`;
  size = log.mark.size;
});

afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  rmSync(log.folder, { recursive: true });
});

beforeEach(() => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(copy + suffix, { force: true });
  rmSync(parts().undoFile, { force: true });
  cpSync(log.storeFile, copy);
  mirror.asked.length = 0;
});

type CopyParts = Omit<RepairParts, 'store'>;

const parts = (): CopyParts => repairParts(log, mirror);

/** Of the copy. */
async function repair(given: CopyParts, options: RepairOptions): Promise<RepairReport> {
  await using store = SqliteStore.open(copy, { readOnly: options.dryRun });
  return await repairStore({ ...given, store }, options);
}

const alter = (...statements: string[]): void => alterFile(copy, ...statements);

describe('a repair', () => {
  it('asks for each tile once, whatever is wrong in it', async () => {
    alter(
      "UPDATE entries SET entry = CAST(substr(entry, 1, 20) || x'21' || substr(entry, 22) AS BLOB) WHERE idx BETWEEN 100 AND 600 AND idx % 2 = 0",
      'DELETE FROM entries WHERE idx IN (255, 256, 257)',
      'DELETE FROM leaves WHERE idx IN (256, 511, 512)',
    );
    const report = await repair(parts(), { dryRun: false });
    expect(report.repaired.count).toBe(251 + 2 + 1);
    expect(report.repaired.first).toHaveLength(100);
    expect(mirror.asked.filter((path) => path.startsWith('tile/entries/'))).toHaveLength(3);
    for (const table of tables) expect(rowsOf(copy, table)).toEqual(rowsOf(log.storeFile, table));
  });

  it('gives back a tail over several tiles, with the ids that are known', async () => {
    const from = 300;
    alter(
      ...tables.map(
        (table) => `DELETE FROM ${table} WHERE ${table === 'checkpoints' ? 'size' : 'idx'} >= ${from}`,
      ),
    );
    const report = await repair(parts(), { dryRun: false });
    expect([report.added, report.published, report.missing]).toEqual([{ from, to: size }, size, null]);
    for (const table of ['leaves', 'entries'] as const)
      expect(rowsOf(copy, table)).toEqual(rowsOf(log.storeFile, table));
    const records = rowsOf(log.storeFile, 'contents', `idx >= ${from}`).length;
    expect([report.lost.count, report.lost.first.length, report.lostCauses]).toEqual([records, 100, records]);
    expect(rowsOf(copy, 'contents', `idx >= ${from} AND document IS NOT NULL`)).toEqual([]);
    const again = await repair({ ...parts(), undoFile: `${log.folder}/again.db` }, { dryRun: false });
    expect([again.repaired.count, again.added, again.published, again.undo]).toEqual([0, null, null, null]);
  });

  it('keeps what it replaces, so that the store can be made as it was', async () => {
    const given = ['leaves', 'entries', 'contents'] as const;
    alter(
      "UPDATE entries SET entry = x'00' WHERE idx = 40",
      'DELETE FROM leaves WHERE idx = 41',
      'DELETE FROM entries WHERE idx = 41',
      ...given.map((table) => `DELETE FROM ${table} WHERE idx >= ${size - 5}`),
    );
    const before = given.map((table) => rowsOf(copy, table));
    const { undo } = await repair(parts(), { dryRun: false });
    alter(
      `ATTACH '${undo}' AS undo`,
      ...given.map(
        (table) =>
          `DELETE FROM ${table} WHERE EXISTS (SELECT 1 FROM undo.added WHERE idx BETWEEN first AND last)`,
      ),
      'DELETE FROM leaves WHERE idx IN (SELECT idx FROM undo.missing)',
      'DELETE FROM entries WHERE idx IN (SELECT idx FROM undo.missing)',
      'INSERT OR REPLACE INTO leaves SELECT * FROM undo.leaves',
      'INSERT OR REPLACE INTO entries SELECT * FROM undo.entries',
    );
    expect(given.map((table) => rowsOf(copy, table))).toEqual(before);
  });

  it('takes what a quorum published from a mirror that no trust root names', async () => {
    alter('DELETE FROM entries WHERE idx = 10');
    mirror.isStranger = true;
    const { repaired, mirrored } = await repair(parts(), { dryRun: false });
    mirror.isStranger = false;
    expect([repaired.count, mirrored]).toEqual([1, size]);
    expect(rowsOf(copy, 'entries')).toEqual(rowsOf(log.storeFile, 'entries'));
  });

  it('is for a store that no server has open, but for a dry run', async () => {
    await using _server = SqliteStore.open(copy);
    await expect(repair(parts(), { dryRun: false })).rejects.toBeInstanceOf(StoreLocked);
    expect((await repair(parts(), { dryRun: true })).repaired.count).toBe(0);
  });

  it('changes nothing where it ends in the middle', async () => {
    alter('DELETE FROM entries WHERE idx = 10', 'DELETE FROM entries WHERE idx = 700');
    const before = rowsOf(copy, 'entries');
    const stopping = new AbortController();
    const stopped = { ...parts(), mirror: { ...parts().mirror, signal: stopping.signal } };
    const repairing = repair(stopped, {
      dryRun: false,
      onProgress: ({ step, done, total }) => {
        if (step === 'entries' && done === total) stopping.abort();
      },
    });
    await expect(repairing).rejects.toMatchObject({ problem: 'mirror_unreachable' });
    expect(rowsOf(copy, 'entries')).toEqual(before);
    expect(existsSync(parts().undoFile)).toBe(false);
  });
});
