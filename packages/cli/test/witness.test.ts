import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import {
  checkCosignature,
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  LogTree,
  leafHash,
  makeVerifierKey,
  noteSignatureType,
  parsePolicy,
  parseSignedCheckpoint,
  utf8,
  verifyQuorum,
} from '@tallystick/core';
import { localhostCertificate } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Harness, type Ran } from './support/harness.ts';

const name = 'witness.example/w1';

/** A log of arbitrary entries, in memory. */
class Log {
  readonly origin: string;
  readonly vkey: string;
  readonly #pair = generateKeyPairSync('ed25519');
  readonly #tree = new LogTree();

  constructor(origin: string) {
    this.origin = origin;
    const raw = this.#pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    this.vkey = formatVerifierKey(makeVerifierKey(origin, noteSignatureType.ed25519, new Uint8Array(raw)));
    for (let at = 0; at < 20; at++) this.#tree.append(leafHash(utf8(`${at}`)));
  }

  checkpoint(size: number): string {
    const text = formatCheckpoint({ origin: this.origin, size, root: this.#tree.root(size) });
    const signature = new Uint8Array(sign(null, utf8(text), this.#pair.privateKey));
    const id = Buffer.from(this.vkey.split('+')[1] ?? '', 'hex');
    return formatNote({ text, signatures: [{ name: this.origin, id, signature }] });
  }

  request(old: number, size: number): string {
    const proof = this.#tree.consistencyProof(old, size);
    const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
    return `old ${old}\n${lines.join('')}\n${this.checkpoint(size)}`;
  }
}

let harness: Harness;
let folder = '';
const log = new Log('log.example/one');
const other = new Log('log.example/two');

const witness = (...args: string[]): Promise<Ran> =>
  harness.run(['witness', ...args, '--folder', folder, '--json']);

async function must<T>(...args: string[]): Promise<T> {
  const ran = await witness(...args);
  expect(ran.err + ran.out).not.toContain('"error"');
  return ran.json() as T;
}

/** Two different ports that were free a moment ago. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as { port: number }).port);
  }
  for (const server of servers) server.close();
  return [ports[0] ?? 0, ports[1] ?? 0];
}

/** Serves until `stop` is called. */
function serve(): { stop: () => Promise<Ran> } {
  const stopping = new AbortController();
  const running = harness.run(['witness', 'serve', '--folder', folder, '--json'], {
    signal: stopping.signal,
  });
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}

let urls = { listening: '', metrics: '' };

beforeAll(async () => {
  harness = new Harness(null);
  folder = harness.path('witness');
  const [listen, metrics] = await freePorts();
  urls = { listening: `https://localhost:${listen}/w1`, metrics: `http://127.0.0.1:${metrics}` };
  const [cert, key] = [harness.write('tls.crt', localhostCertificate.cert), harness.path('tls.key')];
  harness.write('tls.key', localhostCertificate.key);
  chmodSync(key, 0o600);
  const made = await must<{ vkeys: string[]; url: string }>(
    'init',
    '--name',
    name,
    '--address',
    urls.listening,
    '--tls-cert',
    cert,
    '--tls-key',
    key,
    '--listen',
    `127.0.0.1:${listen}`,
    '--metrics',
    `127.0.0.1:${metrics}`,
  );
  expect([made.vkeys.length, made.url]).toEqual([2, urls.listening]);
});

afterAll(() => {
  harness[Symbol.dispose]();
});

function post(body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request(
      `${urls.listening}/add-checkpoint`,
      { method: 'POST', ca: localhostCertificate.cert, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    )
      .on('error', reject)
      .end(body);
  });
}

describe('tally witness', () => {
  it('makes keys that only their owner reads, and never begins a witness anew', async () => {
    expect(statSync(`${folder}/cosigner.key`).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const before = readFileSync(`${folder}/cosigner.key`);
    const again = await witness('init', '--name', name);
    expect([again.code, again.out]).toEqual([3, expect.stringContaining('is there already')]);
    expect(readFileSync(`${folder}/cosigner.key`)).toEqual(before);
  });

  it('makes nothing in a dry run, or with half of what TLS needs', async () => {
    const elsewhere = harness.path('elsewhere');
    const run = (...args: string[]): Promise<Ran> =>
      harness.run(['witness', 'init', '--name', name, '--folder', elsewhere, ...args]);
    expect((await run('--dry-run')).code).toBe(0);
    expect((await run('--tls-cert', 'x')).code).toBe(3);
    expect((await run('--listen', 'nowhere')).code).toBe(3);
    expect((await run('--address', 'ftp://w')).code).toBe(3);
    expect([elsewhere, `${elsewhere}.partial`].filter((path) => existsSync(path))).toEqual([]);
  });

  it('does not serve without a log', async () => {
    const ran = await serve().stop();
    expect([ran.code, ran.out]).toEqual([3, expect.stringContaining('tally witness add-log adds one')]);
  });

  it('adds a log once, and never with other keys', async () => {
    const keys = ['--vkey', log.vkey];
    expect(await must('add-log', ...keys, '--dry-run')).toMatchObject({ added: true, dryRun: true });
    expect(await must('list')).toMatchObject({ logs: [] });
    expect(await must('add-log', ...keys)).toMatchObject({
      added: true,
      running: false,
      logs: [{ origin: log.origin }],
    });
    expect(await must('add-log', ...keys)).toMatchObject({ added: false });
    const impostor = await witness('add-log', '--vkey', new Log(log.origin).vkey);
    expect([impostor.code, impostor.out]).toEqual([3, expect.stringContaining('with other keys')]);
    expect(await must('list')).toMatchObject({
      name,
      running: false,
      logs: [{ origin: log.origin, vkeys: [log.vkey], size: 0 }],
    });
  });

  it.each<[string, string[]]>([
    ['nothing', []],
    ['a key of two logs', ['--vkey', log.vkey, other.vkey]],
    ['a key under another origin', ['--vkey', log.vkey, '--origin', 'log.example/three']],
    ['no key', ['--vkey', 'key']],
    ['an address without TLS', ['--from', 'http://log.example/trust-root.json']],
    ['a file that is none', ['--from', 'missing.json']],
  ])('follows no log for %s', async (_what, args) => {
    const before = readFileSync(`${folder}/witness.json`);
    expect((await witness('add-log', ...args)).code).toBe(3);
    expect(readFileSync(`${folder}/witness.json`)).toEqual(before);
  });

  it('cosigns over TLS, takes up logs while it runs, and shows them', async () => {
    const serving = serve();
    await expect.poll(() => must('list'), { timeout: 5000 }).toMatchObject({ running: true });
    const { text } = await post(log.request(0, 10));
    const { policy } = await must<{ policy: string[] }>('show-policy-line');
    const checkpoint = parseSignedCheckpoint(utf8(log.checkpoint(10) + text));
    await verifyQuorum(checkpoint, parsePolicy(`${policy.join('\n')}\nquorum ${name}\n`));
    expect((await post(other.request(0, 10))).status).toBe(404);
    const from = harness.write('policy.txt', `log ${other.vkey} https://log.example/two\nquorum none\n`);
    expect(await must('add-log', '--from', from)).toMatchObject({ running: true, active: true });
    expect((await post(other.request(0, 7))).status).toBe(200);
    expect(await must('remove-log', other.origin)).toMatchObject({ removed: true, running: true });
    expect((await post(other.request(7, 8))).status).toBe(404);
    const only = await witness('remove-log', log.origin);
    expect(only.out).toContain('only log of a running witness');
    expect(await must('add-log', '--from', from)).toMatchObject({ added: true, active: true });
    expect((await post(other.request(0, 8))).text).toBe('7\n');
    expect(await must('list')).toMatchObject({ logs: [{ size: 10 }, { size: 7 }] });
    const metrics = await (await fetch(`${urls.metrics}/metrics`)).text();
    expect(metrics).toContain(`tally_cosigner_size{origin="${other.origin}"} 7`);
    const ran = await serving.stop();
    expect([ran.code, ran.err]).toEqual([
      0,
      expect.stringMatching(/\{"event":"reloaded","added":\[.*"at":"/),
    ]);
    expect(await must('list')).toMatchObject({ running: false, logs: [{ size: 10 }, { size: 7 }] });
  });

  it('goes on with the certificate that it has where a new one cannot be used', async () => {
    const lines: string[] = [];
    const stopping = new AbortController();
    const running = harness.run(['witness', 'serve', '--folder', folder], {
      signal: stopping.signal,
      onLine: (line) => lines.push(line),
    });
    await expect.poll(() => must('list'), { timeout: 5000 }).toMatchObject({ running: true });
    harness.write('tls.crt', 'no certificate');
    await expect.poll(() => lines.join(''), { timeout: 5000 }).toMatch(/not_reloaded.*certificate/);
    expect((await post(log.request(10, 11))).status).toBe(200);
    harness.write('tls.crt', localhostCertificate.cert);
    await expect.poll(() => lines.join(''), { timeout: 5000 }).toMatch(/"reloaded"/);
    expect((await post(log.request(11, 12))).status).toBe(200);
    stopping.abort();
    expect((await running).code).toBe(0);
  });

  it('shows monitors what it cosigned, after a restart too', async () => {
    const serving = serve();
    await expect.poll(() => must('list'), { timeout: 5000 }).toMatchObject({ running: true });
    const path = createHash('sha256').update(log.origin).digest('hex');
    const note = await new Promise<string>((resolve, reject) => {
      request(
        `${urls.listening}/${path}/checkpoint`,
        { ca: localhostCertificate.cert, agent: false },
        (answer) => {
          answer.setEncoding('utf8').once('data', resolve);
        },
      )
        .on('error', reject)
        .end();
    });
    const { policy } = await must<{ policy: string[] }>('show-policy-line');
    for (const { vkey } of parsePolicy(`${policy.join('\n')}\nquorum none\n`).witnesses)
      expect(await checkCosignature(parseSignedCheckpoint(utf8(note)), vkey)).toMatchObject({ is: 'valid' });
    expect((await serving.stop()).code).toBe(0);
  });

  it('refuses a key for TLS that anybody can read', async () => {
    chmodSync(harness.path('tls.key'), 0o644);
    const ran = await serve().stop();
    expect([ran.code, ran.out]).toEqual([3, expect.stringContaining('mode 644')]);
    chmodSync(harness.path('tls.key'), 0o600);
  });

  it('begins nothing anew where its memory is lost', async () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${folder}/state.db${suffix}`, { force: true });
    const attempts = [
      await serve().stop(),
      await witness('list'),
      await witness('add-log', '--vkey', other.vkey),
    ];
    for (const ran of attempts)
      expect([ran.code, ran.out]).toEqual([3, expect.stringContaining('another name')]);
    expect(existsSync(`${folder}/state.db`)).toBe(false);
  });
});
