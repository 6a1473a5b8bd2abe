/** The log of requests on a whole system: what comes into it, and what is noticed about it. */
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findRecords, SegmentReader } from '@tallystick/access';
import type { AccessItem, AccessRecordJson, Page } from '@tallystick/contract';
import type { SystemDescription } from '@tallystick/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SmallDisk } from './support/faulty-disk.ts';
import { Operator } from './support/operator.ts';
import { invite, Person } from './support/person.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const begun = new Date(Date.now() - 60_000).toISOString();

let system: RealSystem;
let operator: Operator;
let license: string;
let licenseKey: string;

let disk: SmallDisk | null;
/** What was the newest before some of the tests. */
let yesterday: { file: string; mark: string };

beforeAll(async () => {
  system = await RealSystem.create({ algorithms: ['ed25519'] });
  // As a version without an access log left it: the first start begins one.
  const { access: _, ...before } = JSON.parse(
    readFileSync(system.layout.system, 'utf8'),
  ) as SystemDescription;
  writeFileSync(system.layout.system, JSON.stringify(before));
  rmSync(system.layout.signer.accessMark);
  disk = SmallDisk.mount(3);
  if (disk !== null) {
    rmSync(dirname(system.layout.access), { recursive: true });
    symlinkSync(disk.directory, dirname(system.layout.access));
  }
  await system.up();
  operator = new Operator(system);
  await system.ready();
  await system.sellPro();
  const issued = await system.must<{ document: { id: string }; licenseKey: string }>('POST', '/v1/licenses', {
    plan: 'pro-yearly',
    licensee: 'Contoso',
  });
  license = issued.document.id;
  licenseKey = issued.licenseKey;
  await system.published();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
  disk?.[Symbol.dispose]();
});

async function list(query: Record<string, string> = {}): Promise<AccessRecordJson[]> {
  const asked = new URLSearchParams({ from: begun, to: '2100-01-01T00:00:00.000Z', limit: '200', ...query });
  const page = await system.must<Page<AccessItem>>('GET', `/v1/access?${asked}`);
  return page.items.map(({ record }) => record);
}

/** What the whole file says, with the segments opened. */
async function everything(): Promise<string> {
  return JSON.stringify(await list());
}

/** Resolves when everything that was asked is under a cosigned checkpoint. */
async function allPublished(): Promise<void> {
  await eventually('the access log to be published', async () => {
    const { text } = await system.ops('/metrics');
    if (!/^tally_access_unwritten_records 0$/m.test(text)) return false;
    using reader = SegmentReader.open(system.layout.access);
    return reader.pending().length === 0 && reader.checkpoint()?.size === reader.size;
  });
}

