/** What becomes of signed requests, and of hashes of what was asked, when the customer that they speak of is erased. */
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import {
  base64,
  type CustodyReport,
  encodeCustodyReport,
  type Opening,
  parseCustodyReport,
  readCauseStatement,
  sha256,
  signedRequestIn,
  type TrustRoot,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { custodyLines, type FsckProblem, replayDecisions, verifyCustody } from '../src/index.ts';
import { type Actor, JudgedSystem } from './support/judged-system.ts';
import { Copy, check, makeLog, removeLog, type VariedLog } from './support/varied-log.ts';

const create = { type: 'customer.create', reference: 'erika-7', name: 'Erika Mustermann' } as const;
const plan = 'pro-yearly';
/** Says the reference of the customer, and nothing personal in the license itself. */
const silent = { type: 'license.issue', plan, customer: 'erika-7' } as const;

let log: VariedLog;
let pin: TrustRoot[];
/** Log indexes of the commands. */
const at: Record<'created' | 'named' | 'silent' | 'suspended' | 'other' | 'erased', number> = {
  created: 0,
  named: 0,
  silent: 0,
  suspended: 0,
  other: 0,
  erased: 0,
};
let before: CustodyReport;
let after: CustodyReport;
/** What was signed for the license that names the customer, as it lay in the store. */
let erased: Opening;
let textBefore = '';
let textAfter = '';

async function textOf(file: string): Promise<string> {
  await using store = SqliteStore.open(file, { readOnly: true });
  const causes = await store.causes(0, 10_000);
  return causes
    .flatMap(({ document, signed }) => {
      const request = Buffer.from(signed?.bytes ?? []).toString();
      const { body = null } = (request === '' ? {} : JSON.parse(request)) as { body?: string | null };
      return [Buffer.from(document).toString(), request, Buffer.from(body ?? '', 'base64').toString()];
    })
    .join('\n');
}

beforeAll(async () => {
  log = await makeLog(async (system, { storeFile }) => {
    pin = await verifyTrustChain([system.world.identity.trustRoot]);
    const judged = await JudgedSystem.on(system);
    const robot: Actor = await judged.machine('Robot');
    const janitor: Actor = await judged.machine('Janitor', 'administrator');
    const reportOn = async (id: string): Promise<CustodyReport> => {
      await system.ledger.whenPublished(system.ledger.size, 5000);
      return parseCustodyReport(utf8(await system.ledger.custody(id)));
    };
    const made = await judged.run(robot, create, { key: 'create-1' });
    at.created = made.index;
    at.named = (await judged.run(robot, { ...silent, licensee: 'Erika Mustermann' })).index;
    const { id: license, index } = await judged.run(robot, silent, { key: 'order-1' });
    at.silent = index;
    const suspend = { type: 'license.suspend', license, reason: 'payment' } as const;
    at.suspended = (await judged.run(robot, suspend)).index;
    at.other = (await judged.run(robot, { type: 'license.issue', plan, licensee: 'Contoso' })).index;
    before = await reportOn(license);
    textBefore = await textOf(storeFile);
    erased = (await system.world.store.cause(at.named))?.signed as Opening;
    at.erased = (await judged.run(janitor, { type: 'customer.erase', customer: 'erika-7' })).index;
    after = await reportOn(license);
    textAfter = await textOf(storeFile);
    await expect(judged.run(robot, create, { key: 'create-1' })).rejects.toThrow('was erased since');
    const other = { ...create, name: 'Erika Musterfrau' };
    await expect(judged.run(robot, other, { key: 'create-1' })).rejects.toThrow('was erased since');
  });
});
afterAll(() => removeLog(log));

describe('erasing a customer', () => {
  it('reaches what was signed for it and its licenses, for nobody else, and no hash tells who guesses', async () => {
    expect(textBefore).toMatch(/Erika Mustermann.*erika-7/s);
    expect(textBefore).toContain('Contoso');
    expect(textAfter).not.toMatch(/[Ee]rika|Mustermann/);
    expect(textAfter).toContain('Contoso');
    for (const command of [create, silent])
      expect(textBefore).not.toContain(base64(sha256(utf8(JSON.stringify(command)))));
    const database = new DatabaseSync(log.storeFile, { readOnly: true });
    const rows = database.prepare('SELECT idx FROM signed_requests ORDER BY idx').all();
    database.close();
    expect(rows.map((row) => row['idx'])).toEqual([at.other]);
    // Not between the rows either.
    const body = Buffer.from(erased.bytes).subarray(-60);
    expect(readFileSync(log.storeFile).includes(body)).toBe(false);
  });

  it.each([0, 2])('leaves a store in which everything fits (%d threads)', async (workers) => {
    const report = await check(log, { workers });
    expect(report.problems).toEqual([]);
    expect(report.counts).toMatchObject({ requests: 1, erasedRequests: 5 });
  });

  it('leaves decisions that can be made again, and says that signatures are gone', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    const { findings, counts } = await replayDecisions(store, { from: null, to: null });
    const found = findings.filter(({ kind }) => kind !== 'undecided' && kind !== 'roles');
    expect(found).toEqual([]);
    expect(counts.erasedRequests).toBe(5);
  });
});

