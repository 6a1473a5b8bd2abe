/** An administrator of the database changes a log behind everybody's back, and a mirror puts it right. */
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type MendableStore, SqliteStore, StoreFenced, StoreLocked } from '@tallystick/ledger';
import { PostgresStore } from '@tallystick/ledger/postgres';
import { PostgresServer } from '@tallystick/testkit';
import { type ContentKey, createContentKey, loadContentKey } from '@tallystick/witness';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  copyStore,
  type FsckReport,
  fsck,
  type RepairOptions,
  type RepairReport,
  repairStore,
} from '../src/index.ts';
import { sealedTile } from './support/sealed-tile.ts';
import { repairParts, type StoreMirror, serveStore } from './support/store-mirror.ts';
import { makeVariedLog, partsOf, removeLog, type VariedLog } from './support/varied-log.ts';

const tables = [
  'leaves',
  'entries',
  'contents',
  'causes',
  'signed_requests',
  'checkpoints',
  'signed',
] as const;

let server: PostgresServer;
let log: VariedLog;
let mirror: StoreMirror;
let size: number;
/** Everything in the database, as it was before anybody came. */
let whole: unknown[];
/** A record whose content is all there, and the index of another one of the same subject behind it. */
let place: { one: number; next: number };
let lastRecord: number;
let undoFile: string;

const options = () => ({
  url: server.url({ schema: 'acme', durability: 'single-node' }),
  holder: randomUUID(),
});
const open = (dryRun = false): Promise<MendableStore> =>
  dryRun ? PostgresStore.read(options()) : PostgresStore.open(options());

beforeAll(async () => {
  [server, log] = await Promise.all([PostgresServer.start(), makeVariedLog()]);
  mirror = await serveStore(log.storeFile, log.trust.log.origin);
  size = log.mark.size;
  undoFile = `${log.folder}/undo.db`;
  await using source = SqliteStore.open(log.storeFile, { readOnly: true });
  await using target = await PostgresStore.create(options());
  await copyStore(source, target, { size });
  await server.sql(tables.map((table) => `CREATE TABLE kept_${table} AS TABLE acme.${table}`).join(';'));
  whole = await everything();
  const [found] = await server.sql<{ one: string; next: string }>(
    `SELECT a.idx AS one, min(b.idx) AS next FROM acme.leaves a JOIN acme.leaves b ON b.subject = a.subject AND b.idx > a.idx
       JOIN acme.contents c ON c.idx = a.idx AND c.companion IS NOT NULL GROUP BY a.idx ORDER BY a.idx LIMIT 1`,
  );
  const [last] = await server.sql<{ idx: string }>('SELECT max(idx) AS idx FROM acme.contents');
  lastRecord = Number(last?.idx);
  place = { one: Number(found?.one), next: Number(found?.next) };
});

afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  removeLog(log);
});

beforeEach(async () => {
  const restoring = tables.map(
    (table) => `TRUNCATE acme.${table}; INSERT INTO acme.${table} TABLE kept_${table}`,
  );
  await server.sql(restoring.join(';'));
  rmSync(undoFile, { force: true });
});

/** The rows of every table that holds the log. */
async function everything(): Promise<unknown[]> {
  return Promise.all(tables.map((table) => server.sql(`SELECT * FROM acme.${table} ORDER BY 1`)));
}

async function repair(
  given: RepairOptions = { dryRun: false },
  signal = new AbortController().signal,
  contentKey: ContentKey | null = null,
): Promise<RepairReport> {
  await using store = await open(given.dryRun);
  const parts = repairParts(log, mirror, contentKey);
  return await repairStore({ ...parts, mirror: { ...parts.mirror, signal }, store }, given);
}

async function check(): Promise<FsckReport> {
  await using store = await open(true);
  const { storeFile: _, ...parts } = partsOf(log, store);
  return await fsck(
    { ...parts, projections: null },
    { now: Math.floor(Date.now() / 1000), workers: 0, all: true },
  );
}

/** The flipped byte of a column at an index. */
const flip = (table: string, column: string, at = place.one): string =>
  `UPDATE acme.${table} SET ${column} = set_byte(${column}, 9, get_byte(${column}, 9) # 1) WHERE idx = ${at}`;