describe('what is recorded', () => {
  it('is every request, with who, what, from where and what became of it', async () => {
    const read = await system.admin('GET', `/v1/licenses/${license}`);
    expect(read.status).toBe(200);
    const [record] = (await list({ resource: license })).filter(({ route }) => route === 'license.get');
    expect(record).toMatchObject({
      zone: 'admin',
      method: 'GET',
      status: 200,
      code: null,
      who: { kind: 'bootstrap', id: 'bootstrap', credential: 'bootstrap' },
      address: '127.0.0.1',
      resource: { type: 'license', id: license },
      decision: { effect: 'allow' },
    });
    expect((await list({ request: record?.requestId ?? '' })).length).toBe(1);
  });

  it('is what was denied, by whom and of what, and what no route takes', async () => {
    const { adminUrl } = system.client;
    await fetch(`${adminUrl}/v1/licenses/${license}`);
    await fetch(`${adminUrl}/v1/licenses`, { headers: { authorization: 'Bearer guessed' } });
    await system.admin('GET', `/v1/licenses/${license}`, undefined, {
      authorization: `Bearer ${system.mirrorToken}`,
    });
    await fetch(`${adminUrl}/v1/nothing/of/the/kind`);
    const codes = (await list()).filter(({ code }) => code !== null);
    expect(codes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ route: 'license.get', status: 401, code: 'unauthorized', who: null }),
        expect.objectContaining({ route: 'license.list', status: 401, code: 'unauthorized', who: null }),
        expect.objectContaining({ status: 404, route: '-', code: 'not_found' }),
      ]),
    );
    const denied = codes.filter(({ who }) => who?.kind === 'mirror');
    expect(denied).toMatchObject([{ route: 'license.get', status: 403, code: 'forbidden' }]);
  });

  it('is what customers fetch, and never their license keys, nor what operators poll', async () => {
    expect((await system.public('POST', '/v1/bundles', { licenseKey })).status).toBe(200);
    await system.public('GET', '/log/checkpoint');
    const text = await everything();
    expect(text).toContain('bundle.fetch');
    expect(text).toContain('log.checkpoint');
    expect(text).not.toContain(licenseKey);
    for (const name of ['health.get', 'ready.get', 'metrics.get']) expect(text).not.toContain(name);
  });

  it('is not given where it cannot be recorded: nothing changes then, and it goes on once there is room', async (context) => {
    if (disk === null) context.skip();
    await allPublished();
    disk?.fill();
    const refusal = { status: 503, json: { code: 'access_log_unavailable' } };
    const until = async (what: string, ask: () => Promise<{ status: number }>): Promise<void> => {
      const refused = await eventually(what, async () => {
        const answer = await ask();
        return answer.status === 503 && answer;
      });
      expect(refused).toMatchObject(refusal);
    };
    await until('a license to be kept back', () => system.admin('GET', `/v1/licenses/${license}`));
    await until('a change to be refused', () => system.admin('POST', '/v1/customers', { name: 'Fabrikam' }));
    expect((await system.public('GET', '/log/checkpoint')).status).toBe(200);
    expect((await system.ops('/readyz')).text).toContain('access_log_unavailable');
    const { text } = await system.ops('/metrics');
    expect(text).toMatch(/^tally_access_failed_writes [1-9]/m);
    expect(text).toMatch(/^tally_access_log_ok 0$/m);
    expect(text).toMatch(/^tally_access_unwritten_records [1-9]/m);
    expect(system.lines.join()).toContain('{"alarm":"access_log_unavailable"');
    disk?.free();
    await system.ready();
    expect((await system.admin('GET', `/v1/licenses/${license}`)).status).toBe(200);
  });

  it('was less a while ago', async () => {
    await allPublished();
    yesterday = { file: operator.path('yesterday.db'), mark: operator.path('yesterday-mark.db') };
    const database = new DatabaseSync(system.layout.access);
    database.exec(`VACUUM INTO '${yesterday.file}'`);
    database.close();
    cpSync(system.layout.signer.accessMark, yesterday.mark);
  });

  it('is there after the server is killed, as soon as somebody was shown a license', async () => {
    const answer = await system.admin('GET', `/v1/licenses/${license}/history`);
    system.kill('server');
    expect(answer.status).toBe(200);
    await eventually('the server to be started again', () => system.restarts.join().includes('SIGKILL'));
    await system.ready();
    const found = (await list({ resource: license })).filter(({ route }) => route === 'license.history');
    expect(found).toHaveLength(1);
  });

  it('is published on when the signer was killed', async () => {
    system.kill('signer');
    await eventually('the signer to be started again', () =>
      system.restarts.join().includes('signer: SIGKILL'),
    );
    await system.ready();
    await system.admin('GET', `/v1/licenses/${license}`);
    await allPublished();
  });

  it('is listed at the command line, and passes its check beside the running system', async () => {
    await allPublished();
    const { items } = await operator.must<Page<AccessItem>>(
      'access',
      'log',
      'list',
      '--from',
      begun,
      '--resource',
      license,
    );
    expect(items.map(({ record }) => record.route)).toContain('license.get');
    const { code, stdout } = await operator.tally('access', 'log', 'verify');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/CLEAN.*cosigned {3,}2.*running signer/s)]);
  });
});

