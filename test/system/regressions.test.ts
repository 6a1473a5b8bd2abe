// long: one table of cases over one running system, which is dear to start.
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { isProblemCode } from '@tallystick/contract';
import { base64, encodeEnvelope, leafHash, parseRecordEntry, payloadTypes, utf8 } from '@tallystick/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventReader } from './support/event-reader.ts';
import { type RawAnswer, rawBytes, rawRequest } from './support/raw-http.ts';
import { type Answer, RealSystem } from './support/real-system.ts';
import { eventually, sleep } from './support/waiting.ts';

interface Sold {
  id: string;
  key: string;
  index: number;
}

async function issue(system: RealSystem, query = '?wait=published'): Promise<Sold> {
  const { document, licenseKey, changes } = await system.must<{
    document: { id: string };
    licenseKey: string;
    changes: { index: number }[];
  }>('POST', `/v1/licenses${query}`, { plan: 'pro-yearly', licensee: 'Contoso' });
  return { id: document.id, key: licenseKey, index: changes[0]?.index ?? 0 };
}

/** Of whoever does not need one that was made for it: dear to start. */
let system: RealSystem;

beforeAll(async () => {
  system = await RealSystem.start();
  await system.ready();
  await system.sellPro();
  await system.published();
});

afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

describe('events', () => {
  beforeAll(() => sleep(500));

  it('tell of an entry when it is published, before the checkpoint that covers it', async () => {
    const reader = await EventReader.open(system);
    const { index } = await issue(system);
    await reader.until(
      'the entry',
      ({ type, data }) => type === 'entry.published' && data['index'] === index,
      3000,
    );
    await reader.close();
    const covering = reader.events.findIndex(
      ({ type, data }) => type === 'checkpoint.published' && (data['size'] as number) > index,
    );
    const entry = reader.events.findIndex(
      ({ type, data }) => type === 'entry.published' && data['index'] === index,
    );
    expect(entry).toBeLessThan(covering);
  });

  it('tell whoever resumes of the newest checkpoint after what was missed', async () => {
    await system.published();
    await sleep(500);
    const reader = await EventReader.open(system, 0);
    await reader.until('the checkpoint', ({ type }) => type === 'checkpoint.published', 3000);
    await reader.close();
  });
});

describe('the status of the log', () => {
  it('is never older than what was acknowledged before it was asked for', async () => {
    for (let nth = 0; nth < 5; nth++) {
      const { index } = await issue(system, '');
      const { size } = await system.must<{ size: number }>('GET', '/v1/log');
      expect(size).toBeGreaterThan(index);
    }
  });
});

describe('requests that the framework answers before any route', () => {
  function headers(): Record<string, string> {
    return { authorization: `Bearer ${system.client.token}`, 'content-type': 'application/json' };
  }

  function expectProblem({ status, text, headers: sent }: RawAnswer, ...codes: string[]): void {
    const { code } = JSON.parse(text === '' ? '{}' : text) as { code?: string };
    expect({ status, text, code, type: sent['content-type'] }).toMatchObject({
      code: expect.toSatisfy((value: string) => isProblemCode(value) && codes.includes(value)),
      type: expect.stringMatching(/^application\/problem\+json/),
    });
  }

  it.each(['/v1/licenses/%zz', '/v1/licenses/%', '/v1/licenses/%c3%28', '/log/tile/%ff'])(
    '%s is a problem',
    async (path) => {
      expectProblem(
        await rawRequest(system.supervisor.urls.admin, { path, headers: headers() }),
        'malformed_request',
        'not_found',
      );
    },
  );

  it('an id of 300 characters is no wrong method', async () => {
    const path = `/v1/licenses/${'x'.repeat(300)}`;
    expectProblem(
      await rawRequest(system.supervisor.urls.admin, { path, headers: headers() }),
      'malformed_request',
      'subject_unknown',
      'not_found',
    );
  });

  it('a customer whose reference is 200 characters of any script is found by it', async () => {
    const reference = '\u6f22'.repeat(200);
    await system.must('POST', '/v1/customers', { reference, name: 'x' });
    await system.must('GET', `/v1/customers/${encodeURIComponent(reference)}`);
  });

  it('a created subject is answered with 201, and 202 where it is not published in time', async () => {
    const sale = { plan: 'pro-yearly', licensee: 'Contoso' };
    const answers = ['', '?dryRun=true', '?wait=published&waitMs=0'].map((query) =>
      system.admin('POST', `/v1/licenses${query}`, sale),
    );
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 200, 202]);
  });

  it('a history comes newest first, as the contract says', async () => {
    const { id } = await issue(system);
    await system.must('POST', `/v1/licenses/${id}/suspend`, { reason: 'payment' });
    const { items } = await system.must<{ items: { rev: number }[] }>('GET', `/v1/licenses/${id}/history`);
    expect(items.map(({ rev }) => rev)).toEqual([1, 0]);
  });

  it('bytes that are no UTF-8 are refused, not replaced', async () => {
    const body = Buffer.concat([
      Buffer.from('{"plan":"pro-yearly","licensee":"a'),
      Buffer.from([0xff, 0xc3]),
      Buffer.from('b"}'),
    ]);
    const path = '/v1/licenses?dryRun=true';
    expectProblem(
      await rawRequest(system.supervisor.urls.admin, { method: 'POST', path, body, headers: headers() }),
      'malformed_request',
    );
  });

  it.each<[string, Record<string, string>]>([
    ['one long header', { 'x-long': 'x'.repeat(20_000) }],
    [
      'many headers',
      Object.fromEntries(Array.from({ length: 1500 }, (_, nth) => [`x-${nth}`, 'x'.repeat(8)])),
    ],
  ])('%s is a problem', async (_, flood) => {
    const answer = await rawRequest(system.supervisor.urls.admin, {
      path: '/v1/log',
      headers: { ...headers(), ...flood },
    });
    expectProblem(answer, 'malformed_request', 'body_too_large');
  });

  it.each<[string, string]>([
    ['no HTTP', 'hello\r\n\r\n'],
    ['a length that is no number', 'POST /v1/licenses HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/licenses HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    ],
    [
      'a length and chunks',
      'POST /v1/licenses HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an unknown method', 'FROB /v1/log HTTP/1.1\r\nhost: x\r\n\r\n'],
    [
      'a broken chunk',
      'POST /v1/licenses HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    ],
  ])('%s is a problem', async (_, bytes) => {
    const answer = await rawBytes(system.supervisor.urls.admin, bytes, 1000);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
  });
});

