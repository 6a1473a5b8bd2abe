import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import type { FsckReport, RepairReport } from '@tallystick/audit';
import { repairStore } from '@tallystick/audit';
import { type Cosigner, loadConfig, type RunningCosigner, startCosigner } from '@tallystick/witness';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { trustOf } from './support/log-walk.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';

type Answer = ReturnType<NonNullable<Cosigner['read']>>;

interface Sold {
  id: string;
  index: number;
}

const erased = 'Erika Mustermann';

let system: RealSystem;
let operator: Operator;
/** The replayer of the system, alone: what is left when the primary is lost. */
let mirror: RunningCosigner;
let stopMirror = async (): Promise<void> => {};
let sizes: { yesterday: number; today: number };
let sold: { old: Sold; revoked: Sold; personal: Sold; fresh: Sold };

async function issue(body: object): Promise<Sold> {
  const { document, changes } = await system.must<{ document: { id: string }; changes: { index: number }[] }>(
    'POST',
    '/v1/licenses',
    { plan: 'pro-yearly', ...body },
  );
  return { id: document.id, index: changes[0]?.index ?? 0 };
}

function copyOf(day: string): string {
  return `${system.layout.root}.${day}`;
}

function putBack(day: string): void {
  const { root } = system.layout;
  rmSync(`${root}/ledger`, { recursive: true });
  mkdirSync(`${root}/ledger`, { mode: 0o700 });
  cpSync(`${copyOf(day)}/ledger`, `${root}/ledger`, { recursive: true });
}

function keep(day: string): void {
  cpSync(`${system.layout.root}/ledger`, `${copyOf(day)}/ledger`, { recursive: true });
}

beforeAll(async () => {
  system = await RealSystem.start();
  operator = new Operator(system);
  await system.ready();
  await system.sellPro();
  for (const reference of ['gone', 'stays']) {
    await system.must('POST', '/v1/customers', { reference, name: `Customer ${reference}` });
  }
  const old = await issue({ licensee: 'Contoso' });
  const revoked = await issue({ licensee: 'Northwind' });
  const personal = await issue({ customer: 'gone', licensee: erased });
  await system.published();
  const yesterday = await system.publishedSize();
  await system.down();
  keep('yesterday');
  await system.up();
  await system.ready();
  await system.must('POST', `/v1/licenses/${revoked.id}/revoke`, { reason: 'fraud' });
  await operator.must('customer', 'erase', 'gone');
  await system.must('POST', '/v1/brake/tighten', { lock: 'heightened' });
  const fresh = await issue({ licensee: 'Fabrikam' });
  await system.published();
  sizes = { yesterday, today: await system.publishedSize() };
  sold = { old, revoked, personal, fresh };
  await system.down();
  keep('today');
  const config = loadConfig(`${system.layout.run}/replayer-1.json`, 'replayer');
  mirror = await startCosigner(config, { now: () => Math.floor(Date.now() / 1000), report: () => {} });
  stopMirror = async () => {
    stopMirror = async () => {};
    await mirror[Symbol.asyncDispose]();
  };
});

afterAll(async () => {
  await stopMirror();
  for (const day of ['yesterday', 'today']) rmSync(copyOf(day), { recursive: true, force: true });
  await system[Symbol.asyncDispose]();
});

interface Repaired extends RepairReport {
  fsck: FsckReport | null;
  unchecked: string | null;
}

async function repair(
  url: string,
  ...flags: string[]
): Promise<{ code: number; report: Repaired; text: string }> {
  const { code, stdout, stderr } = await operator.tally(
    ...['repair', '--from', url, '--token-file', system.layout.secrets.mirrorToken, '--json', ...flags],
  );
  return { code, report: (stdout === '' ? null : JSON.parse(stdout)) as Repaired, text: stdout + stderr };
}

/** Everything that is in the store, as text. */
function contentOfStore(): string {
  const database = new DatabaseSync(system.layout.ledger.store, { readOnly: true });
  try {
    return JSON.stringify(
      ['leaves', 'entries', 'contents', 'causes', 'checkpoints'].map((table) =>
        database.prepare(`SELECT * FROM ${table}`).all(),
      ),
    );
  } finally {
    database.close();
  }
}

function alterStore(...statements: string[]): void {
  const database = new DatabaseSync(system.layout.ledger.store);
  for (const sql of statements) {
    expect([sql, database.prepare(sql).run().changes]).toEqual([sql, 1]);
  }
  database.close();
}