describe('what somebody changes in the file', () => {
  const file = (): string => system.layout.access;
  let whole: string;

  beforeAll(async () => {
    await allPublished();
    await system.down();
    whole = operator.path('whole.db');
    const database = new DatabaseSync(file());
    database.exec(`VACUUM INTO '${whole}'`);
    database.close();
  });

  function putBack(from: string): void {
    for (const end of ['', '-wal', '-shm']) rmSync(`${file()}${end}`, { force: true });
    cpSync(from, file());
  }

  const flip = (table: string, column: string): string =>
    `UPDATE ${table} SET ${column} = CAST(substr(${column}, 1, 40) || x'00' || substr(${column}, 42) AS BLOB) WHERE idx = 2`;

  it.each([
    ['a byte of a segment', flip('segments', 'bytes'), /\(segment\): the segment of leaf 2/],
    ['a byte of a leaf', flip('leaves', 'leaf'), /\(leaf\): leaf 2/],
    [
      'a segment taken out',
      'DELETE FROM segments WHERE idx = 2',
      /\(segment\): the segment of leaf 2 is missing/,
    ],
    ['a leaf taken out', 'DELETE FROM leaves WHERE idx = 2', /\(leaf\): leaf 2 is missing/],
    [
      'segments that changed places',
      'UPDATE segments SET idx = -idx WHERE idx IN (1, 2); UPDATE segments SET idx = idx + 3 WHERE idx < 0',
      /\(segment\): the segment of leaf 1/,
    ],
    [
      'a record written anew, with a leaf that fits it',
      `UPDATE leaves SET leaf = (SELECT leaf FROM leaves WHERE idx = 1) WHERE idx = 2;
       UPDATE segments SET salt = (SELECT salt FROM segments WHERE idx = 1),
         bytes = (SELECT bytes FROM segments WHERE idx = 1) WHERE idx = 2`,
      /\(leaf\): leaf 2 begins with record/,
    ],
    [
      'the end cut off, with the checkpoints over it',
      `DELETE FROM checkpoints;
       DELETE FROM segments WHERE idx = (SELECT max(idx) FROM leaves);
       DELETE FROM leaves WHERE idx = (SELECT max(idx) FROM leaves)`,
      /\(tail\): the signer signed \d+ leaves, and \d+ are there/,
    ],
    [
      'a checkpoint without its witnesses',
      "UPDATE checkpoints SET note = substr(note, 1, instr(note, char(10) || char(10)) + 1) || substr(note, instr(note, '— '), instr(substr(note, instr(note, '— ')), char(10)))",
      /\(checkpoint\): the checkpoint of size \d+: 0 of \d cosigners are no quorum/,
    ],
    [
      'another first leaf',
      "UPDATE leaves SET leaf = CAST('{}' AS BLOB) WHERE idx = 0",
      /\(identity\): leaf 0/,
    ],
  ])('is named: %s', async (_, sql, named) => {
    const database = new DatabaseSync(file());
    database.exec(sql);
    database.close();
    const { code, stderr } = await operator.tally('access', 'log', 'verify');
    putBack(whole);
    expect([code, stderr]).toEqual([2, expect.stringMatching(named)]);
  });

  it("is noticed by the signer's mark where yesterday's file is put back: nothing is changed until it is gone", async () => {
    putBack(yesterday.file);
    const { code, stderr } = await operator.tally('access', 'log', 'verify');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/\(tail\): the signer signed \d+ leaves/)]);
    await system.up();
    const refused = await eventually('changes to be refused', async () => {
      const { json } = await system.ops('/readyz');
      const { mutations } = json as { mutations: { reasons: { code: string; detail: string }[] } };
      return mutations.reasons.find((reason) => reason.code === 'access_log_unavailable');
    });
    expect(refused.detail).toMatch(/the signer signed \d+ leaves.*an older file put back/);
    const change = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Fabrikam' });
    expect(change).toMatchObject({ status: 503, json: { code: 'access_log_unavailable' } });
    // What customers' machines need goes on.
    expect((await system.public('GET', '/log/checkpoint')).status).toBe(200);
    expect((await system.admin('GET', `/v1/licenses/${license}`)).status).toBe(503);
    await system.down();
  });

  it('is noticed by the witnesses where the mark is put back with it', async () => {
    putBack(yesterday.file);
    cpSync(yesterday.mark, system.layout.signer.accessMark);
    await system.up();
    const line = await eventually('an alarm', () =>
      system.lines.findLast((each) => each.includes('access_log_unavailable') && each.includes('has seen')),
    );
    expect(line).toMatch(/witness-\d has seen \d+ entries/);
    const change = await system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Fabrikam' });
    expect(change).toMatchObject({ status: 503, json: { code: 'access_log_unavailable' } });
    await system.down();
  });

  it('is left behind where the newest file is gone for good: another log begins, and the old one still verifies', async () => {
    const dry = await operator.must<{ after: string }>('access', 'log', 'begin-again', '--dry-run');
    expect(dry.after).toBe('tally.example/log/access/2');
    await operator.must('access', 'log', 'begin-again');
    expect(existsSync(file())).toBe(false);
    await system.up();
    await system.ready();
    await system.must('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Fabrikam' });
    await allPublished();
    const report = await operator.must<{ origin: string }>('access', 'log', 'verify');
    expect(report.origin).toBe('tally.example/log/access/2');
    const aside = join(dirname(file()), 'access-before-2.db');
    expect(await operator.must('access', 'log', 'verify', '--file', aside)).toMatchObject({
      ok: true,
      origin: 'tally.example/log/access',
    });
  });
});

describe('a login', () => {
  it('is recorded before its session begins, and fails under the name that was tried', async () => {
    const invited = await invite((...request) => system.admin(...request), {
      name: 'Ada Byron',
      email: 'ada@example.com',
      roles: ['administrator'],
    });
    const { person, session } = await Person.enroll(system, invited, 'correct horse battery');
    const wrong = { account: 'ada@example.com', password: 'guessed', code: '000000' };
    expect((await system.admin('POST', '/v1/login', wrong)).status).toBe(401);
    using reader = SegmentReader.open(system.layout.access);
    const all = { from: begun, to: '2100-01-01T00:00:00.000Z' };
    const records = findRecords(reader, all, { start: 0, limit: 10_000 }).records.map(({ record }) => record);
    expect(records.filter(({ route }) => route === 'session.begin')).toMatchObject([
      { who: { kind: 'person', id: person.principal, session: session.session }, address: '127.0.0.1' },
    ]);
    expect(records.findLast(({ route }) => route === 'login.password')).toMatchObject({
      status: 401,
      who: null,
    });
    expect(JSON.stringify(records)).not.toMatch(/guessed|correct horse|000000/);
  });
});