/** Stands between server and signer, and can lose an answer as a signer does that dies after it moved its mark. */
class LossySignerProxy {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The next answer that holds this text is lost, and the connection with it. */
  #lose: string | null = null;

  constructor(path: string, upstream: string) {
    this.path = path;
    this.#server = createServer((client) => {
      const signer = connect(upstream);
      let request = '';
      for (const socket of [client, signer]) this.#sockets.add(socket.on('error', () => {}));
      client.on('data', (part: Buffer) => {
        request = part.toString('latin1');
        signer.write(part);
      });
      signer.on('data', (part: Buffer) => {
        if (this.#lose !== null && request.includes(this.#lose)) {
          this.#lose = null;
          client.destroy();
          signer.destroy();
        } else client.write(part);
      });
      client.on('close', () => signer.destroy());
      signer.on('close', () => client.destroy());
    }).listen(path);
  }

  loseAnswerTo(request: string): void {
    this.#lose = request;
  }

  get hasLost(): boolean {
    return this.#lose === null;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

describe('a signer', () => {
  it('that dies after it moved its mark and before it answered stops nothing for good', async () => {
    await using own = await RealSystem.create();
    const { socket } = own.layout.signer;
    const proxy = new LossySignerProxy(`${own.directory}/proxy.sock`, socket);
    // Where the server shows the signer which user it is.
    symlinkSync(`${socket}.peers`, `${proxy.path}.peers`);
    await own.up({ server: { signerSocket: proxy.path } });
    await own.ready();
    await own.sellPro();
    await own.published();
    proxy.loseAnswerTo('"op":"checkpoint"');
    const { index } = await issue(own, '');
    await eventually('the loss', () => proxy.hasLost);
    await eventually('the entry to be published', async () => (await own.publishedSize()) > index, 8000);
    proxy.close();
  });

  it('that hangs is answered for by the server within a bounded time', async () => {
    system.kill('signer', 'SIGSTOP');
    try {
      const asked = system.admin('POST', '/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' });
      const answer = await Promise.race([asked, sleep(25_000)]);
      expect(answer).toMatchObject({ status: 503, json: { code: 'signer_unavailable' } });
    } finally {
      system.kill('signer', 'SIGCONT');
    }
  });

  it('is not named as why the server ended, where that was killed later', async () => {
    expect(system.lines.findLast((line) => line.startsWith('server: '))).toMatch(/^server: \{/);
    system.kill('server');
    await eventually('the restart', () => system.restarts.includes('server: SIGKILL'));
    await system.ready();
  });
});

describe('a system that is told to stop', () => {
  it('stops at once, without any of its processes having to be killed', async () => {
    await system.ready();
    const begun = Date.now();
    await system.down();
    expect(Date.now() - begun).toBeLessThan(5000);
  });
});

describe('a supervisor that is killed', () => {
  it('leaves no process behind, so that the system can be started again', async () => {
    await using own = await RealSystem.create();
    const script = `${own.directory}/supervise.ts`;
    const supervisor = fileURLToPath(import.meta.resolve('@tallystick/server'));
    writeFileSync(
      script,
      `import { Supervisor } from ${JSON.stringify(supervisor)};
       const pids = {};
       await Supervisor.start({ directory: ${JSON.stringify(own.layout.root)} },
         { onLine() {}, onRestart() {}, onStart(name, pid) { pids[name] = pid; } });
       console.log(JSON.stringify(pids));`,
    );
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) =>
      createInterface({ input: child.stdout }).once('line', resolve),
    );
    const pids = JSON.parse(line) as Record<string, number>;
    child.kill('SIGKILL');
    const left = (): string[] => Object.keys(pids).filter((name) => existsSync(`/proc/${pids[name]}`));
    try {
      await eventually(`the end of every process`, () => left().length === 0, 5000).catch(() => {});
      expect(left()).toEqual([]);
    } finally {
      for (const name of left()) process.kill(pids[name] ?? 0, 'SIGKILL');
    }
    await own.up();
    await own.ready();
  });
});

