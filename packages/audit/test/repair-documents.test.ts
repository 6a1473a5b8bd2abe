/** Repairs with a content key: documents, companions and causes that come back, and those that must not. */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type MendableStore, SqliteStore } from '@tallystick/ledger';
import { type ContentKey, createContentKey, loadContentKey, type PlainPart } from '@tallystick/witness';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type RepairOptions,
  type RepairParts,
  type RepairReport,
  repairNewStore,
  repairStore,
} from '../src/index.ts';
import { JudgedSystem } from './support/judged-system.ts';
import { sealedTile } from './support/sealed-tile.ts';
import { repairParts, type StoreMirror, serveStore } from './support/store-mirror.ts';
import { alterFile, rowsOf } from './support/tamper.ts';
import { makeLog, type VariedLog } from './support/varied-log.ts';

const licenses = 300;
const personal = 'Erika Mustermann';
const tables = ['leaves', 'entries', 'contents', 'causes', 'signed_requests'] as const;

let log: VariedLog;
let mirror: StoreMirror;
let key: ContentKey;
/** Log indexes of commands that somebody signed for, and of one whose customer was erased since. */
let signed: [number, number];
let gone: number;
/** Log index of a command that nobody signed. */
let unsigned: number;
/** A copy of the store from before its customer was erased. */
let early: string;
/** A copy of the store that tests alter. */
let copy: string;
/** What the mirror says instead of the truth. */
let lie: (parts: PlainPart[]) => PlainPart[];

beforeAll(async () => {
  log = await makeLog(async (system, { storeFile }) => {
    const judged = await JudgedSystem.on(system);
    const robot = await judged.machine('Robot');
    const sell = { type: 'license.issue', plan: 'pro-yearly' } as const;
    await judged.run(robot, { type: 'customer.create', reference: 'gone', name: personal });
    gone = (await judged.run(robot, { ...sell, customer: 'gone', licensee: personal })).index;
    const [first, second] = [await judged.run(robot, sell), await judged.run(robot, sell)];
    signed = [first.index, second.index];
    const issuing = Array.from({ length: licenses }, () =>
      system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' }),
    );
    const issued = await Promise.all(issuing);
    unsigned = issued[0]?.changes[0]?.index ?? -1;
    await system.ledger.whenPublished(system.ledger.size, 60_000);
    early = `${storeFile}.early`;
    new DatabaseSync(storeFile, { readOnly: true }).exec(`VACUUM INTO '${early}'`);
    await system.run({ type: 'customer.erase', customer: 'gone' });
  });
  copy = `${log.folder}/copy.db`;
  const keyFile = `${log.folder}/content.key`;
  createContentKey(keyFile);
  key = loadContentKey(keyFile);
  mirror = await serveStore(log.storeFile, log.trust.log.origin);
});

afterAll(async () => {
  await mirror[Symbol.asyncDispose]();
  rmSync(log.folder, { recursive: true });
});

beforeEach(() => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(copy + suffix, { force: true });
  rmSync(parts().undoFile, { force: true });
  cpSync(log.storeFile, copy);
  lie = (truth) => truth;
  mirror.contents = (tile) => sealed(log.storeFile, tile);
});

const parts = (): Omit<RepairParts, 'store'> => repairParts(log, mirror, key);

async function repair(options: RepairOptions, given = parts()): Promise<RepairReport> {
  const repairIt = (store: MendableStore): Promise<RepairReport> => repairStore({ ...given, store }, options);
  if (!existsSync(copy)) return repairNewStore(copy, options, repairIt);
  await using store = SqliteStore.open(copy, { readOnly: options.dryRun });
  return await repairIt(store);
}

const sealed = (storeFile: string, tile: number): Promise<Uint8Array | null> =>
  sealedTile({ storeFile, genesis: log.trust.genesis }, tile, key, (truth) => lie(truth));

const alter = (...statements: string[]): void => alterFile(copy, ...statements);

