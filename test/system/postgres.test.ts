/** A whole system whose log is in PostgreSQL, under a role of its own with a password. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { leafHash, utf8 } from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { PostgresStore } from '@tallystick/ledger/postgres';
import { PostgresServer } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditAtRest } from './support/audit.ts';
import { walkLog } from './support/log-walk.ts';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const tally = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url));

let server: PostgresServer;
let system: RealSystem;
let operator: Operator;
let passwordFile: string;
/** A license that no server has in its memory once one was started anew. */
let issued: string;

const order = { plan: 'pro-yearly', licensee: 'Contoso' };

function urlOf(schema: string): string {
  const url = new URL(server.url({ durability: 'single-node', schema }));
  url.username = 'vendor';
  return url.href;
}

beforeAll(async () => {
  server = await PostgresServer.start();
  await server.addRole('vendor', 'correct horse');
  passwordFile = join(server.folder, 'password');
  writeFileSync(passwordFile, 'correct horse\n', { mode: 0o600 });
  system = await RealSystem.start({
    store: { store: urlOf('acme'), storePasswordFile: passwordFile },
    server: { databaseTimes: { recoverMs: 300, watchMs: 200 } },
  });
  operator = new Operator(system);
  await system.ready();
  await system.sellPro();
});

afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const count = async (table: string): Promise<number> => {
  const [row] = await server.sql<{ count: string }>(`SELECT count(*) FROM acme.${table}`);
  return Number(row?.count);
};

describe('a system on PostgreSQL', () => {
  it('issues and publishes, with the log in the database and the projections in the folder', async () => {
    const before = await count('leaves');
    const { document } = await system.must<{ document: { id: string } }>(
      'POST',
      '/v1/licenses?wait=published',
      order,
    );
    expect(await count('leaves')).toBeGreaterThan(before);
    issued = document.id;
    const bundle = await system.admin('GET', `/v1/licenses/${document.id}/bundle`);
    expect(bundle.status).toBe(200);
    await walkLog(system);
  });

  it('refuses a second server while the first one runs', async () => {
    const { code, stderr } = await operator.tally('rebuild');
    expect([code, stderr]).toEqual([4, expect.stringContaining('A server has the store open')]);
    await system.must('POST', '/v1/licenses', order);
  });

  it('goes on after its server was killed, and answers the same request only once', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const first = await system.must<{ changes: unknown }>('POST', '/v1/licenses?wait=published', order, key);
    system.kill('server');
    await system.ready();
    const again = await system.must<{ changes: unknown }>('POST', '/v1/licenses', order, key);
    expect(again.changes).toEqual(first.changes);
  });

  it('changes nothing while the database is down, says so, and goes on when it is back', async () => {
    const size = await system.size();
    await server.end();
    await eventually('the readiness to say so', async () => {
      const { json } = await system.ops('/readyz');
      const { mutations, reads } = json as Record<'mutations' | 'reads', { ready: boolean }>;
      return !mutations.ready && reads.ready;
    });
    const refused = await system.admin('POST', '/v1/licenses', order);
    expect([refused.status, refused.json]).toMatchObject([503, { code: 'store_unavailable' }]);
    const read = await system.admin('GET', `/v1/log/entries/${size - 1}`);
    expect([read.status, read.json]).toMatchObject([503, { code: 'store_unavailable' }]);
    await server.start();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', order);
    expect(system.restarts.filter((line) => line.startsWith('server: code'))).toEqual([]);
  });

  it('that cannot learn how a write ended says so, starts anew when the database is back, and writes once', async () => {
    const key = { 'idempotency-key': 'order-2' };
    await using _lock = await server.holding('SELECT * FROM acme.fence FOR UPDATE');
    const asking = system.admin('POST', '/v1/licenses', order, key);
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'transactionid'";
    const { pid } = await eventually(
      'the write',
      async () => (await server.sql<{ pid: number }>(waiting))[0],
    );
    await server.sql(`SELECT pg_terminate_backend(${pid})`);
    await server.end('SIGQUIT');
    const answer = await asking;
    expect([answer.status, answer.json]).toMatchObject([503, { code: 'outcome_unknown' }]);
    const ended = await eventually('the end of the server', () =>
      system.restarts.find((line) => line.startsWith('server: code')),
    );
    expect(ended).toContain('PostgreSQL does not answer, so it is unknown what was written');
    await server.start();
    await system.ready();
    const first = await system.must<{ changes: unknown }>('POST', '/v1/licenses?wait=published', order, key);
    const again = await system.must<{ changes: unknown }>('POST', '/v1/licenses', order, key);
    expect(again.changes).toEqual(first.changes);
  });

  it('ends a server that was fenced, and starts none while another one holds the store', async () => {
    const password = 'correct horse';
    const other = await PostgresStore.open({ url: urlOf('acme'), password, holder: 'other', takeOver: true });
    await eventually('the end of the fenced server', () =>
      system.restarts.some((line) => line.includes('another server (other) has taken the store over')),
    );
    await eventually('a start that is refused', () =>
      system.restarts.some((line) => line.includes('another process has the store open')),
    );
    await other[Symbol.asyncDispose]();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', order);
  });

  it('serves nothing that an administrator of the database has altered', async () => {
    const alter = (byte: string): Promise<unknown> =>
      server.sql(`UPDATE acme.contents SET document = ${byte} WHERE id = '${issued}'`);
    await alter(`set_byte(document, 20, get_byte(document, 20) # 1)`);
    const found = await system.admin('GET', `/v1/licenses/${issued}`);
    expect([found.status, found.json]).toMatchObject([500, { code: 'integrity' }]);
    const checked = await operator.tally('fsck', '--json');
    expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([
      2,
      { ok: false, problems: [{ table: 'contents', part: 'document' }] },
    ]);
    await alter(`set_byte(document, 20, get_byte(document, 20) # 1)`);
    expect((await system.admin('GET', `/v1/licenses/${issued}`)).status).toBe(200);
  });
});