/** Systems whose files are altered while they are down; each test alters its own part. */
describe('files that were altered while the server was down', () => {
  let active: Sold;
  let revoked: Sold & { revokedAt: number };

  beforeAll(async () => {
    await system.up();
    await system.ready();
    active = await issue(system);
    const sold = await issue(system);
    const { changes } = await system.must<{ changes: { index: number }[] }>(
      'POST',
      `/v1/licenses/${sold.id}/revoke?wait=published`,
      {
        reason: 'fraud',
      },
    );
    revoked = { ...sold, revokedAt: changes[0]?.index ?? 0 };
    await system.published();
    await system.down();
  });

  let undo: (() => void)[] = [];

  afterEach(async () => {
    await system.down();
    for (const step of undo.reverse()) step();
    undo = [];
  });

  /** Sets a column of a row, and remembers how to undo it. */
  function alter(table: string, column: string, index: number, value: Uint8Array | string | null): void {
    const write = (bytes: Uint8Array | string | null): void => {
      const database = new DatabaseSync(system.layout.ledger.store);
      database.prepare(`UPDATE ${table} SET ${column} = ? WHERE idx = ?`).run(bytes, index);
      database.close();
    };
    const before = read(table, column, index);
    undo.push(() => write(before));
    write(value);
  }

  function read(table: string, column: string, index: number): Uint8Array {
    const database = new DatabaseSync(system.layout.ledger.store, { readOnly: true });
    const row = database.prepare(`SELECT ${column} AS bytes FROM ${table} WHERE idx = ?`).get(index);
    database.close();
    return row?.['bytes'] as Uint8Array;
  }

  /** Starts; a server that refuses to start with a reason serves nothing altered, which is as good. */
  async function starts(): Promise<boolean> {
    try {
      await system.up();
      return true;
    } catch {
      return false;
    }
  }

  function isRefused({ status, json }: Answer): boolean {
    return status === 500 && (json as { code?: string }).code === 'integrity';
  }

  it('whose tree takes no notice of the revocation do not bring a license back', async () => {
    alter('leaves', 'subject', revoked.revokedAt, null);
    if (!(await starts())) return;
    const answer = await system.admin('GET', `/v1/licenses/${revoked.id}`);
    expect(answer.text).not.toContain('"state":"active"');
    expect(isRefused(answer)).toBe(true);
    const file = await system.public('POST', '/v1/bundles', { licenseKey: revoked.key });
    expect(file.status).toBeGreaterThanOrEqual(400);
  });

  it('that agree with each other and not with what was signed are not served', async () => {
    const { index } = active;
    const document = Buffer.from(
      Buffer.from(read('contents', 'document', index))
        .toString()
        .replace('"limit":1000', '"limit":9999'),
    );
    const salt = read('contents', 'salt', index);
    const entry = reworded(read('entries', 'entry', index), salt, document);
    alter('contents', 'document', index, document);
    alter('entries', 'entry', index, entry);
    alter('leaves', 'leaf', index, leafHash(entry));
    if (!(await starts())) return;
    const answer = await system.admin('GET', `/v1/licenses/${active.id}`);
    expect(answer.text).not.toContain('9999');
    expect(isRefused(answer)).toBe(true);
  });

  it('of a map root are not served as an entry or in a tile', async () => {
    const { text } = await restarted(() => system.public('GET', '/log/checkpoint'));
    const index = Number(text.split('\n')[1]) - 1;
    const entry = Buffer.from(read('entries', 'entry', index));
    alter('entries', 'entry', index, Buffer.from(entry.toString().replace(/2\d{3}-/, '1999-')));
    if (!(await starts())) return;
    expect(isRefused(await system.admin('GET', `/v1/log/entries/${index}`))).toBe(true);
    const headers = { authorization: `Bearer ${system.mirrorToken}` };
    const tile = await system.public('GET', `/log/tile/entries/000.p/${index + 1}`, undefined, headers);
    expect(tile.text).not.toContain('1999-');
    expect(isRefused(tile)).toBe(true);
  });

  it('of whom a record is about are not told as an event', async () => {
    alter('contents', 'id', active.index, revoked.id);
    if (!(await starts())) return;
    const reader = await EventReader.open(system, active.index - 1);
    await sleep(1000);
    await reader.close();
    const told = reader.events.filter(
      ({ type, data }) => type === 'entry.published' && data['index'] === active.index,
    );
    expect(told.filter(({ data }) => (data['subject'] as { id: string }).id !== active.id)).toEqual([]);
  });

  it('of the projections do not hide a revision from the history', async () => {
    const database = new DatabaseSync(system.layout.ledger.projections);
    database.prepare('DELETE FROM revisions WHERE id = ? AND rev = 0').run(revoked.id);
    database.close();
    undo.push(() => rmSync(system.layout.ledger.projections, { force: true }));
    await system.up();
    expect(isRefused(await system.admin('GET', `/v1/licenses/${revoked.id}/history`))).toBe(true);
  });

  /** The same record over another document, with the signatures of the old one. */
  function reworded(entry: Uint8Array, salt: Uint8Array, document: Uint8Array): Uint8Array {
    const { envelope, record } = parseRecordEntry(entry);
    const commitment = new Uint8Array(
      hash('sha256', Buffer.concat([Buffer.from('tallystick/document/v1\0'), salt, document]), 'buffer'),
    );
    const payload = utf8(
      Buffer.from(envelope.payload).toString().replace(base64(record.doc), base64(commitment)),
    );
    return encodeEnvelope({ payload, payloadType: payloadTypes.record, signatures: envelope.signatures });
  }

  async function restarted<T>(ask: () => Promise<T>): Promise<T> {
    await system.up();
    const answer = await ask();
    await system.down();
    return answer;
  }
});