/** As docs/operating/running-a-mirror.md has it. */
function takeBackContents({ undo }: RepairReport): void {
  alter(
    `ATTACH '${undo}' AS undo`,
    'DELETE FROM signed_requests WHERE idx IN (SELECT idx FROM undo.lacking)',
    'DELETE FROM causes WHERE idx IN (SELECT idx FROM undo.lacking)',
    'DELETE FROM contents WHERE idx IN (SELECT idx FROM undo.lacking)',
    'INSERT INTO signed_requests SELECT * FROM undo.signed_requests',
    'INSERT INTO causes SELECT * FROM undo.causes',
    'INSERT INTO contents SELECT * FROM undo.contents',
  );
}

const all = (file: string): unknown[][] => tables.map((table) => rowsOf(file, table));

const damage = [
  "UPDATE contents SET document = CAST(replace(document, 'Contoso', 'Contosa') AS BLOB) WHERE idx = 40",
  'UPDATE contents SET salt = zeroblob(32) WHERE idx = 41',
  'UPDATE contents SET companion = NULL WHERE idx = 42',
  'UPDATE contents SET document = NULL, salt = NULL, companion = NULL, companion_salt = NULL WHERE idx = 43',
  'DELETE FROM contents WHERE idx = 44',
  "UPDATE causes SET document = CAST(replace(document, 'license.issue', 'license.amend') AS BLOB) WHERE idx = 45",
  'DELETE FROM causes WHERE idx = 46',
];

