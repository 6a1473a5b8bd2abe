import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64, checkCosignature, parseSignedCheckpoint, utf8, type VerifierKey } from '@tallystick/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cosigner, createWitness, initState, keyFromSeed, startServer } from '../src/index.ts';
import { plainLog } from './support/plain-log.ts';
import { requestBody, type TestLog } from './support/test-log.ts';

const now = 1_800_000_000;
const seed = new Uint8Array(32).fill(3);
const key = keyFromSeed('witness.example/w1', seed);
const second = keyFromSeed('witness.example/w1', seed, 'ml-dsa-44');

interface Served {
  status: number;
  type: string | null;
  text: string;
}

let folder = '';
let log: TestLog;
let witness: Cosigner;
let url = '';
let stop: () => Promise<void>;

async function open(vkeys: VerifierKey[] = [log.vkey]): Promise<void> {
  const logs = [{ origin: log.origin, vkeys }];
  witness = createWitness({ keys: [key, second], stateFile: join(folder, 'state.db'), logs, now: () => now });
  const server = await startServer({
    cosigner: witness,
    host: '127.0.0.1',
    port: 0,
    now: () => now,
    reportFault: (error) => {
      throw error;
    },
  });
  url = server.url;
  stop = async () => {
    await server[Symbol.asyncDispose]();
    await witness[Symbol.asyncDispose]();
  };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'witness-'));
  log = plainLog(300);
  initState({ stateFile: join(folder, 'state.db'), kind: 'witness', name: key.name, origins: [log.origin] });
  await open();
});

afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

async function post(body: Uint8Array | string): Promise<Served> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as BodyInit });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.text(),
  };
}

