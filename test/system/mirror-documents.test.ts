/** Documents at a mirror of a real system: how they get there, who gets them, and the primary lost and made anew of them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { FsckReport, RepairReport } from '@tallystick/audit';
import { beginAccessLogAgain, type SystemDescription } from '@tallystick/server';
import {
  initCosignerState,
  loadConfig,
  logPathName,
  type RunningCosigner,
  startCosigner,
} from '@tallystick/witness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const personal = 'Erika Mustermann';
const origin = 'tally.example/log';

let system: RealSystem;
let operator: Operator;
let principal: string;
let mirror: RunningCosigner;
let readerToken: string;
const lines: Record<string, unknown>[] = [];
let stopMirror = async (): Promise<void> => {};
let sold: { plain: string; revoked: string; personal: string };
let licenseKey: string;

async function issue(body: object): Promise<string> {
  const { document } = await system.must<{ document: { id: string } }>('POST', '/v1/licenses', {
    plan: 'pro-yearly',
    ...body,
  });
  return document.id;
}

beforeAll(async () => {
  system = await RealSystem.start({ algorithms: ['ed25519'] });
  operator = new Operator(system);
  await system.ready();
  keepBackup();
  await system.sellPro();
  const made = await operator.must<{ document: { id: string } }>(
    'principal',
    'create',
    '--kind',
    'service',
    '--name',
    'mirror',
    '--role',
    'content-mirror',
  );
  principal = made.document.id;
  const token = operator.path('content.token');
  await operator.must(
    'credential',
    'create',
    '--principal',
    principal,
    '--name',
    'mirror',
    '--secret-out',
    token,
  );
  const { publicKey } = await operator.must<{ publicKey: string }>(
    'content-key',
    'generate',
    '--out',
    operator.path('content.key'),
  );
  await operator.must('content-key', 'allow', principal, publicKey);
  for (const reference of ['gone', 'stays'])
    await system.must('POST', '/v1/customers', { reference, name: `Customer ${reference}` });
  const first = { plan: 'pro-yearly', licensee: 'Contoso' };
  const issued = await system.must<{ document: { id: string }; licenseKey: string }>(
    'POST',
    '/v1/licenses',
    first,
  );
  const plain = issued.document.id;
  licenseKey = issued.licenseKey;
  const revoked = await issue({ licensee: 'Northwind' });
  sold = { plain, revoked, personal: await issue({ customer: 'gone', licensee: personal }) };
  await system.published();
  await system.down();
  await system.up();
  await system.ready();
  await startMirror(publicKey, token);
  await followed();
}, 120_000);

afterAll(async () => {
  await stopMirror();
  rmSync(backupFolder(), { recursive: true, force: true });
  await system[Symbol.asyncDispose]();
});

function backupFolder(): string {
  return `${system.layout.root}.backup`;
}

/** What docs/operating/backup-and-restore.md says to keep elsewhere, and a copy of the signer's folder from the first day. */
function keepBackup(): void {
  mkdirSync(backupFolder());
  for (const part of ['keys', 'secrets', 'signer', 'trust-root.json', 'client.json'])
    execFileSync('cp', ['-a', `${system.layout.root}/${part}`, backupFolder()]);
  rmSync(`${backupFolder()}/signer/signer.sock`, { force: true });
}

/** A mirror of somebody else: in no trust root, and without a copy of the system's folder. */
async function startMirror(publicKey: string, tokenFile: string): Promise<void> {
  const { genesis, logVkeys } = JSON.parse(readFileSync(system.layout.system, 'utf8')) as SystemDescription;
  const folder = operator.path('mirror');
  mkdirSync(folder);
  readerToken = operator.path('reader.token');
  writeFileSync(readerToken, 'tally_reader_of_the_test\n');
  const { publicUrl } = system.client;
  const config = {
    name: 'mirror.example/m1',
    listen: { host: '127.0.0.1', port: 0 },
    stateFile: 'state.db',
    keyFile: 'cosigner.key',
    workers: 0,
    tokenHashes: [await hashOf('tally_reader_of_the_test')],
    logs: [
      {
        origin,
        vkeys: logVkeys,
        genesis,
        logUrl: `${publicUrl}/log`,
        trustUrl: `${publicUrl}/trust`,
        tokenFile: system.layout.secrets.mirrorToken,
        follow: true,
        contents: { file: 'contents.db', tokenFile, publicKey, keyFile: operator.path('content.key') },
      },
    ],
  };
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  const loaded = loadConfig(`${folder}/config.json`, 'replayer');
  initCosignerState(loaded);
  const clock = {
    now: () => Math.floor(Date.now() / 1000),
    report: (line: object) => lines.push({ ...line }),
  };
  mirror = await startCosigner(loaded, clock);
  stopMirror = async () => {
    stopMirror = async () => {};
    await mirror[Symbol.asyncDispose]();
  };
}

async function hashOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(token));
  return Buffer.from(digest).toString('base64');
}