describe('tally init --store', () => {
  const data = (): string => join(system.directory, 'second');
  const init = (url: string, ...more: string[]) =>
    operator.tally('init', '--data', data(), '--algorithms', 'ed25519', '--store', url, ...more);

  it.each([
    ['a password in the URL', 'postgres://vendor:secret@127.0.0.1/postgres', 'leave it out'],
    ['a member that is none', 'postgres://vendor@127.0.0.1/postgres?sslmod=require', 'sslmod'],
    ['no database', 'postgres://vendor@127.0.0.1', 'names no database'],
    ['a database elsewhere without TLS, by mistake', 'postgres://db.example/x?sslmode=none', 'sslmode'],
  ])('refuses %s', async (_what, url, says) => {
    const { code, stderr } = await init(url);
    expect([code, stderr]).toEqual([3, expect.stringContaining(says)]);
  });

  it('refuses one node where a quorum is the default, a wrong password and a loose password file', async () => {
    const file = join(system.directory, 'loose');
    writeFileSync(file, 'correct horse', { mode: 0o644 });
    const quorum = urlOf('second').replace('durability=single-node', '');
    const refused = [
      await init(quorum, '--store-password-file', passwordFile),
      await init(urlOf('second'), '--store-password-file', file),
      await init(urlOf('second')),
    ];
    expect(refused.map(({ code }) => code)).toEqual([3, 3, 3]);
    expect(refused[0]?.stderr).toContain('synchronous_standby_names is empty');
    expect(refused[1]?.stderr).toContain('chmod 600');
    expect(refused[2]?.stderr).toContain('PostgreSQL asks for a password, and there is none');
    process.env.PGPASSWORD = 'correct horse';
    expect(await PostgresStore.exists({ url: urlOf('second') })).toBe(false);
    delete process.env.PGPASSWORD;
    const schemas = await server.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'second'");
    expect(schemas).toEqual([]);
  });

  it('makes a system that keeps no password, and is not made over another one', async () => {
    const password = ['--store-password-file', passwordFile];
    expect((await init(urlOf('second'), ...password)).code).toBe(0);
    const third = ['--data', join(system.directory, 'third'), '--store', urlOf('second')];
    const again = await operator.tally('init', ...third, ...password);
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('there is a schema "second"')]);
    const fsck = await operator.must<{ ok: boolean; size: number }>('fsck', '--data', data());
    expect(fsck).toMatchObject({ ok: true, size: 3 });
    expect(readFileSync(join(data(), 'system.json'), 'utf8')).not.toContain('correct horse');
  });
});