describe('a log that is behind and whose projections were thrown away', () => {
  it('finds what it holds, and the projections are whole when the log is, too', async () => {
    await using own = await RealSystem.start();
    await own.ready();
    await own.sellPro();
    const sold = await issue(own);
    const second = await issue(own);
    await own.published();
    await own.down();
    const { store, projections } = own.layout.ledger;
    const whole = new DatabaseSync(store);
    whole.exec(`VACUUM INTO '${store}.whole'`);
    whole.exec(`DELETE FROM leaves WHERE idx >= ${second.index}`);
    whole.close();
    for (const end of ['', '-wal', '-shm']) rmSync(`${projections}${end}`, { force: true });
    await own.up();
    const behind = await own.public('POST', '/v1/bundles', { licenseKey: sold.key });
    await own.admin('GET', '/v1/licenses');
    await own.down();
    for (const end of ['-wal', '-shm']) rmSync(`${store}${end}`, { force: true });
    rmSync(store);
    const back = new DatabaseSync(`${store}.whole`);
    back.exec(`VACUUM INTO '${store}'`);
    back.close();
    await own.up();
    await own.ready();
    expect((await own.public('POST', '/v1/bundles', { licenseKey: sold.key })).status).toBe(200);
    expect((await own.must<{ items: object[] }>('GET', '/v1/licenses')).items.length).toBe(2);
    // That a license key is unknown is an answer, and while the log is behind it would be a wrong one.
    expect((behind.json as { code?: string }).code).not.toBe('license_key_unknown');
  });
});

describe('the rate limit of the public listener', () => {
  it('does not lock out the replayer, without which nothing is published', async () => {
    await using own = await RealSystem.start({
      server: { limits: { public: { strangersPerMinute: 20 } } },
    });
    await own.ready();
    await own.sellPro();
    for (let nth = 0; nth < 30; nth++) {
      const sale = { plan: 'pro-yearly', licensee: 'Contoso' };
      const answer = await own.admin('POST', '/v1/licenses?wait=published&waitMs=3000', sale);
      expect({ nth, answer: answer.json }).toMatchObject({ nth, answer: { published: true } });
    }
  }, 120_000);
});