/** The values of one column of a table at two indexes, the one in the place of the other. */
const swap = (table: string, columns: string): string =>
  `UPDATE acme.${table} t SET (${columns}) = (SELECT ${columns} FROM kept_${table} k WHERE k.idx = CASE t.idx
     WHEN ${place.one} THEN ${place.next} ELSE ${place.one} END) WHERE idx IN (${place.one}, ${place.next})`;
const remove = (from: number): string =>
  ['leaves', 'entries', 'contents', 'causes', 'signed_requests']
    .map((t) => `DELETE FROM acme.${t} WHERE idx >= ${from}`)
    .join(';');

describe('what an administrator of the database did to the log is noticed, and put right, where they', () => {
  it.each<[string, () => string, number]>([
    ['altered a byte of an entry', () => flip('entries', 'entry'), 1],
    ['gave a row of the map another subject', () => flip('leaves', 'subject'), 1],
    ['made an older revision the newest', () => `UPDATE acme.leaves SET rev = 9 WHERE idx = ${place.one}`, 1],
    ['deleted an entry', () => `DELETE FROM acme.entries WHERE idx = ${place.one}`, 1],
    ['deleted a row of the map', () => `DELETE FROM acme.leaves WHERE idx = ${place.one}`, 1],
    [
      'deleted the first row of both',
      () => 'DELETE FROM acme.leaves WHERE idx = 0; DELETE FROM acme.entries WHERE idx = 0',
      1,
    ],
    ['swapped two entries', () => swap('entries', 'entry'), 2],
    [
      'swapped two entries with their rows',
      () => `${swap('entries', 'entry')}; ${swap('leaves', 'leaf, rev')}`,
      2,
    ],
    ['emptied every entry', () => "UPDATE acme.entries SET entry = ''", -1],
    ['altered the fence', () => 'UPDATE acme.fence SET size = 3', 0],
  ])('%s', async (_what, attack, count) => {
    await server.sql(attack());
    const altered = await everything();
    expect((await check()).ok).toBe(count === 0);
    const dry = await repair({ dryRun: true });
    expect(await everything()).toEqual(altered);
    const report = await repair();
    expect(report.repaired).toEqual(dry.repaired);
    expect([report.repaired.count, report.added, report.lost.count]).toEqual([
      count < 0 ? size : count,
      null,
      0,
    ]);
    expect(await everything()).toEqual(whole);
    expect(await check()).toMatchObject({ ok: true, problems: [] });
  });

  it('deleted a tail with its checkpoints, and the log goes on behind it', async () => {
    const from = lastRecord;
    await server.sql(`${remove(from)}; DELETE FROM acme.checkpoints WHERE size > ${from}`);
    expect((await check()).problems.map(({ table }) => table)).toContain('mark');
    const report = await repair();
    expect([report.sizeBefore, report.added, report.published]).toEqual([from, { from, to: size }, size]);
    const contents = (rows: unknown): unknown[] =>
      (rows as { idx: string }[]).filter(({ idx }) => Number(idx) < from);
    const [leaves, entries] = await everything();
    expect([leaves, entries]).toEqual([whole[0], whole[1]]);
    expect(contents((await everything())[2])).toEqual(contents(whole[2]));
    // What no mirror has is told, by the repair and by every check from then on.
    expect([report.lost.count, report.lost.first.map(({ index }) => index)]).toEqual([1, [lastRecord]]);
    const named = (await check()).problems.filter(({ table }) => table === 'contents');
    expect(new Set(named.map(({ index }) => index))).toEqual(new Set([lastRecord]));
    await using store = await open();
    expect(await store.size()).toBe(size);
    const [last] = await store.entries(size - 1, 1);
    if (last === undefined) throw new Error('no last entry');
    await store.append({ size, entries: [{ ...last, index: size }], causes: [] });
  });

  it('swapped or removed documents: that is told, and no repair says that it put them right', async () => {
    const columns = 'salt, document, companion_salt, companion';
    await server.sql(swap('contents', columns));
    const swapped = await everything();
    const problems = (await check()).problems.map(({ index, table, part }) => [index, table, part]);
    expect(problems).toContainEqual([place.one, 'contents', 'document']);
    expect(problems).toContainEqual([place.next, 'contents', 'document']);
    expect(await repair()).toMatchObject({ repaired: { count: 0 }, added: null, undo: null });
    expect(await everything()).toEqual(swapped);
    await server.sql(`DELETE FROM acme.contents WHERE idx = ${place.one}`);
    expect(await repair()).toMatchObject({ repaired: { count: 0 }, undo: null });
    expect((await check()).problems).toContainEqual(
      expect.objectContaining({ index: place.one, table: 'contents', part: 'row' }),
    );
  });

  it('put an entry behind the end: that is told, because no mirror can say what it is', async () => {
    await server.sql(
      `INSERT INTO acme.leaves SELECT ${size}, leaf, subject, rev FROM acme.leaves WHERE idx = ${place.one};
       INSERT INTO acme.entries SELECT ${size}, entry FROM acme.entries WHERE idx = ${place.one}`,
    );
    const altered = await everything();
    expect(await repair()).toMatchObject({ sizeBefore: size + 1, repaired: { count: 0 }, added: null });
    expect(await everything()).toEqual(altered);
    expect((await check()).problems.map(({ index }) => index)).toContain(size);
  });
});