describe('a signed request', () => {
  const rows = 'signed_requests WHERE idx =';
  it.each<readonly [string, () => string, string, () => number]>([
    ['deleted without an erasure', () => `DELETE FROM ${rows} ${at.other}`, 'row', () => at.other],
    [
      'altered',
      () => `UPDATE signed_requests SET request = X'7b7d' WHERE idx = ${at.other}`,
      'request',
      () => at.other,
    ],
    [
      'given another salt',
      () => `UPDATE signed_requests SET salt = zeroblob(32) WHERE idx = ${at.other}`,
      'request',
      () => at.other,
    ],
    [
      'put where nobody signed anything',
      () => `INSERT INTO signed_requests SELECT 2, salt, request FROM ${rows} ${at.other}`,
      'request',
      () => 2,
    ],
    [
      'put in the place of one that was erased',
      () => `INSERT INTO signed_requests SELECT ${at.named}, salt, request FROM ${rows} ${at.other}`,
      'request',
      () => at.named,
    ],
  ])('that was %s is found, with threads and without', async (_what, sql, part, index) => {
    using copy = new Copy(log);
    copy.tamper((database) => database.exec(sql()));
    for (const workers of index() === at.other || index() === at.named ? [0, 2] : [0]) {
      const { problems } = await check(copy.log, { workers, all: true });
      expect(problems.map((problem: FsckProblem) => [problem.table, problem.part, problem.index])).toEqual([
        ['signed_requests', part, index()],
      ]);
    }
  });

  it.each([
    ['where no command begins', () => at.erased + 1],
    ['behind the end of the log', () => log.mark.size + 1000],
  ])('that was erased and is put back %s is found', async (_where, index) => {
    using copy = new Copy(log);
    copy.tamper((database) =>
      database
        .prepare('INSERT INTO signed_requests VALUES (?, ?, ?)')
        .run(index(), erased.salt, erased.bytes),
    );
    for (const workers of [0, 2]) {
      const { problems } = await check(copy.log, { workers, all: true });
      expect(problems.map((each: FsckProblem) => [each.table, each.part, each.index])).toEqual([
        ['signed_requests', 'row', index()],
      ]);
    }
  });

  it('that was erased and is put back is found', async () => {
    using copy = new Copy(log);
    copy.tamper((database) =>
      database
        .prepare('INSERT INTO signed_requests VALUES (?, ?, ?)')
        .run(at.named, erased.salt, erased.bytes),
    );
    for (const workers of [0, 2]) {
      const { problems } = await check(copy.log, { workers, all: true });
      expect(problems).toMatchObject([
        {
          table: 'signed_requests',
          part: 'row',
          index: at.named,
          message: expect.stringMatching(/was not removed$/),
        },
      ]);
    }
  });

  it('that was deleted is named where decisions are made again', async () => {
    using copy = new Copy(log);
    copy.tamper((database) => database.exec(`DELETE FROM ${rows} ${at.other}`));
    await using store = SqliteStore.open(copy.log.storeFile, { readOnly: true });
    const { findings } = await replayDecisions(store, { from: null, to: null });
    expect(findings).toContainEqual({
      index: at.other,
      kind: 'unreadable',
      message: 'the request that was signed for it is gone, and no erasure explains it',
    });
  });
});

describe('a custody report', () => {
  const verify = (report: CustodyReport) => verifyCustody(utf8(encodeCustodyReport(report)), pin);

  it('carries what was signed, and proves by whom', async () => {
    const { findings, proven } = await verify(before);
    expect(findings).toEqual([]);
    expect(proven!.revisions.map(({ author }) => author?.signed?.method)).toEqual(['POST', 'POST']);
    expect(proven!.gaps.map(({ code }) => code)).not.toContain('signed_request_gone');
  });

  it('states what was erased, and with which change', async () => {
    const { findings, proven } = await verify(after);
    expect(findings).toEqual([]);
    const erasure = after.entries.find(({ index }) => index > at.erased && after.causes.length > 0);
    const when = readCauseStatement(after.causes.at(-1)!.document).at;
    const by = { index: at.erased + 2, at: when };
    expect(erasure?.index).toBe(by.index);
    expect(proven!.revisions.map(({ author }) => author?.signedGone)).toEqual([{ by }, { by }, { by }]);
    for (const index of [at.silent, at.suspended, by.index])
      expect(proven!.gaps).toContainEqual({ code: 'signed_request_gone', index });
    const text = custodyLines(proven!, utf8(encodeCustodyReport(after)))
      .join('\n')
      .replace(/\s+/g, ' ');
    expect(text).toContain(`what was signed was erased on ${when} with entry ${by.index}`);
  });

  it.each([
    [
      'leaves out what was signed',
      (report: CustodyReport) => {
        for (const cause of report.causes) delete cause.signed;
      },
      ['GAPS_MISSTATED'],
    ],
    [
      'has what was signed for another change',
      (report: CustodyReport) => {
        const [first, second] = report.causes.filter(({ signed }) => signed !== undefined);
        first!.signed = second!.signed!;
      },
      ['CAUSE_ALTERED'],
    ],
    [
      'shows something else beside a cause that is there for its decision',
      (report: CustodyReport) => {
        const shown = report.causes.find(({ signed }) => signed !== undefined)!;
        report.causes.find(({ signed }) => signed === undefined)!.signed = shown.signed!;
      },
      ['CAUSE_ALTERED'],
    ],
  ])('that %s is no proof', async (_what, change, codes) => {
    const lying = structuredClone(before);
    change(lying);
    const found = (await verify(lying)).findings.map(({ code }) => code);
    expect([...new Set(found)]).toEqual(codes);
  });

  it('has nothing signed for a cause that commits to nothing', () => {
    expect(() => signedRequestIn(null, erased)).toThrow('the cause commits to none');
  });
});
