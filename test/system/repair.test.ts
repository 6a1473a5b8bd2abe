// long: one system, which takes long to bring to where a repair is needed, is shared by all of it
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { type FsckReport, type RepairParts, type RepairReport, repairStore } from '@tallystick/audit';
import { SqliteStore } from '@tallystick/ledger';
import { beginAccessLogAgain } from '@tallystick/server';
import { PostgresServer } from '@tallystick/testkit';
import { loadConfig, logPathName, type RunningCosigner, startCosigner } from '@tallystick/witness';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { trustOf } from './support/log-walk.ts';
import { type Lie, lies, withLiar } from './support/lying-mirror.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

interface Sold {
  id: string;
  index: number;
}

const tally = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));
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

function putBack(day: string, part: 'ledger' | 'signer' = 'ledger'): void {
  const { root } = system.layout;
  rmSync(`${root}/${part}`, { recursive: true });
  // A copy is open to everybody, and the signer's folder must not be.
  mkdirSync(`${root}/${part}`, { mode: 0o700 });
  cpSync(`${copyOf(day)}/${part}`, `${root}/${part}`, { recursive: true });
}

function keep(day: string): void {
  for (const part of ['ledger', 'signer']) {
    const filter = (path: string): boolean => !path.endsWith('.sock');
    cpSync(`${system.layout.root}/${part}`, `${copyOf(day)}/${part}`, { recursive: true, filter });
  }
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
  await operator.must('customer', 'update', 'stays', '--name', 'Customer moved');
  await system.must('POST', '/v1/brake/tighten', { lock: 'heightened' });
  const fresh = await issue({ licensee: 'Fabrikam' });
  await system.published();
  sizes = { yesterday, today: await system.publishedSize() };
  sold = { old, revoked, personal, fresh };
  await mirrored(sizes.today);
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
  const { mirrorToken } = system.layout.secrets;
  const args = ['repair', '--from', url, '--token-file', mirrorToken, '--json', ...flags];
  const { code, stdout, stderr } = await operator.tally(...args);
  return { code, report: (stdout === '' ? null : JSON.parse(stdout)) as Repaired, text: stdout + stderr };
}

function mirrorPath(what: string): string {
  return `/mirror/${logPathName('tally.example/log')}/${what}`;
}