describe('a repair with a content key', () => {
  it('makes a store where there is none, the same as the one that was lost, and nothing in a dry run', async () => {
    rmSync(copy);
    const dry = await repair({ dryRun: true });
    expect([dry.sizeBefore, dry.added?.to, existsSync(copy), existsSync(`${copy}.partial`)]).toEqual([
      0,
      log.mark.size,
      false,
      false,
    ]);
    const report = await repair({ dryRun: false });
    expect([report.lost.count, report.lostCauses, report.wrong.count]).toEqual([0, 0, 0]);
    expect(all(copy)).toEqual(all(log.storeFile));
    expect(report.documents).toBe(rowsOf(log.storeFile, 'contents', 'document IS NOT NULL').length);
    expect(report.causes).toBe(rowsOf(log.storeFile, 'causes').length);
  });

  it('puts right what was altered and lost, and keeps what it replaces', async () => {
    alter(
      ...damage,
      `DELETE FROM signed_requests WHERE idx = ${signed[0]}`,
      `UPDATE signed_requests SET request = X'7b7d' WHERE idx = ${signed[1]}`,
    );
    const before = all(copy);
    const report = await repair({ dryRun: false });
    const found = report.repaired.first.map(({ index, table }) => `${table} ${index}`);
    expect(found).toEqual([
      ...signed.map((index) => `signed_requests ${index}`),
      ...[40, 41, 42, 43, 44].map((index) => `contents ${index}`),
      'causes 45',
      'causes 46',
    ]);
    expect(all(copy)).toEqual(all(log.storeFile));
    takeBackContents(report);
    expect(all(copy)).toEqual(before);
  });

  it('leaves erased what is erased, also where the mirror still has it', async () => {
    mirror.contents = (tile) => sealed(early, tile);
    const report = await repair({ dryRun: false });
    expect([report.repaired.count, report.documents, report.undo]).toEqual([0, 0, null]);
    expect(all(copy)).toEqual(all(log.storeFile));
    // The cause comes back, and what was signed stays erased.
    alter(`DELETE FROM causes WHERE idx = ${gone}`);
    const again = await repair({ dryRun: false });
    expect(again.repaired.first.map(({ index, table }) => `${table} ${index}`)).toEqual([`causes ${gone}`]);
    expect(all(copy)).toEqual(all(log.storeFile));
    expect(rowsOf(early, 'signed_requests', `idx = ${gone}`)).toHaveLength(1);
  });

  it.each([
    ['with a content key', () => parts()],
    ['without one', () => ({ ...parts(), contentKey: null })],
  ] as const)(
    'removes what was signed where the log erased it, or nobody signed anything: %s',
    async (_how, given) => {
      const putBack = `INSERT INTO signed_requests SELECT * FROM early.signed_requests WHERE idx = ${gone}`;
      const putThere = `INSERT INTO signed_requests SELECT ${unsigned}, salt, request FROM signed_requests WHERE idx = ${signed[0]}`;
      alter(`ATTACH '${early}' AS early`, putBack, putThere);
      const before = all(copy);
      const wanted = [
        [gone, 'signed_requests', 'what was signed was there again, and the log erased it'],
        [unsigned, 'signed_requests', 'there was something signed, and the cause commits to nothing'],
      ];
      const found = ({ repaired }: RepairReport) =>
        repaired.first.map(({ index, table, message }) => [index, table, message]);
      expect(found(await repair({ dryRun: true }, given()))).toEqual(wanted);
      expect(all(copy)).toEqual(before);
      const report = await repair({ dryRun: false }, given());
      expect([found(report), report.causes]).toEqual([wanted, 0]);
      expect(all(copy)).toEqual(all(log.storeFile));
      takeBackContents(report);
      expect(all(copy)).toEqual(before);
    },
  );

  it('leaves what was signed where only its cause comes back', async () => {
    alter(`DELETE FROM causes WHERE idx = ${signed[0]}`);
    lie = (truth) => truth.filter((part) => !('request' in part));
    expect((await repair({ dryRun: false })).repaired.count).toBe(1);
    expect(all(copy)).toEqual(all(log.storeFile));
  });

  it('takes nothing signed that the cause does not commit to', async () => {
    alter(`DELETE FROM signed_requests WHERE idx = ${signed[0]}`);
    lie = (truth) =>
      truth.map((part) =>
        'request' in part ? { ...part, request: { ...part.request, salt: new Uint8Array(32) } } : part,
      );
    const report = await repair({ dryRun: false });
    expect([report.wrong.first[0]?.index, report.repaired.count, report.undo]).toEqual([signed[0], 0, null]);
    expect(rowsOf(copy, 'signed_requests')).toHaveLength(1);
  });

  it.each([
    ['an altered document', (content: Content) => ({ ...content, document: flipped(content.document) }), 1],
    ['another salt', (content: Content) => ({ ...content, salt: flipped(content.salt) }), 1],
    ['another companion', (content: Content) => ({ ...content, companion: Buffer.from('{}') }), 1],
    [
      'a document under another id',
      (content: Content) => ({ ...content, id: 'lic_00000000000000000000000000' }),
      1,
    ],
  ] as const)('takes nothing that is not what the log commits to: %s', async (_what, change, count) => {
    alter('DELETE FROM contents WHERE idx IN (60, 61)');
    lie = (truth) =>
      truth.map((part) =>
        part.index === 60 && 'content' in part && part.content !== null
          ? { index: 60, content: change(part.content) }
          : part,
      );
    const report = await repair({ dryRun: false });
    expect([report.wrong.count, report.wrong.first[0]?.index, report.documents]).toEqual([count, 60, 1]);
    expect(rowsOf(copy, 'contents')).toEqual(rowsOf(log.storeFile, 'contents', 'idx <> 60'));
  });

  it('changes nothing with another key, or where what the mirror holds does not open', async () => {
    alter(...damage);
    const before = all(copy);
    const otherFile = `${log.folder}/other.key`;
    createContentKey(otherFile);
    const wrongKey = { ...parts(), contentKey: loadContentKey(otherFile) };
    await expect(repair({ dryRun: false }, wrongKey)).rejects.toMatchObject({
      problem: 'content_key_wrong',
    });
    mirror.contents = async (tile) => {
      const bytes = await sealed(log.storeFile, tile);
      return bytes && flipped(bytes, bytes.length - 20);
    };
    await expect(repair({ dryRun: false })).rejects.toMatchObject({ problem: 'mirror_wrong' });
    mirror.contents = async () => new Uint8Array(40).fill(9);
    await expect(repair({ dryRun: false })).rejects.toMatchObject({ problem: 'mirror_wrong' });
    expect(all(copy)).toEqual(before);
    expect(existsSync(parts().undoFile)).toBe(false);
  });
});

type Content = NonNullable<Extract<PlainPart, { content: unknown }>['content']>;

function flipped(bytes: Uint8Array, at: number = bytes.length >> 1): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
