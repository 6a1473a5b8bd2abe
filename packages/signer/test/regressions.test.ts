/** Behavior that was once missing; each of these failed before it was mended. */

import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { base64, documentCommitment, utf8, zeroSalt } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { SignerClient } from '../src/client.ts';
import { createSealedKeystore, openSealedKeystore } from '../src/keystore/sealed-file.ts';
import { Mark } from '../src/mark.ts';
import { proveUser } from '../src/peer/prove-user.ts';
import { encodeFrame } from '../src/protocol/frames.ts';
import { parseRequest } from '../src/protocol/requests.ts';
import { listen } from '../src/socket-server.ts';
import { scratchDirectory } from './support/scratch.ts';
import { at, keySpecs, licenseToSign, origin, record, signerWith } from './support/signing.ts';

const hash = base64(new Uint8Array(32).fill(5));
const nothing = new Uint8Array(0);
const limitRefusal = expect.objectContaining({ name: 'SignerRefusal', reason: 'limit' });

describe('integers of a request', () => {
  const item = { ns: 'acme', type: 'plan.created', at };
  const statement = { origin, root: hash, publishBy: at };

  it.each([0.5, 1.5, 1e21, 2 ** 53])('a revision of %d is malformed, not signed', (rev) => {
    const request = {
      op: 'batch',
      index: 0,
      publishBy: at,
      records: [{ ...item, rev, documentLength: null }],
    };
    expect(() => parseRequest(request, new Uint8Array(4 * 32))).toThrow(
      expect.objectContaining({ code: 'MALFORMED' }),
    );
  });

  it.each([
    { index: 4.5, count: 1 },
    { index: 4, count: 1.5 },
    { index: 1e21, count: 1 },
  ])('a promise for $index and $count is malformed, not signed', (numbers) => {
    expect(() => parseRequest({ op: 'promise', statement: { ...statement, ...numbers } }, nothing)).toThrow(
      expect.objectContaining({ code: 'MALFORMED' }),
    );
  });

  it('a checkpoint of half a size is malformed, and no alarm about a fork', () => {
    const request = { op: 'checkpoint', checkpoint: { origin, size: 2.5, root: hash }, proof: [] };
    expect(() => parseRequest(request, nothing)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});

describe('the limits of a license key', () => {
  it('hold whatever time the asker writes into the record', () => {
    const { signer } = signerWith(keySpecs({ termMax: 'P30D' }), () => Date.parse(at));
    const far = licenseToSign({ until: '2099-01-31T00:00:00.000Z' }, { at: '2099-01-01T00:00:00.000Z' });
    expect(() => signer.signRecords([far], 5)).toThrow(expect.objectContaining({ name: 'SignerRefusal' }));
  });

  it('count the grace after a term as term: a license in it is honored', () => {
    const { signer } = signerWith(keySpecs({ termMax: 'P30D' }));
    expect(() => signer.signRecords([licenseToSign({ grace: 'P36600D' })], 5)).toThrow(limitRefusal);
  });

  it('count the fallback of a license as term: builds up to it run for ever', () => {
    const { signer } = signerWith(keySpecs({ termMax: 'P30D' }));
    const forever = licenseToSign({ fallback: '2099-01-01T00:00:00.000Z' });
    expect(() => signer.signRecords([forever], 5)).toThrow(limitRefusal);
  });

  it('count the seats that may be taken over the maximum', () => {
    const { signer } = signerWith(keySpecs({ seatsMax: 5 }));
    expect(() => signer.signRecords([licenseToSign({ seats: 5, over: 1_000_000 })], 5)).toThrow(limitRefusal);
  });

  it.each(['soon', '', '9999'])('refuse an end of term that is no instant: %j', (until) => {
    const { signer } = signerWith(keySpecs({ termMax: 'P30D' }));
    expect(() => signer.signRecords([licenseToSign({ until })], 5)).toThrow(
      expect.objectContaining({ name: 'SignerRefusal' }),
    );
  });

  it.each(['{}', '{"term":{"until":null}}', 'not JSON', '[]', 'null'])(
    'refuse a document that is none with a reason, not as an internal error: %s',
    (text) => {
      const { signer } = signerWith(keySpecs({ seatsMax: 5, offlineMax: 'P7D' }));
      const document = utf8(text);
      const doc = documentCommitment(zeroSalt, document);
      const item = { record: record('license.issued', { doc }), content: { salt: zeroSalt, document } };
      expect(() => signer.signRecords([item], 5)).toThrow(expect.objectContaining({ name: 'SignerRefusal' }));
    },
  );
});

describe('a brake record', () => {
  it('is signed only with its document: a brake may tighten and never loosen', () => {
    const { signer } = signerWith();
    const loosened = { record: record('brake.updated', { rev: 1, prev: new Uint8Array(32) }), content: null };
    expect(() => signer.signRecords([loosened], 5)).toThrow(
      expect.objectContaining({ name: 'SignerRefusal' }),
    );
  });
});

describe('a path for the socket', () => {
  it('that holds a file is refused, and the file stays', async () => {
    const { signer } = signerWith();
    const file = join(scratchDirectory(), 'keystore.json');
    writeFileSync(file, 'the only copy of the keys');
    const listening = await listen(signer, file, () => {}).then(
      (server) => {
        server.close();
        return 'listening';
      },
      () => 'refused',
    );
    expect(existsSync(file)).toBe(true);
    expect(listening).toBe('refused');
    expect(readFileSync(file, 'utf8')).toBe('the only copy of the keys');
  });
});

describe('a mark', () => {
  it('that was refused is let go of', () => {
    const file = join(scratchDirectory(), 'mark.db');
    Mark.create(file, origin);
    expect(() => Mark.open(file, 'tally.example/other')).toThrow(/another log/);
    using mark = Mark.open(file, origin);
    expect(mark.checkpoint.size).toBe(0);
  });

  it.each([
    ['empty', ''],
    ['no database', 'garbage '.repeat(200)],
  ])('whose file is %s is reported as damaged, not as in use', (_what, content) => {
    const file = join(scratchDirectory(), 'mark.db');
    writeFileSync(file, content);
    let thrown: unknown;
    try {
      Mark.open(file, origin)[Symbol.dispose]();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: 'MarkError' });
    expect((thrown as Error).message).not.toMatch(/another signer/);
  });

  it('is not moved for another log: nothing on the disk would follow', () => {
    const file = join(scratchDirectory(), 'mark.db');
    Mark.create(file, origin);
    using mark = Mark.open(file, origin);
    expect(() => mark.advance({ origin: 'tally.example/other', size: 3, root: zeroSalt }, null)).toThrow();
  });
});

describe('a keystore', () => {
  it.each([
    ['"n":131072', '"n":131073'],
    ['"n":131072', '"n":"131072"'],
    ['"p":1', '"p":1.5'],
    ['"salt"', '"salz"'],
  ])('damaged at %s is reported as a keystore error', (from, to) => {
    const file = join(scratchDirectory(), 'keystore.json');
    createSealedKeystore(file, 'correct horse battery staple', []);
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
    expect(() => openSealedKeystore(file, 'correct horse battery staple')).toThrow(
      expect.objectContaining({ name: 'KeystoreError' }),
    );
  });

  it('that exists is reported as a keystore error when another is to be written', () => {
    const file = join(scratchDirectory(), 'keystore.json');
    writeFileSync(file, '');
    expect(() => createSealedKeystore(file, 'correct horse battery staple', [])).toThrow(
      expect.objectContaining({ name: 'KeystoreError' }),
    );
  });
});

describe('a client', () => {
  it('keeps one connection after it was answered with garbage', async () => {
    const path = join(scratchDirectory(), 'signer.sock');
    const hello = { origin, mark: { origin, size: 0, root: hash }, keys: [], destroyed: [], brakes: [] };
    const open = new Set<Socket>();
    let answered = 0;
    const fake = createServer((socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => {});
      socket.write(encodeFrame({ served: true }));
      socket.on('data', () => {
        answered += 1;
        socket.write(
          answered === 1 ? Buffer.from('garbage that is no frame') : encodeFrame({ id: answered, ...hello }),
        );
      });
    }).listen(path);
    await once(fake, 'listening');
    const client = new SignerClient(path);
    await client.hello().catch(() => client.hello());
    await client.hello();
    await after(20);
    const connections = open.size;
    for (const socket of open) socket.destroy();
    fake.close();
    expect(connections).toBe(1);
  });

  it.concurrent.each([
    ['accepts and says nothing', Buffer.alloc(0)],
    ['lets it in and never answers', encodeFrame({ served: true })],
  ])(
    'gives up on a signer that %s',
    async (_what, words) => {
      const path = join(scratchDirectory(), 'signer.sock');
      const sockets: Socket[] = [];
      const silent = createServer((socket) => {
        sockets.push(socket);
        socket.write(words);
      }).listen(path);
      await once(silent, 'listening');
      const client = new SignerClient(path);
      const outcome = client.hello().then(
        () => 'answered',
        () => 'failed',
      );
      // Generous for a local socket: a record takes the signer less than a millisecond.
      const result = await Promise.race([outcome, after(15_000, 'still waiting', { ref: false })]);
      for (const socket of sockets) socket.destroy();
      silent.close();
      expect(result).toBe('failed');
    },
    20_000,
  );
});

describe('a connection to the signer', () => {
  it('that never reads its answers does not make the signer keep them all', async () => {
    const { signer } = signerWith();
    const path = join(scratchDirectory(), 'signer.sock');
    const served: Socket[] = [];
    const server = await listen(signer, path, () => {});
    server.on('connection', (socket) => served.push(socket));
    const deaf = connect(path);
    await proveUser(deaf, path);
    deaf.pause();
    const asked = Buffer.concat(Array.from({ length: 2000 }, (_, id) => encodeFrame({ id, op: 'hello' })));
    for (let count = 0; count < 10; count++) {
      deaf.write(asked);
      await after(20);
    }
    const kept = Math.max(...served.map(({ writableLength }) => writableLength));
    deaf.destroy();
    server.close();
    expect(kept).toBeLessThan(4 * 1024 * 1024);
  });
});
