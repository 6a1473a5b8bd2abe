import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect, createServer, Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { base64, decodeUtf8 } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SignerClient } from '../src/client.ts';
import type { Mark } from '../src/mark.ts';
import { proveUser } from '../src/peer/prove-user.ts';
import { encodeFrame, type Frame, FrameReader, frameLengthMax } from '../src/protocol/frames.ts';
import type { BatchToSign, RecordToSign } from '../src/protocol/requests.ts';
import type { SignedBatch, Signer } from '../src/signer.ts';
import { listen } from '../src/socket-server.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, GrowingLog, licenseToSign, origin, record, signerWith } from './support/signing.ts';

let path: string;
let signer: Signer;
let mark: Mark;
let server: Server;
let alarms: { reason: string; op: string }[];
const sockets: Socket[] = [];
/** What a signer says once it knows who asks. */
const served = encodeFrame({ served: true });
const plain = { record: record('plan.created'), content: null };
const batchOf = (...records: RecordToSign[]): BatchToSign => ({ records, index: 5, publishBy: at });

beforeEach(async () => {
  path = join(scratchDirectory(), 'signer.sock');
  ({ signer, mark } = signerWith());
  alarms = [];
  await start();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  mark[Symbol.dispose]();
});

async function start(): Promise<void> {
  server = await listen(signer, path, ({ reason, op }) => alarms.push({ reason, op }));
  server.on('connection', (socket) => sockets.push(socket));
}

/** What the death of the process does to its connections. */
async function kill(): Promise<void> {
  server.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await after(5);
  // On a busy machine the timer is due before the other ends have been read: this is after they were.
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
}

async function rawSocket(): Promise<Socket> {
  const socket = connect(path);
  sockets.push(socket);
  socket.on('error', () => {});
  await proveUser(socket, path);
  return socket;
}

async function framesFrom(socket: Socket, count: number): Promise<Frame[]> {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  while (frames.length < count) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    frames.push(...reader.push(chunk));
  }
  return frames;
}

describe('a client', () => {
  it('gets over the socket what the signer itself gives', async () => {
    await using client = new SignerClient(path);
    const hello = await client.hello();
    expect(hello.keys.map(({ key }) => base64(key))).toEqual(
      signer.describe().keys.map(({ key }) => base64(key)),
    );
    expect(hello.mark).toMatchObject({ origin, size: 0 });
    const items = [licenseToSign(), plain, licenseToSign({ seats: 1 })];
    const shown = ({ entries, promise }: SignedBatch): string[] => [...entries, promise].map(decodeUtf8);
    const batch = batchOf(...items);
    expect(shown(await client.signBatch(batch))).toEqual(shown(await signer.signBatch(batch)));
    const log = new GrowingLog(5);
    const lines = await client.signCheckpoint(log.checkpoint(5), []);
    const [own] = await signer.signCheckpoint(log.checkpoint(5), []);
    expect(lines[0]).toEqual({ ...own, id: new Uint8Array(own!.id), signature: Buffer.from(own!.signature) });
    const statement = { origin, index: 5, count: 1, root: new Uint8Array(32), publishBy: plain.record.at };
    expect(base64((await client.signPromise(statement)).sig)).toBe(
      base64((await signer.signPromise(statement)).sig),
    );
  });

  it('is told why it is refused, which is also an alarm, and goes on', async () => {
    await using client = new SignerClient(path);
    const refused = client.signBatch(batchOf({ record: record('namespace.updated'), content: null }));
    await expect(refused).rejects.toMatchObject({ name: 'SignerRefused', reason: 'no_key' });
    await expect(client.signBatch(batchOf(plain))).resolves.toHaveProperty('entries.length', 1);
    expect(alarms).toEqual([{ reason: 'no_key', op: 'batch' }]);
  });

  it('may ask for many things at once and gets the answer to each', async () => {
    await using client = new SignerClient(path);
    const asked = Array.from({ length: 200 }, (_, nth) =>
      nth % 3 === 0
        ? client.hello()
        : client.signBatch(batchOf(...Array.from({ length: 1 + (nth % 5) }, () => plain))),
    );
    const answers = await Promise.all(asked);
    for (const [nth, answer] of answers.entries()) {
      if (nth % 3 === 0) expect(answer).toHaveProperty('origin');
      else expect(answer).toHaveProperty('entries.length', 1 + (nth % 5));
    }
  });

  it('without a signer fails as unavailable, and finds it once it is there', async () => {
    await kill();
    await using client = new SignerClient(path);
    await expect(client.hello()).rejects.toMatchObject({ name: 'SignerUnavailable' });
    await start();
    await expect(client.hello()).resolves.toHaveProperty('origin');
  });

  it('reconnects by itself after the signer restarted, as often as that happens', async () => {
    await using client = new SignerClient(path);
    for (let count = 0; count < 5; count++) {
      await client.hello();
      await kill();
      await start();
    }
    await expect(client.signBatch(batchOf(plain))).resolves.toHaveProperty('entries.length', 1);
  });

  it('fails its requests in flight when the signer dies, all of them', async () => {
    await kill();
    const silent = createServer((socket) => {
      sockets.push(socket);
      socket.write(served);
    }).listen(path);
    await once(silent, 'listening');
    await using client = new SignerClient(path);
    const asked = Array.from({ length: 10 }, () => client.signBatch(batchOf(plain)));
    const outcomes = Promise.allSettled(asked);
    await once(silent, 'connection');
    await after(20);
    for (const socket of sockets.splice(0)) socket.destroy();
    silent.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'SignerUnavailable' } });
    }
  });

  it.each([
    ['garbage', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a header that is not an object', encodeFrame(null)],
    ['half a frame and then nothing', encodeFrame({ id: 1 }).subarray(0, 6)],
  ])('fails as unavailable where it is answered with %s', async (_what, bytes) => {
    await kill();
    const fake = createServer((socket) => {
      sockets.push(socket);
      socket.write(served);
      socket.once('data', () => socket.end(bytes));
    }).listen(path);
    await once(fake, 'listening');
    await using client = new SignerClient(path);
    await expect(client.hello()).rejects.toMatchObject({ name: 'SignerUnavailable' });
    fake.close();
  });

  it('takes no notice of answers to what it never asked', async () => {
    await kill();
    const fake = createServer((socket) => {
      sockets.push(socket);
      socket.write(served);
      const answer = {
        origin,
        mark: { origin, size: 7, root: base64(new Uint8Array(32)) },
        keys: [],
        destroyed: [],
        brakes: [],
      };
      socket.once('data', () =>
        socket.write(Buffer.concat([encodeFrame({ id: 99, error: {} }), encodeFrame({ id: 1, ...answer })])),
      );
    }).listen(path);
    await once(fake, 'listening');
    await using client = new SignerClient(path);
    expect((await client.hello()).mark.size).toBe(7);
    fake.close();
  });
});