/** Resolves when the mirror has fetched the documents of all that is published. */
async function followed(): Promise<void> {
  await system.published();
  const size = await system.publishedSize();
  await eventually('the mirror to have all documents', async () => {
    const { contents } = mirror.cosigner.status()[0]?.mirror ?? {};
    if (contents?.fetched !== size) return null;
    return (await fromMirror('published')).text.includes(`\n${size}\n`) ? true : null;
  });
}

async function fromMirror(
  what: string,
  token = 'tally_reader_of_the_test',
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${mirror.url}/mirror/${logPathName(origin)}/${what}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.status, text: await answer.text() };
}

/** The license in a file of the mirror. */
async function shownByMirror(id: string): Promise<{ document: string; index: number }> {
  const { text } = await fromMirror(`bundle/acme/${id}`);
  const { subjects } = JSON.parse(text) as { subjects: { document: string; index: number }[] };
  const { document = '', index = -1 } = subjects[2] ?? {};
  return { document: Buffer.from(document, 'base64').toString(), index };
}

/** What `tally verify` says of the file that the mirror hands out. */
async function verdict(id: string): Promise<string> {
  const { status, text } = await fromMirror(`bundle/acme/${id}`);
  expect([status, text.slice(0, 7)]).toEqual([200, '{"v":1,']);
  operator.write('from-mirror.tally', text);
  const pin = ['--trust-root', system.layout.trustRoot, '--namespace', 'acme', '--product', 'pro'];
  const { stdout } = await operator.tally('verify', 'from-mirror.tally', ...pin);
  return stdout.split(/\s/)[0] ?? '';
}

function lastHour(): string {
  const [from, to] = [Date.now() - 3_600_000, Date.now() + 3_600_000].map((at) => new Date(at).toISOString());
  return `from=${from}&to=${to}`;
}

const batchPath = '/log/contents/0?to=5';

function contentToken(): string {
  return readFileSync(operator.path('content.token'), 'utf8').trim();
}

describe('documents on their way to a mirror', () => {
  it('are handed to whoever has the role, sealed to its key, and each time on the record first', async () => {
    const bearing = { authorization: `Bearer ${contentToken()}` };
    const batch = await system.public('GET', batchPath, undefined, bearing);
    expect(batch.status).toBe(200);
    expect(batch.headers.get('content-type')).toBe('application/vnd.tallystick.sealed-contents.v1');
    expect(batch.text).not.toContain('Acme');
    const { items } = await system.must<{ items: object[] }>(
      'GET',
      `/v1/access?${lastHour()}&principal=${principal}&limit=1`,
    );
    expect(items[0]).toMatchObject({
      record: { route: 'log.contents', status: 200, who: { id: principal } },
    });
    for (const [token, code] of [
      [system.mirrorToken, 'forbidden'],
      ['nonsense', 'unauthorized'],
      // Who may, and whom nobody seals to.
      [system.client.token, 'content_key_missing'],
    ]) {
      const answer = await system.admin('GET', batchPath, undefined, { authorization: `Bearer ${token}` });
      expect(answer.json).toMatchObject({ code });
    }
    // And nothing else opens to it.
    for (const path of ['/log/tile/0/000.p/1', '/v1/licenses', `/v1/licenses/${sold.plain}/bundle`]) {
      const answer = await system.admin('GET', path, undefined, bearing);
      expect([path, answer.status]).toEqual([path, 403]);
    }
    for (const path of [
      '/log/contents/0',
      '/log/contents/x?to=1',
      '/log/contents/0?to=0',
      '/log/contents/0?to=1&x=1',
    ])
      expect((await system.public('GET', path, undefined, bearing)).status).toBe(400);
    expect((await system.public('GET', '/log/contents/999999?to=1000000', undefined, bearing)).status).toBe(
      404,
    );
  });

  it('come out of the mirror as license files that tally verify takes', async () => {
    expect(await verdict(sold.plain)).toBe('VALID');
    await system.must('POST', `/v1/licenses/${sold.revoked}/revoke`, { reason: 'fraud' });
    await followed();
    expect(await verdict(sold.revoked)).toBe('REVOKED');
    expect(await verdict('lic_00000000000000000000000000')).toBe('NEVER_ISSUED');
    expect((await fromMirror(`bundle/acme/${sold.plain}`, 'nobody')).status).toBe(401);
  });

  it('vanish there when their customer is erased', async () => {
    expect((await shownByMirror(sold.personal)).document).toContain(personal);
    await operator.must('customer', 'erase', 'gone');
    await followed();
    expect(lines).toContainEqual(expect.objectContaining({ event: 'content-erased', origin }));
    const { document } = await shownByMirror(sold.personal);
    expect([document.includes(sold.personal), document.includes(personal)]).toEqual([true, false]);
    expect(mirror.cosigner.status()[0]?.mirror?.contents?.lacks).toBe(0);
  });

  it('are not handed out where the database has others, which is an alarm there and at the mirror', async () => {
    const id = await issue({ licensee: 'Woodgrove' });
    await followed();
    const { index } = await shownByMirror(id);
    const store = new DatabaseSync(system.layout.ledger.store);
    store.exec(
      `UPDATE contents SET document = CAST(replace(document, 'Woodgrove', 'Woodgrave') AS BLOB) WHERE idx = ${index}`,
    );
    store.close();
    const bearing = { authorization: `Bearer ${contentToken()}` };
    const batch = await system.public('GET', `/log/contents/${index}?to=${index + 1}`, undefined, bearing);
    expect(batch.status).toBe(200);
    const { text } = await system.ops('/metrics');
    expect(text).toMatch(/tally_alarms_total\{code="integrity"\} [1-9]/);
    // What the mirror has is the right one: it was there before.
    expect(await verdict(id)).toBe('VALID');
    await system.down();
    const mended = await repair('--content-key', operator.path('content.key'));
    expect(mended.report.repaired.first).toEqual([
      { index, table: 'contents', message: 'the document was missing, or another one' },
    ]);
    expect([mended.code, mended.report.documents, mended.report.fsck?.ok]).toEqual([0, 1, true]);
    const again = await repair('--content-key', operator.path('content.key'));
    expect([again.code, again.report.repaired.count, again.report.undo]).toEqual([0, 0, null]);
  });
});

