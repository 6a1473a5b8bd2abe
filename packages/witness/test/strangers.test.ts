import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  base64,
  checkCosignature,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  utf8,
  verifyLogSignatures,
} from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Cosigner,
  type CosignerServer,
  createWitness,
  type ForkEvidence,
  initState,
  keyFromSeed,
  startServer,
} from '../src/index.ts';
import { plainLog } from './support/plain-log.ts';
import { requestBody, type TestLog } from './support/test-log.ts';

let clock = 1_800_000_000;
const seed = new Uint8Array(32).fill(5);
const keys = [
  keyFromSeed('witness.example/w1', seed),
  keyFromSeed('witness.example/w1', seed, 'ml-dsa-44'),
] as const;

let folder = '';
let log: TestLog;
let other: TestLog;
let witness: Cosigner;
let server: CosignerServer;
const sockets: Socket[] = [];
const evidence: ForkEvidence[] = [];
const onFork = (each: ForkEvidence): void => void evidence.push(each);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'witness-'));
  log = plainLog(200);
  other = plainLog(50, 'log.example/other');
  const stateFile = join(folder, 'state.db');
  initState({ stateFile, kind: 'witness', name: keys[0].name, origins: [log.origin, other.origin] });
  const logs = [log, other].map(({ origin, vkey }) => ({ origin, vkeys: [vkey] }));
  witness = createWitness({ keys, stateFile, logs, now: () => clock, checkpointsPerSecond: 20, onFork });
  server = await startServer({
    cosigner: witness,
    host: '127.0.0.1',
    port: 0,
    now: () => clock,
    strangersPerSecond: 5,
    readsPerAddressMax: 4,
    reportFault: (error) => {
      throw error;
    },
  });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server[Symbol.asyncDispose]();
  await witness[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function post(body: Uint8Array | string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: body as BodyInit });
  return { status: response.status, text: await response.text() };
}

function monitoringPath(origin: string): string {
  return `/${createHash('sha256').update(origin).digest('hex')}/checkpoint`;
}

/** Posts from another address of this machine. */
function postFrom(localAddress: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      localAddress,
      agent: false,
      headers: { 'content-length': body.length },
    };
    httpRequest(`${server.url}/add-checkpoint`, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end(body);
  });
}

describe('a stranger who floods a witness', () => {
  it.each<[string, () => Uint8Array | string]>([
    ['with noise', () => 'x'],
    ['with logs that nobody knows', () => plainLog(3, 'log.example/unknown').request(0)],
    ['with checkpoints without a signature of the log', () => requestBody(0, [], unsigned(log))],
  ])('%s is told to wait, and the logs are not', async (_what, body) => {
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push((await post(body())).status);
    expect(statuses.slice(0, 5)).not.toContain(429);
    expect(statuses.slice(5)).toEqual(Array(7).fill(429));
    expect((await post(log.request(0, 10))).status).toBe(200);
    expect((await post(other.request(0, 10))).status).toBe(200);
  });

  it('with old checkpoints of a log costs that log nothing', async () => {
    for (let size = 0; size < 10; size++) await post(log.request(size, size + 1));
    for (let n = 0; n < 50; n++) {
      expect((await post(log.request(10, 10))).status).toBe(200);
      expect((await post(log.request(0, 10))).status).toBe(409);
    }
    for (let size = 10; size < 20; size++) expect((await post(log.request(size, size + 1))).status).toBe(200);
  });

  it('with a true checkpoint and false proofs costs that log nothing, and is no proof against it', async () => {
    await post(log.request(0, 10));
    for (let n = 0; n < 40; n++) {
      const wrong = requestBody(10, [new Uint8Array(32)], log.checkpoint(20));
      expect((await post(wrong)).status).toBe(422);
    }
    expect((await post(log.request(10, 20))).status).toBe(200);
    expect(witness.counts()[0]).toMatchObject({ forks: 0 });
  });

  it('by bodies that never end is cut off, and a log is not, be it at the same address', async () => {
    const { port } = new URL(server.url);
    for (let n = 0; n < 70; n++) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      sockets.push(socket);
      socket.resume();
      socket.write('POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 1000\r\n\r\nold 0\n');
    }
    await expect.poll(() => sockets.filter((socket) => socket.closed).length).toBeGreaterThanOrEqual(66);
    expect(await postFrom('127.0.0.2', log.request(0, 10))).toBe(200);
    // Behind a proxy the log and the stranger have one address.
    expect((await post(log.request(10, 20))).status).toBe(200);
    expect(sockets.filter((socket) => !socket.closed)).not.toEqual([]);
  });

  it('with one signature of the log many times over has it checked no more than once', async () => {
    const [text = '', signature = ''] = log.checkpoint(10).split(/^(?=— )/m);
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++)
      statuses.push((await post(requestBody(0, [], text + signature.repeat(60)))).status);
    expect(statuses).toEqual([403, 403, 403, 403, 403, 429]);
    expect((await post(log.request(0, 10))).status).toBe(200);
  });

  it('with signatures of nobody puts none of them into what is kept and shown', async () => {
    const junk = unsigned(plainLog(1, 'log.example/junk')).split('\n\n')[1] ?? '';
    expect(junk).toMatch(/^— log\.example\/junk /);
    expect((await post(requestBody(0, [], log.checkpoint(10) + junk))).status).toBe(200);
    const shown = await fetch(server.url + monitoringPath(log.origin));
    expect(shown.status).toBe(200);
    expect(await shown.text()).not.toContain('junk');
  });

  function unsigned(of: TestLog): string {
    const { origin } = of;
    const stranger = plainLog(1, 'log.example/junk').checkpoint().split('\n').at(-2) ?? '';
    return `${of.checkpoint().split('\n\n')[0]}\n\n${stranger.replace(origin, 'log.example/junk')}\n`;
  }
});