describe('tally migrate', () => {
  it('copies beside a running system, moves one that is whole when it is stopped, and back', async () => {
    const file = join(system.directory, 'moved.db');
    const toFile = ['migrate', '--to', `sqlite://${file}`] as const;
    await system.must('POST', '/v1/licenses?wait=published', order);
    expect(await operator.must(...toFile, '--dry-run')).toMatchObject({
      before: 0,
      dryRun: true,
      switched: false,
    });
    expect(existsSync(file)).toBe(false);
    const first = await operator.must<{ size: number }>(...toFile);
    expect(first).toMatchObject({ copied: first.size, complete: false, switched: false });
    const running = await operator.tally(...toFile, '--switch');
    expect([running.code, running.stderr]).toEqual([4, expect.stringContaining('Stop the server')]);
    await system.must('POST', '/v1/licenses?wait=published', order);
    await auditAndExpectWhole(first.size);
    const { differences } = await operator.must<{ differences: number }>('rebuild');
    expect(differences).toBe(0);
    expect(await operator.must('audit', 'signer')).toMatchObject({ ok: true });

    const moved = await operator.must<{ size: number }>(...toFile, '--switch');
    expect(moved).toMatchObject({ copied: moved.size - first.size, complete: true, switched: true });
    await system.up();
    await system.ready();
    await system.must('POST', '/v1/licenses?wait=published', order);
    await auditAndExpectWhole(moved.size);

    const back = ['migrate', '--to', urlOf('back'), '--to-password-file', passwordFile] as const;
    await operator.must(...back, '--switch');
    await server.sql('DROP SCHEMA acme CASCADE');
    expect(await operator.must('fsck')).toMatchObject({ ok: true, skipped: [] });
    expect(JSON.parse(readFileSync(system.layout.system, 'utf8'))).toMatchObject({
      store: { store: urlOf('back'), storePasswordFile: passwordFile },
    });
  });

  it('goes on where it ended after it was killed', async () => {
    const size = 20_000;
    const file = join(system.directory, 'long.db');
    await using long = SqliteStore.create(file, { synchronous: 'off' });
    const entries = Array.from({ length: size }, (_, index) => {
      const entry = utf8(`entry ${index}`);
      return { index, entry, leaf: leafHash(entry), subject: null, rev: 0, content: null };
    });
    await long.append({ size: 0, entries, causes: [] });
    await long.saveCheckpoint({ size, note: 'a note', at: '2026-01-01T00:00:00.000Z' });
    const migrate = ['migrate', '--from', `sqlite://${file}`, '--to', urlOf('long')];
    const password = ['--to-password-file', passwordFile];
    const killed = spawn(process.execPath, [tally, ...migrate, ...password], { stdio: 'ignore' });
    const copied = async (): Promise<number> => {
      const sql = "SELECT to_regclass('long.leaves') IS NOT NULL AS there";
      const [row] = await server.sql<{ there: boolean }>(sql);
      if (row?.there !== true) return 0;
      return Number((await server.sql<{ count: string }>('SELECT count(*) FROM long.leaves'))[0]?.count);
    };
    await eventually('a part of the copy', async () => (await copied()) > 0);
    const ended = once(killed, 'exit');
    killed.kill('SIGKILL');
    await ended;
    const before = await copied();
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(size);
    const rest = await operator.must(...migrate, ...password);
    expect(rest).toMatchObject({ size, before, copied: size - before, checkpoints: 1 });
    expect(await copied()).toBe(size);
  });

  it('refuses a target that holds another log, and one that is no store', async () => {
    const other = urlOf('second');
    const refused = await operator.tally('migrate', '--to', other, '--to-password-file', passwordFile);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('entry 0 of the target')]);
    const wrong = await operator.tally('migrate', '--to', 'mysql://x/y');
    expect([wrong.code, wrong.stderr]).toEqual([3, expect.stringContaining('sqlite://<path>')]);
    const none = await operator.tally('migrate', '--from', 'sqlite://none.db', '--to', other);
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('There is no store at none.db')]);
    for (const [flag, path] of [
      ['--to', system.directory],
      ['--to', join(system.directory, 'none', 'x.db')],
      ['--from', system.directory],
    ] as const) {
      const to = flag === '--from' ? ['--to', other] : [];
      const place = await operator.tally('migrate', flag, `sqlite://${path}`, ...to);
      expect([place.code, place.stderr]).toEqual([3, expect.stringMatching(/is a folder|no folder/)]);
    }
    expect(existsSync(`${system.directory}.lock`)).toBe(false);
  });

  /** Stops the system, which has more than so many entries. */
  async function auditAndExpectWhole(size: number): Promise<void> {
    await system.published();
    const report = await auditAtRest(system);
    expect(report).toMatchObject({ ok: true, problems: [], skipped: [], incidents: [] });
    expect(report.size).toBeGreaterThan(size);
  }
});