interface Repaired extends RepairReport {
  fsck: FsckReport | null;
  unchecked: string | null;
}

async function repair(...flags: string[]): Promise<{ code: number; report: Repaired; text: string }> {
  const args = ['repair', '--from', mirror.url, '--token-file', readerToken, '--json', ...flags];
  const { code, stdout, stderr } = await operator.tally(...args);
  return { code, report: (stdout === '' ? null : JSON.parse(stdout)) as Repaired, text: stdout + stderr };
}

describe('a primary that is lost with its disk', () => {
  it('is made anew of its keys and a mirror, with every document', async () => {
    const { root } = system.layout;
    for (const name of readdirSync(root)) {
      // The mirror's own folder is beside; cosigners are elsewhere in earnest.
      if (!/^(?:witness|replayer)-|^system\.json$/.test(name)) rmSync(`${root}/${name}`, { recursive: true });
    }
    for (const part of readdirSync(backupFolder()))
      execFileSync('cp', ['-a', `${backupFolder()}/${part}`, root]);
    for (const folder of ['signer', 'secrets', 'keys'])
      expect(readdirSync(`${root}/${folder}`)).not.toEqual([]);
    const key = ['--content-key', operator.path('content.key')];
    const other = operator.path('other.key');
    await operator.must('content-key', 'generate', '--out', other);
    const wrong = await repair('--content-key', other);
    expect(wrong.code).toBe(3);
    expect(JSON.parse(wrong.text)).toMatchObject({ error: { code: 'content_key_wrong' } });
    expect(readdirSync(`${root}/ledger`)).toEqual([]);
    const dry = await repair('--dry-run', ...key);
    expect([dry.code, dry.report.sizeBefore, dry.report.lost.count, readdirSync(`${root}/ledger`)]).toEqual([
      0,
      0,
      0,
      [],
    ]);
    const { code, report } = await repair(...key);
    const { lost, lostCauses, wrong: refused, unchecked } = report;
    expect({ lost, lostCauses, refused, unchecked }).toEqual({
      lost: { count: expect.any(Number), first: expect.any(Array) },
      lostCauses: 0,
      refused: { count: 0, first: [] },
      unchecked: null,
    });
    // What was erased, and nothing else, is not there; the log itself says why.
    expect(report.fsck?.problems).toEqual([]);
    expect([code, report.size, report.published]).toEqual([0, report.mirrored, report.mirrored]);
    const forwarded = await operator.must<{ moved: boolean }>('signer', 'forward-mark');
    expect(forwarded.moved).toBe(true);
    beginAccessLogAgain(system.layout);
    await system.up();
    await system.ready();
    const revoked = await system.must<{ document: { status: { state: string } } }>(
      'GET',
      `/v1/licenses/${sold.revoked}`,
    );
    expect(revoked.document.status.state).toBe('revoked');
    expect(await operator.verdict(sold.plain)).toBe('VALID');
    expect((await system.public('POST', '/v1/bundles', { licenseKey })).status).toBe(200);
    await system.must('POST', '/v1/licenses?wait=published', {
      plan: 'pro-yearly',
      licensee: 'Tailspin',
      customer: 'stays',
    });
    const checked = await operator.must<{ ok: boolean }>('fsck');
    expect(checked.ok).toBe(true);
    const files = readdirSync(`${root}/ledger`).map((name) =>
      readFileSync(`${root}/ledger/${name}`, 'latin1'),
    );
    expect(files.join('\n')).not.toContain(personal);
  });
});