describe('nothing is changed', () => {
  const attack = (): string =>
    `${flip('entries', 'entry')}; DELETE FROM acme.leaves WHERE idx = ${place.next}`;
  const expectUnchanged = async (altered: unknown[]): Promise<void> => {
    expect(await everything()).toEqual(altered);
    expect(existsSync(undoFile)).toBe(false);
  };

  it('beside a server that writes, whose log can be compared all the same', async () => {
    await using writer = await open();
    await server.sql(attack());
    const altered = await everything();
    await expect(repair()).rejects.toThrow(StoreLocked);
    expect(await repair({ dryRun: true })).toMatchObject({ repaired: { count: 2 }, undo: null });
    await expectUnchanged(altered);
    expect(await writer.size()).toBe(size);
  });

  it('where another server has taken the store over meanwhile', async () => {
    await server.sql(attack());
    const altered = await everything();
    await using taken = await open();
    const parts = { ...repairParts(log, mirror), store: taken };
    await using _other = await PostgresStore.open({ ...options(), takeOver: true });
    await expect(repairStore(parts, { dryRun: false })).rejects.toThrow(StoreFenced);
    await expectUnchanged(altered);
  });

  it('where the mirror goes away in the middle', async () => {
    await server.sql(attack());
    const altered = await everything();
    const stopping = new AbortController();
    const onProgress: RepairOptions['onProgress'] = ({ step, done, total }) => {
      if (step === 'entries' && done === total) stopping.abort();
    };
    await expect(repair({ dryRun: false, onProgress }, stopping.signal)).rejects.toMatchObject({
      problem: 'mirror_unreachable',
    });
    await expectUnchanged(altered);
  });

  it.each([
    ['swallows what is written', 'entries', 'RETURN NULL;'],
    ['ends what writes', 'leaves', "RAISE 'not you';"],
  ])('where a trigger %s', async (_what, table, body) => {
    await server.sql(attack());
    await server.sql(
      `CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$;
       CREATE TRIGGER keep_out BEFORE INSERT OR UPDATE ON acme.${table} FOR EACH ROW EXECUTE FUNCTION keep_out()`,
    );
    const altered = await everything();
    await expect(repair()).rejects.toThrow('nothing was changed');
    await server.sql('DROP FUNCTION keep_out CASCADE');
    await expectUnchanged(altered);
    expect((await repair()).repaired.count).toBe(2);
  });

  it('where the fence is gone, until it is made anew', async () => {
    await server.sql(`${attack()}; DELETE FROM acme.fence`);
    const altered = await everything();
    await expect(repair()).rejects.toThrow('the fence of the store is gone');
    await expectUnchanged(altered);
    // As docs/operating/postgresql.md has it.
    const anew = "INSERT INTO acme.fence (format, epoch, holder, size, beats) VALUES (2, 0, '', 0, 0)";
    await server.sql(anew);
    expect((await repair()).repaired.count).toBe(2);
  });
});

