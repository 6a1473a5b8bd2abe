import { rmSync } from 'node:fs';
import { SqliteStore, StoreLocked } from '@tallystick/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RebuildReport, rebuildProjections } from '../src/index.ts';
import { flip } from './support/tamper.ts';
import { Copy, makeVariedLog, removeLog, type VariedLog } from './support/varied-log.ts';

let log: VariedLog;

beforeAll(async () => {
  log = await makeVariedLog();
});

afterAll(() => {
  removeLog(log);
});

async function rebuild({
  log: { storeFile, projectionsFile, trust, ns, indexKey },
}: Copy): Promise<RebuildReport> {
  await using store = SqliteStore.open(storeFile);
  return await rebuildProjections({ store, projectionsFile, genesis: trust.genesis, ns, indexKey });
}

describe('rebuilding the projections', () => {
  it('of a log that nobody touched changes nothing', async () => {
    using copy = new Copy(log);
    const { size, rows, differences } = await rebuild(copy);
    expect(differences).toBe(0);
    expect(rows).toBeGreaterThan(20);
    const report = await copy.check();
    expect(report).toMatchObject({ ok: true, size, skipped: [] });
  });

  it('puts right what was changed, and says how much that was', async () => {
    using copy = new Copy(log);
    copy.tamperProjections((db) => {
      db.exec(
        "DELETE FROM names; UPDATE licenses SET state = 'active'; INSERT INTO requests VALUES ('x', 1)",
      );
    });
    const { differences, first } = await rebuild(copy);
    expect(differences).toBeGreaterThan(5);
    expect(first?.table).toBe('names');
    expect((await copy.check()).ok).toBe(true);
  });

  it('makes them where there are none', async () => {
    using copy = new Copy(log);
    rmSync(copy.log.projectionsFile);
    expect((await copy.check()).skipped[0]).toContain('rebuild');
    expect((await rebuild(copy)).differences).toBeNull();
    expect(await copy.check()).toMatchObject({ ok: true, skipped: [] });
  });

  it('is refused while a server has the store open', async () => {
    using copy = new Copy(log);
    await using _server = SqliteStore.open(copy.log.storeFile);
    await expect(rebuild(copy)).rejects.toBeInstanceOf(StoreLocked);
  });

  it('leaves the old ones where the log does not fit itself', async () => {
    using copy = new Copy(log);
    const { size } = await copy.check();
    copy.tamper((db) => flip(db, 'contents', 'document', 2));
    await expect(rebuild(copy)).rejects.toThrow('entry 2');
    copy.tamper((db) => flip(db, 'contents', 'document', 2));
    expect(await copy.check()).toMatchObject({ ok: true, size, skipped: [] });
  });
});