describe('a log that grows too fast', () => {
  it('is told to wait, and another one is not', async () => {
    for (let size = 0; size < 20; size++) expect((await post(log.request(size, size + 1))).status).toBe(200);
    expect((await post(log.request(20, 21))).status).toBe(429);
    expect(witness.status()[0]).toMatchObject({ size: 20, refused: null });
    expect((await post(other.request(0, 10))).status).toBe(200);
    clock += 1;
    expect((await post(log.request(20, 21))).status).toBe(200);
  });
});

describe('a memory that was put back', () => {
  it('shows in what the log asks, and cosigns nothing that it did not see', async () => {
    await post(log.request(0, 10));
    expect(witness.counts()[0]).toMatchObject({ ahead: 0 });
    expect(await post(log.request(20, 30))).toEqual({ status: 409, text: '10\n' });
    expect(witness.counts()[0]).toMatchObject({ ahead: 1 });
  });
});

describe('a log that shows two histories', () => {
  it('is proven to, once for each', async () => {
    await post(log.request(0, 10));
    const forks = ['a', 'b'].map((salt) => plainLog(10, log.origin, salt).tree.root(10));
    for (const root of [...forks, ...forks])
      expect((await post(requestBody(10, [], log.checkpoint(10, root)))).status).toBe(422);
    expect(evidence.map(({ origin, size }) => [origin, size])).toEqual([
      [log.origin, 10],
      [log.origin, 10],
    ]);
    for (const [at, { cosigned, refused }] of evidence.entries()) {
      const [ours, theirs] = [cosigned, refused].map((note) => parseSignedCheckpoint(utf8(note)));
      for (const checkpoint of [ours, theirs])
        await verifyLogSignatures(checkpoint as SignedCheckpoint, [log.vkey]);
      expect([ours, theirs].map((each) => base64(each?.root ?? new Uint8Array()))).toEqual(
        [log.tree.root(10), forks[at] ?? new Uint8Array()].map(base64),
      );
    }
    expect(witness.counts()[0]).toMatchObject({ forks: 2 });
    expect((await post(log.request(10, 20))).status).toBe(200);
  });
});

describe('a monitor', () => {
  it('reads the newest cosigned checkpoint of each log, with the signatures of the log and ours', async () => {
    await post(log.request(0, 10));
    await post(log.request(10, 25));
    const response = await fetch(server.url + monitoringPath(log.origin));
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    const text = await response.text();
    expect(text.startsWith(log.checkpoint(25))).toBe(true);
    const checkpoint = parseSignedCheckpoint(utf8(text));
    for (const { vkey } of keys)
      expect(await checkCosignature(checkpoint, vkey)).toEqual({ is: 'valid', seconds: clock });
    expect(checkpoint.note.signatures).toHaveLength(3);
  });

  it('is told 404 for a log that was never cosigned, or is unknown, or is misspelled', async () => {
    const known = monitoringPath(log.origin);
    for (const path of [known, monitoringPath('log.example/unknown'), known.toUpperCase(), '/x/checkpoint'])
      expect((await fetch(server.url + path)).status).toBe(404);
    expect((await fetch(server.url + known, { method: 'POST' })).status).toBe(405);
  });
});