/** Resolves when the mirror knows that so many entries are published. */
async function mirrored(size: number): Promise<void> {
  const config = loadConfig(`${system.layout.run}/replayer-1.json`, 'replayer');
  const { port } = config.listen;
  await eventually('the mirror to see what is published', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}${mirrorPath('published')}`);
    return (await answer.text()).includes(`\n${size}\n`) ? true : null;
  });
}

async function partsOfRepair(): Promise<Omit<RepairParts, 'mark' | 'store'>> {
  const { signal } = new AbortController();
  return {
    chain: [await trustOf(system)],
    mirror: { url: mirror.url, token: system.mirrorToken, timeoutMs: 5000, signal },
    contentKey: null,
    undoFile: operator.path('undo.db'),
  };
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

  it.each([
    ['damaged', (bytes: Buffer) => bytes.fill(0xff, 16_384, 16_500)],
    ['cut off', (bytes: Buffer) => bytes.subarray(0, -20_000)],
    ['emptied', () => Buffer.alloc(0)],
  ] as const)('is said to be %s as a file, and comes back where that is moved away', async (_how, damage) => {
    const file = system.layout.ledger.store;
    writeFileSync(file, damage(readFileSync(file)));
    for (const args of [
      ['fsck'],
      ['repair', '--from', mirror.url, '--token-file', system.layout.secrets.mirrorToken],
    ]) {
      const { code, stderr } = await operator.tally(...args);
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/database_damaged.*move it away and run tally repair/s),
      ]);
    }
    rmSync(file);
    const { report } = await repair(mirror.url);
    expect([report.sizeBefore, report.size]).toEqual([0, sizes.today]);
  });

  it.each(lies)('changes nothing where the mirror has $what', async (lie) => {
    alterStore(
      `UPDATE entries SET entry = CAST(substr(entry, 1, 99) || x'21' || substr(entry, 101) AS BLOB) WHERE idx = ${sold.old.index}`,
      `DELETE FROM entries WHERE idx = ${sizes.today - 1}`,
    );
    const before = contentOfStore();
    const told = { cosigner: mirror.cosigner, size: sizes.today };
    const { code, text } = await withLiar(told, lie, (url) => repair(url));
    expect(JSON.parse(text)).toMatchObject({ error: { code: lie.code } });
    expect(code).toBe(lie.code === 'mirror_empty' ? 4 : 2);
    expect(contentOfStore()).toBe(before);
    expect(readdirSync(`${system.layout.root}/ledger`).filter((name) => name.startsWith('replaced'))).toEqual(
      [],
    );
  });

  it('changes nothing where the signer has signed another history, or nobody answers, or the token is wrong', async () => {
    const parts = await partsOfRepair();
    const mark = { size: sizes.yesterday, root: new Uint8Array(32) };
    const store = SqliteStore.open(system.layout.ledger.store);
    await expect(repairStore({ ...parts, store, mark }, { dryRun: false })).rejects.toMatchObject({
      problem: 'mirror_differs',
    });
    await store[Symbol.asyncDispose]();
    const token = operator.path('token');
    operator.write('token', 'not-the-token\n');
    for (const [url, file] of [
      ['http://127.0.0.1:1', system.layout.secrets.mirrorToken],
      [mirror.url, token],
    ] as const) {
      const ended = await operator.tally('repair', '--from', url, '--token-file', file, '--json');
      expect([ended.code, (JSON.parse(ended.stdout) as { error: { code: string } }).error.code]).toEqual([
        4,
        'mirror_unreachable',
      ]);
    }
    expect(contentOfStore()).toBe(whole);
  });
});

describe('a log in a database', () => {
  let database: PostgresServer;
  let description: string;

  beforeAll(async () => {
    putBack('today');
    description = readFileSync(system.layout.system, 'utf8');
    database = await PostgresServer.start();
    const url = database.url({ schema: 'acme', durability: 'single-node' });
    await operator.must('migrate', '--to', url, '--switch');
  });

  afterAll(async () => {
    writeFileSync(system.layout.system, description);
    await database[Symbol.asyncDispose]();
  });

  const rowsOf = (): Promise<unknown[]> =>
    Promise.all(
      ['leaves', 'entries', 'contents', 'causes', 'checkpoints'].map((table) =>
        database.sql(`SELECT * FROM acme.${table} ORDER BY 1`),
      ),
    );

  it('gets back what its administrator altered and deleted, also after a repair that was killed in the middle', async () => {
    const { old, revoked, fresh } = sold;
    const whole = await rowsOf();
    await database.sql(
      `UPDATE acme.entries SET entry = set_byte(entry, 99, get_byte(entry, 99) # 1) WHERE idx = ${old.index};
       UPDATE acme.leaves SET subject = NULL, rev = 0 WHERE idx = ${revoked.index};
       DELETE FROM acme.entries WHERE idx = ${fresh.index}`,
    );
    const altered = await rowsOf();
    expect((await operator.tally('fsck')).code).toBe(2);
    await killInTheMiddle();
    expect(await rowsOf()).toEqual(altered);
    expect((await repair(mirror.url, '--dry-run')).report.repaired.count).toBe(3);
    const { code, report, text } = await repair(mirror.url);
    expect([code, text]).toEqual([0, expect.stringContaining('"fsck"')]);
    expect([report.repaired.count, report.fsck?.ok, report.unchecked]).toEqual([3, true, null]);
    expect(await rowsOf()).toEqual(whole);
    expect(report.undo).toContain(`${system.layout.root}/ledger/replaced-`);
  });

  /** Kills a repair that holds the fence of the store, and waits for what it lacks. */
  async function killInTheMiddle(): Promise<void> {
    const asked = Promise.withResolvers<void>();
    const stalling: Lie = {
      what: 'no answer any more',
      code: '',
      tell: (path, answer) => {
        if (!path.includes('/tile/entries/')) return answer;
        asked.resolve();
        return new Promise(() => {});
      },
    };
    await withLiar({ cosigner: mirror.cosigner, size: sizes.today }, stalling, async (url) => {
      const { root, secrets } = system.layout;
      const args = ['repair', '--data', root, '--from', url, '--token-file', secrets.mirrorToken];
      const killed = spawn(process.execPath, [tally, ...args], { stdio: 'ignore' });
      await asked.promise;
      const held =
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tallystick-write' AND state LIKE '%transaction'";
      await eventually('the transaction', async () => (await database.sql(held)).length > 0);
      const ended = once(killed, 'exit');
      killed.kill('SIGKILL');
      await ended;
      const there = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tallystick-write'";
      await eventually('its end', async () => (await database.sql(there)).length === 0);
    });
  }
});

describe("yesterday's copy put back", () => {
  afterEach(async () => {
    await system.down();
  });

  it('gets back the entries that it lacks, and says which documents are lost', async () => {
    putBack('yesterday');
    const { yesterday, today } = sizes;
    const { code, report } = await repair(mirror.url);
    expect(report.added).toEqual({ from: yesterday, to: today });
    expect([report.sizeBefore, report.size, report.missing, report.unchecked, report.published]).toEqual([
      yesterday,
      today,
      null,
      null,
      today,
    ]);
    const { revoked, fresh } = sold;
    const lost = report.lost.first.map(({ index, type, id }) => ({ index, type, id }));
    expect(lost).toContainEqual({ index: expect.any(Number), type: 'license.revoked', id: revoked.id });
    expect(lost).toContainEqual({ index: fresh.index, type: 'license.issued', id: null });
    expect(lost.map(({ type }) => type)).toContain('customer.erased');
    expect(lost.map(({ type }) => type)).not.toContain('brake.updated');
    // A document that is lost stays a problem: nothing but the log itself may explain why one is gone.
    expect([code, report.fsck?.ok]).toEqual([2, false]);
    const expected = new Set(lost.map(({ index }) => index));
    expect(report.lostCauses).toBe(5);
    const others = report.fsck?.problems.filter(({ index }) => !expected.has(index ?? -1)) ?? [];
    expect(others.map(({ table, message }) => `${table}: ${message}`)).toEqual([
      'causes: the cause of the command is missing',
    ]);
    // What was erased in between was in the copy, and is erased again.
    expect(filesOfLedger('today')).not.toContain(erased);
    expect(filesOfLedger('yesterday')).toContain(erased);
    expect(filesOfLedger(null)).not.toContain(erased);
  });

  it('says what no mirror has either', async () => {
    putBack('yesterday');
    await using store = SqliteStore.open(system.layout.ledger.store, { readOnly: true });
    const report = await repairStore(
      { ...(await partsOfRepair()), store, mark: { size: sizes.today + 3, root: new Uint8Array(32) } },
      { dryRun: true },
    );
    expect(report.missing).toEqual({ from: sizes.today, to: sizes.today + 3 });
    expect([report.dryRun, report.size, report.lost.count > 0, report.undo]).toEqual([
      true,
      sizes.today,
      true,
      null,
    ]);
  });

  it("goes on where the signer's folder was lost with the machine, with cosigners elsewhere", async () => {
    putBack('yesterday');
    putBack('yesterday', 'signer');
    const { today } = sizes;
    // The primary died before the mirror heard that its newest checkpoint is published.
    const silent: Lie = {
      what: 'nothing published',
      code: '',
      tell: (path, answer) => (path.endsWith('/published') ? null : answer),
    };
    const { report } = await withLiar({ cosigner: mirror.cosigner, size: today }, silent, (url) =>
      repair(url),
    );
    expect([report.size, report.published]).toEqual([today, null]);
    await forwardMark();
    // Its mark went with the signer's folder.
    beginAccessLogAgain(system.layout);
    await stopMirror();
    await system.up();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', { plan: 'pro-yearly', licensee: 'Woodgrove' });
    expect(await system.publishedSize()).toBeGreaterThan(today);
    const { old, revoked, personal, fresh } = sold;
    expect((await system.admin('GET', `/v1/licenses/${old.id}/bundle`)).status).toBe(200);
    expect((await system.admin('GET', `/v1/log/entries/${fresh.index}`)).json).toMatchObject({
      kind: 'record',
      subject: null,
    });
    // Its newest document is lost: an older one would say that it is not revoked.
    for (const { id } of [revoked, personal]) {
      const { json } = await system.admin('GET', `/v1/licenses/${id}`);
      expect(json).toMatchObject({ code: 'integrity' });
    }
    // Nobody can change the customer whose newest document is lost; its reference is free for another one.
    await system.must('POST', '/v1/customers', { reference: 'stays', name: 'Customer stays' });
    const { items } = await system.must<{ items: { document: { id: string } }[] }>('GET', '/v1/licenses');
    expect(items.map(({ document }) => document.id)).toContain(old.id);
    expect(items.map(({ document }) => document.id)).not.toContain(revoked.id);
  });

  /** Moves an old mark up to what the mirror has cosigned. */
  async function forwardMark(): Promise<void> {
    const note = String(mirror.cosigner.read?.(mirrorPath('checkpoint'), '')?.body);
    operator.write('head.txt', note);
    operator.write('unsigned.txt', note.replace(/^— \S*replayer.*\n/gm, ''));
    const verb = ['signer', 'forward-mark'] as const;
    expect((await operator.must<{ moved: boolean }>(...verb)).moved).toBe(false);
    expect((await operator.tally(...verb, '--checkpoint', 'unsigned.txt')).code).toBe(2);
    const moved = await operator.must<{ moved: boolean; published: number }>(
      ...verb,
      '--checkpoint',
      'head.txt',
    );
    expect([moved.moved, moved.published]).toEqual([true, sizes.today]);
  }

  /** The bytes of all files of the ledger, or of a copy of it. */
  function filesOfLedger(day: string | null): string {
    const folder = `${day === null ? system.layout.root : copyOf(day)}/ledger`;
    return readdirSync(folder)
      .map((name) => readFileSync(`${folder}/${name}`, 'latin1'))
      .join('\n');
  }
});