describe('a store with entries that were altered and lost', () => {
  let whole: string;

  beforeEach(() => {
    putBack('today');
    whole = contentOfStore();
  });

  it('gets them back, each the one that was logged, and fsck finds nothing', async () => {
    const { old, revoked, personal, fresh } = sold;
    alterStore(
      `UPDATE entries SET entry = CAST(substr(entry, 1, 99) || x'21' || substr(entry, 101) AS BLOB) WHERE idx = ${old.index}`,
      `UPDATE leaves SET leaf = zeroblob(32) WHERE idx = ${revoked.index}`,
      `UPDATE leaves SET subject = zeroblob(32) WHERE idx = ${personal.index}`,
      `DELETE FROM entries WHERE idx = ${fresh.index}`,
      'DELETE FROM leaves WHERE idx = 0',
      'DELETE FROM entries WHERE idx = 0',
    );
    const altered = contentOfStore();
    expect((await operator.tally('fsck')).code).toBe(2);
    const dry = await repair(mirror.url, '--dry-run');
    const places = [0, old.index, revoked.index, personal.index, fresh.index];
    expect([dry.code, dry.report.dryRun, dry.report.undo]).toEqual([0, true, null]);
    expect(dry.report.repaired.first.map(({ index }) => index)).toEqual(places);
    expect(contentOfStore()).toBe(altered);
    const done = await repair(mirror.url);
    expect(done.report.fsck?.ok).toBe(true);
    expect([done.code, done.report.repaired.count, done.report.added, done.report.lost.count]).toEqual([
      0,
      places.length,
      null,
      0,
    ]);
    expect(contentOfStore()).toBe(whole);
    const undo = new DatabaseSync(String(done.report.undo), { readOnly: true });
    const kept = undo.prepare('SELECT idx FROM leaves ORDER BY idx').all();
    expect(kept.map((row) => row['idx'])).toEqual(places.slice(1));
    undo.close();
    const again = await repair(mirror.url);
    expect([again.code, again.report.repaired.count, again.report.undo]).toEqual([0, 0, null]);
  });

  interface Lie {
    what: string;
    code: string;
    /** What is answered at a path instead of the truth. */
    tell(path: string, answer: Answer, text: string): Answer;
  }

  const replaced = (answer: Answer, from: string | RegExp, to: string): Answer =>
    answer && { ...answer, body: String(answer.body).replace(from, to) };

  const lies: Lie[] = [
    {
      what: 'an entry of its own',
      code: 'mirror_wrong',
      tell: (path, answer) => {
        if (!path.includes('/tile/entries/') || answer === null) return answer;
        const body = Uint8Array.from(answer.body as Uint8Array);
        body[body.length - 40] = (body[body.length - 40] ?? 0) ^ 1;
        return { ...answer, body };
      },
    },
    {
      what: 'fewer entries than it says',
      code: 'mirror_wrong',
      tell: (path, answer) =>
        path.includes('/tile/entries/') && answer !== null
          ? { ...answer, body: (answer.body as Uint8Array).slice(0, 400) }
          : answer,
    },
    {
      what: 'hashes of another tree',
      code: 'mirror_wrong',
      tell: (path, answer) =>
        path.includes('/tile/0/') && answer !== null
          ? { ...answer, body: new Uint8Array((answer.body as Uint8Array).length).fill(7) }
          : answer,
    },
    {
      what: 'another size',
      code: 'mirror_wrong',
      tell: (path, answer, size) =>
        path.endsWith('/checkpoint') ? replaced(answer, `\n${size}\n`, `\n${Number(size) - 1}\n`) : answer,
    },
    {
      what: 'the checkpoint of another log',
      code: 'mirror_wrong',
      tell: (path, answer) =>
        path.endsWith('/checkpoint') ? replaced(answer, /^.*\n/, 'log.example/other\n') : answer,
    },
    {
      what: 'a checkpoint that no replayer cosigned',
      code: 'mirror_wrong',
      tell: (path, answer) =>
        path.endsWith('/checkpoint') ? replaced(answer, /^— \S*replayer.*\n/gm, '') : answer,
    },
    {
      what: 'nothing of this log',
      code: 'mirror_empty',
      tell: (path, answer) =>
        path.endsWith('/checkpoint') && answer !== null ? { ...answer, status: 404 } : answer,
    },
  ];

  it.each(lies)('changes nothing where the mirror has $what', async ({ code, tell }) => {
    alterStore(
      `UPDATE entries SET entry = CAST(substr(entry, 1, 99) || x'21' || substr(entry, 101) AS BLOB) WHERE idx = ${sold.old.index}`,
      `DELETE FROM entries WHERE idx = ${sizes.today - 1}`,
    );
    const before = contentOfStore();
    const liar = createServer((request, response) => {
      const path = request.url ?? '';
      const answer = mirror.cosigner.read?.(path, request.headers.authorization) ?? null;
      const told = tell(path, answer, String(sizes.today));
      response.writeHead(told?.status ?? 404).end(told?.body);
    });
    const { code: exitCode, text } = await withServer(liar, (url) => repair(url));
    expect(JSON.parse(text)).toMatchObject({ error: { code } });
    expect(exitCode).toBe(code === 'mirror_empty' ? 4 : 2);
    expect(contentOfStore()).toBe(before);
    expect(readdirSync(`${system.layout.root}/ledger`).filter((name) => name.startsWith('replaced'))).toEqual(
      [],
    );
  });

  it('changes nothing where the signer has signed another history, or nobody answers, or the token is wrong', async () => {
    const trust = await trustOf(system);
    const parts = {
      storeFile: system.layout.ledger.store,
      chain: [trust],
      mirror: {
        url: mirror.url,
        token: system.mirrorToken,
        timeoutMs: 5000,
        signal: new AbortController().signal,
      },
      undoFile: operator.path('undo.db'),
    };
    const mark = { size: sizes.yesterday, root: new Uint8Array(32) };
    await expect(repairStore({ ...parts, mark }, { dryRun: false })).rejects.toMatchObject({
      problem: 'mirror_differs',
    });
    const token = operator.path('token');
    operator.write('token', 'not-the-token\n');
    for (const [url, file] of [
      ['http://127.0.0.1:1', system.layout.secrets.mirrorToken],
      [mirror.url, token],
    ] as const) {
      const ended = await operator.tally('repair', '--from', url, '--token-file', file, '--json');
      expect([ended.code, JSON.parse(ended.stdout).error.code]).toEqual([4, 'mirror_unreachable']);
    }
    expect(contentOfStore()).toBe(whole);
  });
});