describe('what a repair replaces', () => {
  it('is kept, so that the store can be made as it was', async () => {
    const from = size - 4;
    await server.sql(
      `${flip('entries', 'entry')}; DELETE FROM acme.leaves WHERE idx = ${place.next};
       DELETE FROM acme.entries WHERE idx = ${place.next}; ${remove(from)}`,
    );
    const before = await everything();
    const { undo } = await repair();
    await takeBack(undo);
    expect((await everything()).slice(0, 4)).toEqual(before.slice(0, 4));
  });

  it('has the documents and causes that came back with a content key', async () => {
    const keyFile = `${log.folder}/content.key`;
    createContentKey(keyFile);
    const key = loadContentKey(keyFile);
    mirror.contents = (tile) =>
      sealedTile({ storeFile: log.storeFile, genesis: log.trust.genesis }, tile, key);
    const { one } = place;
    await server.sql(
      `UPDATE acme.contents SET document = '{}' WHERE idx = ${one};
       DELETE FROM acme.contents WHERE idx = ${place.next};
       DELETE FROM acme.causes WHERE idx = ${one};
       ${remove(size - 4)}`,
    );
    const before = await everything();
    const report = await repair({ dryRun: false }, undefined, key);
    expect([report.lost.count, report.lostCauses, report.wrong.count]).toEqual([0, 0, 0]);
    expect((await everything()).slice(0, 5)).toEqual(whole.slice(0, 5));
    await takeBack(report.undo);
    expect((await everything()).slice(0, 5)).toEqual(before.slice(0, 5));
    mirror.contents = async () => null;
  });

  it('has what was signed and is there although the log erased it', async () => {
    const [erased] = await server.sql<{ cause: string }>(
      'SELECT cause FROM acme.contents WHERE document IS NULL ORDER BY idx LIMIT 1',
    );
    const putBack = `INSERT INTO acme.signed_requests VALUES (${erased?.cause}, '\\x01', 'Erika')`;
    await server.sql(`${putBack}; ${flip('leaves', 'subject')}`);
    const before = await everything();
    const { undo, repaired } = await repair();
    expect(repaired.first.map(({ table }) => table)).toEqual(['leaves', 'signed_requests']);
    expect(await everything()).toEqual(whole);
    await takeBack(undo);
    expect(await everything()).toEqual(before);
  });

  async function takeBack(undo: string | null): Promise<void> {
    const database = new DatabaseSync(String(undo), { readOnly: true });
    const lines = database.prepare(undoSql).all() as { line: string }[];
    database.close();
    await server.sql(lines.map(({ line }) => line).join('\n'));
  }

  /** As docs/operating/running-a-mirror.md has it. */
  const undoSql = `
    SELECT format('DELETE FROM acme.%s WHERE idx BETWEEN %d AND %d;', t.column1, first, last) AS line
      FROM added, (VALUES ('leaves'), ('entries'), ('contents'), ('causes'), ('signed_requests')) t
    UNION ALL SELECT format('DELETE FROM acme.%s WHERE idx = %d;', t.column1, idx)
      FROM missing, (VALUES ('leaves'), ('entries')) t
    UNION ALL SELECT format('DELETE FROM acme.leaves WHERE idx = %d; INSERT INTO acme.leaves VALUES (%d, ''\\x%s'', %s, %d);',
      idx, idx, hex(leaf), iif(subject IS NULL, 'NULL', '''\\x' || hex(subject) || ''''), rev) FROM leaves
    UNION ALL SELECT format('DELETE FROM acme.entries WHERE idx = %d; INSERT INTO acme.entries VALUES (%d, ''\\x%s'');',
      idx, idx, hex(entry)) FROM entries
    UNION ALL SELECT format('DELETE FROM acme.%s WHERE idx = %d;', t.column1, idx)
      FROM lacking, (VALUES ('contents'), ('causes'), ('signed_requests')) t
    UNION ALL SELECT format('INSERT INTO acme.causes VALUES (%d, %d, ''\\x%s'', ''\\x%s'');',
      idx, records, hex(salt), hex(document)) FROM causes
    UNION ALL SELECT format('INSERT INTO acme.signed_requests VALUES (%d, ''\\x%s'', ''\\x%s'');',
      idx, hex(salt), hex(request)) FROM signed_requests
    UNION ALL SELECT format('INSERT INTO acme.contents VALUES (%d, %s, %s, %s, %s, %s, %d);', idx, quote(id),
      iif(salt IS NULL, 'NULL', '''\\x' || hex(salt) || ''''),
      iif(document IS NULL, 'NULL', '''\\x' || hex(document) || ''''),
      iif(companion_salt IS NULL, 'NULL', '''\\x' || hex(companion_salt) || ''''),
      iif(companion IS NULL, 'NULL', '''\\x' || hex(companion) || ''''), cause) FROM contents`;
});
