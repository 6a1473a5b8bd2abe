/** The command line over https: whom it believes, what it shows, and what it says where that does not do. */
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { TestAuthority } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

const authority = new TestAuthority();
const service = authority.issue({ uris: ['spiffe://tally.example/billing'] });
let fake: ContractFake;
let front: Server;
let harness: Harness;
let url: string;

beforeAll(async () => {
  fake = await ContractFake.start();
  const behind = Number(new URL(fake.url).port);
  front = createServer(
    { ...authority.issue({ hosts: ['127.0.0.1'] }), ca: authority.cert, requestCert: true },
    (outer) => {
      const inner = connect(behind, '127.0.0.1');
      outer.on('error', () => inner.destroy());
      inner.on('error', () => outer.destroy());
      outer.pipe(inner).pipe(outer);
    },
  );
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`;
  harness = new Harness(null);
  harness.write('ca.pem', authority.cert);
  harness.write('service.pem', service.cert);
  harness.write('service.key', service.key);
  chmodSync(harness.path('service.key'), 0o600);
});

afterAll(async () => {
  front.close();
  harness[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

function connectTo(extra: object): void {
  harness.connect({ adminUrl: url, publicUrl: url, token: fake.token, namespace: 'acme', ...extra });
}

const list = ['product', 'list'];

it('believes the authority of a flag or of client.json, and shows its certificate', async () => {
  connectTo({});
  const own = ['--client-cert', harness.path('service.pem'), '--client-key', harness.path('service.key')];
  expect(await harness.run([...list, '--ca-file', harness.path('ca.pem'), ...own])).toMatchObject({
    code: 0,
  });
  // Paths in client.json begin in its folder.
  connectTo({ caFile: 'ca.pem', clientCert: 'service.pem', clientKey: 'service.key' });
  expect(await harness.run(list)).toMatchObject({ code: 0 });
  expect(fake.seen.at(-1)?.authorization).toBe(`Bearer ${fake.token}`);
});

it('sends nothing to a server that it cannot prove, and says which flags help', async () => {
  connectTo({});
  const seen = fake.seen.length;
  const ran = await harness.run(list);
  expect(ran.code).toBe(4);
  expect(ran.err).toContain('--ca-file');
  expect(fake.seen.length).toBe(seen);
  expect(harness.slept).toEqual([]);
});

it('says that a certificate is wanted where it has none', async () => {
  connectTo({ caFile: 'ca.pem' });
  const ran = await harness.run(list);
  expect(ran.code).toBe(4);
  expect(ran.err).toContain('--client-cert');
});

it.each([
  ['a certificate without its key', { clientCert: 'service.pem' }, /go together/],
  ['an authority that is not there', { caFile: 'none.pem' }, /none\.pem/],
  ['a leaf for an authority', { caFile: 'service.pem' }, /no authority/],
])('refuses %s before it goes anywhere', async (_what, files, says) => {
  connectTo(files);
  const ran = await harness.run(list);
  expect(ran.code).toBe(3);
  expect(ran.err).toMatch(says);
});