describe('the socket', () => {
  it('opens for its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('opens for nobody else in any moment before, whatever the umask of the process', async () => {
    const modes: number[] = [];
    const other = join(scratchDirectory(), 'other.sock');
    const bind = Reflect.get(Server.prototype, 'listen') as (...given: unknown[]) => unknown;
    const spy = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...given) {
      Reflect.apply(bind, this, given);
      modes.push(statSync(other).mode & 0o777);
      return this;
    });
    const before = process.umask(0);
    let left = -1;
    try {
      (await listen(signer, other, () => {})).close();
    } finally {
      left = process.umask(before);
      spy.mockRestore();
    }
    expect(modes).toEqual([0o600]);
    expect(left).toBe(0);
  });

  it('of a signer that lives is taken by no other', async () => {
    await expect(listen(signer, path, () => {})).rejects.toThrow(/another signer is listening/);
    await using client = new SignerClient(path);
    await expect(client.hello()).resolves.toHaveProperty('origin');
  });

  it('answers frames in any pieces, and several in one piece', async () => {
    const socket = await rawSocket();
    const asked = Buffer.concat([1, 2, 3].map((id) => encodeFrame({ id, op: 'hello' })));
    for (const byte of asked.subarray(0, 20)) {
      socket.write(Buffer.from([byte]));
      await after(1);
    }
    const answers = framesFrom(socket, 3);
    socket.write(asked.subarray(20));
    expect((await answers).map(({ header }) => (header as { id: number }).id)).toEqual([1, 2, 3]);
  });

  const garbage: [string, Buffer][] = [
    ['text', Buffer.from('sign this please\n')],
    ['zeros', Buffer.alloc(64)],
    ['a frame announced as 4 GiB', Buffer.alloc(16, 0xff)],
    ['a header that is not JSON', Buffer.concat([Buffer.from([0, 0, 0, 6, 0, 0, 0, 2]), Buffer.from('{"')])],
    ['a header that is null', encodeFrame(null)],
  ];
  it.each(garbage)('closes on %s with an alarm; everybody else is served on', async (_what, bytes) => {
    await using client = new SignerClient(path);
    await client.hello();
    const socket = await rawSocket();
    socket.write(bytes);
    await once(socket, 'close');
    expect(alarms).toEqual([{ reason: 'malformed', op: 'frame' }]);
    await expect(client.signBatch(batchOf(plain))).resolves.toHaveProperty('entries.length', 1);
  });

  it('closes on a request whose answer fits into no frame; everybody else is served on', async () => {
    await using client = new SignerClient(path);
    await client.hello();
    const socket = await rawSocket();
    socket.write(encodeFrame({ id: 'x'.repeat(frameLengthMax - 40), op: 'hello' }));
    await once(socket, 'close');
    await expect(client.signBatch(batchOf(plain))).resolves.toHaveProperty('entries.length', 1);
  });

  it('answers a request that is none, and stays open', async () => {
    const socket = await rawSocket();
    for (const header of [{}, [], 'x', 7, { id: {}, op: 'sign', bytes: 'AAAA' }, { op: null }]) {
      const answer = framesFrom(socket, 1);
      socket.write(encodeFrame(header, [Buffer.from('bytes')]));
      expect((await answer)[0]!.header).toHaveProperty('error.reason');
    }
    expect(socket.destroyed).toBe(false);
  });

  it('survives those who leave in the middle of a request', async () => {
    for (let length = 1; length < 20; length++) {
      const socket = await rawSocket();
      socket.write(encodeFrame({ id: 1, op: 'hello' }).subarray(0, length));
      socket.destroy();
    }
    for (let count = 0; count < 10; count++) {
      const socket = await rawSocket();
      socket.write(encodeFrame({ id: 1, op: 'hello' }));
      socket.destroy();
    }
    await using client = new SignerClient(path);
    // Once it has noticed that they are gone.
    expect(await vi.waitFor(() => client.hello(), 5000)).toHaveProperty('origin');
  });

  it('takes sixteen connections and turns others away until one leaves', async () => {
    const taken: Socket[] = [];
    for (let count = 0; count < 16; count++) taken.push(await rawSocket());
    for (const socket of taken) {
      const answer = framesFrom(socket, 1);
      socket.write(encodeFrame({ id: 1, op: 'hello' }));
      await answer;
    }
    await using client = new SignerClient(path);
    await expect(client.hello()).rejects.toMatchObject({ name: 'SignerUnavailable' });
    taken[0]!.destroy();
    expect(await vi.waitFor(() => client.hello(), 5000)).toHaveProperty('origin');
  });
});