describe("yesterday's copy put back", () => {
  afterEach(async () => {
    await system.down();
  });

  it('gets back the entries that it lacks, says which documents are lost, and goes on', async () => {
    putBack('yesterday');
    const { yesterday, today } = sizes;
    const { code, report } = await repair(mirror.url);
    expect(report.added).toEqual({ from: yesterday, to: today });
    expect([report.sizeBefore, report.size, report.missing, report.unchecked]).toEqual([
      yesterday,
      today,
      null,
      null,
    ]);
    const { revoked, personal, fresh } = sold;
    const lost = report.lost.first.map(({ index, type, id }) => ({ index, type, id }));
    expect(lost).toContainEqual({ index: expect.any(Number), type: 'license.revoked', id: revoked.id });
    expect(lost).toContainEqual({ index: fresh.index, type: 'license.issued', id: null });
    expect(lost.map(({ type }) => type)).toContain('customer.erased');
    expect(lost.map(({ type }) => type)).not.toContain('brake.updated');
    // A document that is lost stays a problem: nothing but the log itself may explain why one is gone.
    expect([code, report.fsck?.ok]).toEqual([2, false]);
    const expected = new Set(lost.map(({ index }) => index));
    expect(report.lostCauses).toBe(4);
    const others = report.fsck?.problems.filter(({ index }) => !expected.has(index ?? -1)) ?? [];
    expect(others.map(({ table, message }) => `${table}: ${message}`)).toEqual([
      'causes: the cause of the command is missing',
    ]);
    // What was erased in between was in the copy, and is erased again.
    expect(filesOfLedger('today')).not.toContain(erased);
    expect(filesOfLedger('yesterday')).toContain(erased);
    expect(filesOfLedger(null)).not.toContain(erased);
    await stopMirror();
    await system.up();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Woodgrove' });
    expect(await system.publishedSize()).toBeGreaterThan(today);
    const { status } = await system.admin('GET', `/v1/licenses/${sold.old.id}/bundle`);
    expect(status).toBe(200);
    expect((await system.admin('GET', `/v1/log/entries/${fresh.index}`)).json).toMatchObject({
      kind: 'record',
      subject: null,
    });
    for (const id of [revoked.id, personal.id]) {
      const { json } = await system.admin('GET', `/v1/licenses/${id}`);
      expect(json).toMatchObject({ code: 'integrity' });
    }
    const listed = await system.must<{ items: { id: string }[] }>('GET', '/v1/licenses');
    expect(listed.items.length).toBeGreaterThan(0);
  });

  /** The bytes of all files of the ledger, or of a copy of it. */
  function filesOfLedger(day: string | null): string {
    const folder = `${day === null ? system.layout.root : copyOf(day)}/ledger`;
    return readdirSync(folder)
      .map((name) => readFileSync(`${folder}/${name}`, 'latin1'))
      .join('\n');
  }
});

async function withServer<T>(server: Server, use: (url: string) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