describe('add-checkpoint', () => {
  it('cosigns a log that grows, and says the same again at the same size', async () => {
    let last = 0;
    for (const size of [0, 1, 1, 7, 256, 300, 300]) {
      const { status, text } = await post(log.request(last, size));
      expect(status).toBe(200);
      const checkpoint = parseSignedCheckpoint(utf8(log.checkpoint(size) + text));
      for (const { vkey } of [key, second])
        expect(await checkCosignature(checkpoint, vkey)).toEqual({ is: 'valid', seconds: now });
      last = size;
    }
  });

  it('answers 409 with the size where the old size is another', async () => {
    await post(log.request(0, 10));
    for (const [old, size] of [
      [0, 20],
      [5, 20],
      [11, 20],
      [0, 10],
      [5, 5],
    ] as const) {
      expect(await post(log.request(old, size))).toEqual({
        status: 409,
        type: 'text/x.tlog.size',
        text: '10\n',
      });
    }
  });

  it('answers 404 for a log that it does not know', async () => {
    expect((await post(plainLog(3, 'log.example/other').request(0))).status).toBe(404);
  });

  it.each<[string, () => string]>([
    [
      'no known signature',
      () =>
        log.checkpoint(3).replace(/— .*/, plainLog(1, 'log.example/other').checkpoint().split('\n').at(-2)!),
    ],
    [
      'a signature of another key under the same name',
      () => log.checkpoint(3).replace(/— .*/, plainLog(1).checkpoint().split('\n').at(-2)!),
    ],
    [
      'a signature over another checkpoint',
      () => log.checkpoint(3).replace(/— .*/, log.checkpoint(4).split('\n').at(-2)!),
    ],
    [
      'a good and a bad signature of its key',
      () => `${log.checkpoint(3)}${log.checkpoint(4).split('\n').at(-2)!}\n`,
    ],
  ])('answers 403 for %s', async (_what, checkpoint) => {
    expect((await post(requestBody(0, [], checkpoint()))).status).toBe(403);
  });

  it('answers 403 where one of two log keys did not sign, whichever it is', async () => {
    await stop();
    const pq = keyFromSeed(log.origin, seed, 'ml-dsa-44');
    await open([log.vkey, pq.vkey]);
    const both = log.checkpoint(3) + pq.cosign({ origin: log.origin, size: 3, root: log.tree.root(3) }, now);
    const [, ed25519 = '', mlDsa44 = ''] = both.split(/^(?=— )/m);
    for (const stripped of [ed25519, mlDsa44])
      expect((await post(requestBody(0, [], both.replace(stripped, '')))).status).toBe(403);
    expect((await post(requestBody(0, [], both))).status).toBe(200);
  });

  it.each<[string, () => string | Uint8Array]>([
    ['nothing', () => ''],
    ['an old size above the new one', () => log.request(5, 4)],
    ['no old size', () => `\n\n${log.checkpoint(3)}`],
    ['an old size with a leading zero', () => `old 00\n\n${log.checkpoint(3)}`],
    ['a negative old size', () => `old -1\n\n${log.checkpoint(3)}`],
    ['no blank line', () => `old 0\n${log.checkpoint(3).replaceAll('\n\n', '\n')}`],
    ['a hash that is not base64', () => `old 0\n!\n\n${log.checkpoint(3)}`],
    ['a hash of 31 bytes', () => `old 0\n${base64(new Uint8Array(31))}\n\n${log.checkpoint(3)}`],
    [
      'more than 63 hashes',
      () =>
        requestBody(
          0,
          Array.from({ length: 64 }, () => new Uint8Array(32)),
          log.checkpoint(3),
        ),
    ],
    [
      'a checkpoint with an extension line',
      () => `old 0\n\n${log.checkpoint(3).replace('\n\n', '\nmore\n\n')}`,
    ],
    ['carriage returns', () => `old 0\r\n\r\n${log.checkpoint(3)}`],
    ['bytes that are not UTF-8', () => Uint8Array.of(0x6f, 0x6c, 0x64, 0xff)],
    ['a size above 2^53', () => `old 0\n\n${log.checkpoint(3).replace('\n3\n', '\n9007199254740993\n')}`],
  ])('answers 400 for %s', async (_what, body) => {
    expect((await post(body())).status).toBe(400);
  });

  it('answers 422 for a proof that does not hold, is missing, or is too much', async () => {
    await post(log.request(0, 10));
    const good = log.tree.consistencyProof(10, 200);
    const flipped = good.map((hash, at) => (at === 1 ? hash.map((byte) => byte ^ 1) : hash));
    for (const proof of [[], flipped, good.slice(1), [...good, good[0]!], [...good].reverse()]) {
      expect((await post(requestBody(10, proof, log.checkpoint(200)))).status).toBe(422);
    }
    expect((await post(requestBody(10, good, log.checkpoint(200)))).status).toBe(200);
  });

  it('answers 422 for another history, at the same size and at a larger one', async () => {
    await post(log.request(0, 10));
    const fork = plainLog(20, log.origin, 'fork ');
    const same = await post(requestBody(10, [], log.checkpoint(10, fork.tree.root(10))));
    expect([same.status, same.text]).toEqual([422, expect.stringContaining('two histories')]);
    const larger = requestBody(
      10,
      fork.tree.consistencyProof(10, 20),
      log.checkpoint(20, fork.tree.root(20)),
    );
    expect((await post(larger)).status).toBe(422);
  });

  it('answers 413 for a body of more than 64 KiB', async () => {
    expect((await post('x'.repeat(64 * 1024 + 1))).status).toBe(413);
  });

  it('answers 405 for GET', async () => {
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405);
  });

  it('lets one of two racing requests win and tells the other the size', async () => {
    for (let size = 1; size < 60; size += 2) {
      const old = witness.status()[0]!.size;
      const answers = await Promise.all([post(log.request(old, size)), post(log.request(old, size + 1))]);
      expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409]);
      const winner = answers[0].status === 200 ? size : size + 1;
      expect(answers.find((answer) => answer.status === 409)?.text).toBe(`${winner}\n`);
      if (winner === size) await post(log.request(size, size + 1));
    }
  });

  it('never cosigns a size below one that it cosigned, whatever the order of requests', async () => {
    const steps = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 10, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, async (pairs) => {
        let cosigned = witness.status()[0]!.size;
        for (const [old, size] of pairs) {
          const isNext = old === cosigned && size >= old;
          const result = await witness.addCheckpoint(log.request(old, size)).then(
            () => true,
            () => false,
          );
          expect(result).toBe(isNext);
          if (result) cosigned = size;
        }
      }),
      { numRuns: 20 },
    );
  });

  it('remembers across a restart', async () => {
    await post(log.request(0, 10));
    await stop();
    await open();
    expect(await post(log.request(0, 20))).toMatchObject({ status: 409, text: '10\n' });
  });
});

describe('the other pages', () => {
  it('show a person the name, the key and the size', async () => {
    await post(log.request(0, 10));
    const page = await (await fetch(url)).text();
    for (const part of [key.name, key.vkeyText, second.vkeyText, `${log.origin}: cosigned up to 10 entries`])
      expect(page).toContain(part);
  });

  it('show a machine the health', async () => {
    await post(requestBody(0, [], log.checkpoint(10)));
    await post(requestBody(10, [], log.checkpoint(11)));
    const text = await (await fetch(`${url}/healthz`)).text();
    expect(text).toMatch(
      `{"status":"ok","kind":"witness","name":"${key.name}","logs":[{"origin":"${log.origin}","size":10,"refused":"`,
    );
    expect(text).toContain('consistency proof');
  });

  it('are no others', async () => {
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
  });
});

describe('limits', () => {
  it('answer 429 for too many requests in a second', async () => {
    const options = { cosigner: witness, host: '127.0.0.1', port: 0, now: () => now, reportFault: () => {} };
    await using server = await startServer({ ...options, strangersPerSecond: 2 });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) {
      const response = await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body: 'x' });
      statuses.push(response.status);
    }
    expect(statuses).toEqual([400, 400, 429]);
  });
});
