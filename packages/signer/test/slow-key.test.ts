import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { base64 } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SigningKey } from '../src/keystore/signing-key.ts';
import { Mark } from '../src/mark.ts';
import { proveUser } from '../src/peer/prove-user.ts';
import { encodeFrame, type Frame, FrameReader } from '../src/protocol/frames.ts';
import type { Signer } from '../src/signer.ts';
import { listen } from '../src/socket-server.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, GrowingLog, keySpecs, origin, signerOf } from './support/signing.ts';
import { SlowLogKey } from './support/slow-key.ts';

const log = new GrowingLog(40);
const other = new GrowingLog(40, 'other');
const statement = { origin, index: 5, count: 1, root: new Uint8Array(32), publishBy: at };

let key: SlowLogKey;
let signer: Signer;
let mark: Mark;
let markFile: string;

beforeEach(() => {
  key = new SlowLogKey();
  const issuing = keySpecs()
    .slice(1)
    .map((spec) => new SigningKey(spec));
  ({ signer, mark, markFile } = signerOf([key, ...issuing]));
});

describe('while the log key takes its time', () => {
  it('a second checkpoint is held against the first, which has no signature yet', async () => {
    const first = signer.signCheckpoint(log.checkpoint(10), []);
    const fork = signer.signCheckpoint(other.checkpoint(10), []);
    const longerFork = signer.signCheckpoint(other.checkpoint(12), other.proof(10, 12));
    const shorter = signer.signCheckpoint(log.checkpoint(9), []);
    const grown = signer.signCheckpoint(log.checkpoint(12), log.proof(10, 12));
    await expect(fork).rejects.toMatchObject({ reason: 'fork' });
    await expect(longerFork).rejects.toMatchObject({ reason: 'fork' });
    await expect(shorter).rejects.toMatchObject({ reason: 'rollback' });
    expect(key.waitingCount).toBe(2);
    key.finish(1);
    key.finish();
    await expect(Promise.all([first, grown])).resolves.toHaveLength(2);
  });

  it('the mark is on disk before the key is asked', async () => {
    const asked = vi.spyOn(key, 'sign');
    asked.mockImplementation(async () => {
      // Closed, so that the lock is free and what the file says is what a crash would leave.
      mark[Symbol.dispose]();
      using reopened = Mark.open(markFile, origin);
      expect(reopened.checkpoint.size).toBe(10);
      throw new Error('the token went away');
    });
    await expect(signer.signCheckpoint(log.checkpoint(10), [])).rejects.toThrow('the token went away');
    expect(asked).toHaveBeenCalledOnce();
  });

  it('a checkpoint whose signature was lost is signed when it is asked for again', async () => {
    vi.spyOn(key, 'sign').mockRejectedValueOnce(new Error('the token went away'));
    await expect(signer.signCheckpoint(log.checkpoint(10), [])).rejects.toThrow('went away');
    const again = signer.signCheckpoint(log.checkpoint(10), []);
    key.finish();
    await expect(again).resolves.toHaveProperty('0.signature.length', 64);
    await expect(signer.signCheckpoint(other.checkpoint(10), [])).rejects.toMatchObject({ reason: 'fork' });
  });
});

describe('on the socket, while the log key takes its time', () => {
  let server: Server;
  let served: Socket[];
  let client: Socket;

  beforeEach(async () => {
    const path = join(scratchDirectory(), 'signer.sock');
    served = [];
    server = await listen(signer, path, () => {});
    server.on('connection', (socket) => served.push(socket));
    client = connect(path);
    await proveUser(client, path);
  });

  afterEach(() => {
    client.destroy();
    for (const socket of served) socket.destroy();
    server.close();
  });

  const promiseFrame = (id: number): Buffer =>
    encodeFrame({ id, op: 'promise', statement: { ...statement, root: base64(statement.root) } });

  async function framesFrom(count: number): Promise<Frame[]> {
    const reader = new FrameReader();
    const frames: Frame[] = [];
    while (frames.length < count) {
      const [chunk] = (await once(client, 'data')) as [Buffer];
      frames.push(...reader.push(chunk));
    }
    return frames;
  }

  it('what is asked behind a slow request is carried out, and answered in order', async () => {
    const answers = framesFrom(4);
    client.write(promiseFrame(1));
    client.write(encodeFrame({ id: 2, op: 'hello' }));
    client.write(promiseFrame(3));
    client.write(encodeFrame({ id: 4, op: 'nothing that it knows' }));
    await vi.waitFor(() => expect(key.waitingCount).toBe(2));
    key.finish(1);
    await after(20);
    key.finish();
    const headers = (await answers).map(({ header }) => header as { id: number; error?: object });
    expect(headers.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(headers.map(({ error }) => error !== undefined)).toEqual([false, false, false, true]);
  });

  it('a client that asks on and on is read no further than it is answered, and then read to its end', async () => {
    const count = 5000;
    const answers = framesFrom(count);
    client.write(Buffer.concat(Array.from({ length: count }, (_, id) => promiseFrame(id))));
    await vi.waitFor(() => expect(key.waitingCount).toBeGreaterThan(60));
    await after(50);
    // 64, and the rest of one read of 64 KiB.
    expect(key.waitingCount).toBeLessThan(500);
    const finishing = setInterval(() => {
      while (key.waitingCount > 0) key.finish();
    });
    const ids = (await answers).map(({ header }) => (header as { id: number }).id);
    clearInterval(finishing);
    expect(ids).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('a client that went away is forgotten with what it asked for', async () => {
    const before = served[0]?.bytesWritten;
    client.write(promiseFrame(1));
    await vi.waitFor(() => expect(key.waitingCount).toBe(1));
    client.destroy();
    await vi.waitFor(() => expect(served[0]?.destroyed).toBe(true));
    key.finish();
    await after(5);
    expect(served[0]?.bytesWritten).toBe(before);
  });
});
