import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundleMediaType } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fetchBundle,
  InMemoryStore,
  LicenseClient,
  openPin,
  type Pin,
  PromiseKeeper,
  systemClock,
} from '../src/index.ts';

let system: TestSystem;
let pin: Pin;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.sellPro();
  pin = await openPin([system.world.identity.trustRoot]);
});
afterAll(() => system[Symbol.asyncDispose]());

const secrets = ['carol@customer.example', '987654321', 'Sold with a discount', 'ORDER-4711', 'reseller-9'];

async function published(id: string): Promise<string> {
  await system.ledger.whenPublished(system.ledger.size, 5000);
  return system.ledger.bundle(id);
}

/** The text, and everything that is base64 in it, and in that, and so on. */
function everyLayer(text: string): string[] {
  const inner = [...text.matchAll(/[A-Za-z0-9+/]{16,}={0,2}/g)].map(([each]) =>
    Buffer.from(each, 'base64').toString(),
  );
  const readable = inner.filter((each) => /[A-Za-z0-9+/]{16,}|\{/.test(each));
  return [text, ...inner, ...readable.flatMap((each) => (each === text ? [] : everyLayer(each)))];
}

describe('license files as the ledger makes them', () => {
  it('carry no price, no e-mail of a customer and no internal note in any byte', async () => {
    const customer = await system.run({
      type: 'customer.create',
      reference: 'crm-1',
      name: 'Carol',
      email: 'carol@customer.example',
    });
    const { changes } = await system.run({
      type: 'license.issue',
      plan: 'pro-yearly',
      customer: customer.changes[0]!.change.subject.id,
      licensee: 'Contoso',
      companion: {
        price: 987654321,
        currency: 'EUR',
        notes: 'Sold with a discount',
        order: 'ORDER-4711',
        reseller: 'reseller-9',
      },
    });
    const layers = everyLayer(await published(changes[0]!.change.subject.id));
    expect(layers.some((layer) => layer.includes('Contoso'))).toBe(true);
    for (const secret of secrets) {
      for (const encoding of [secret, Buffer.from(secret).toString('base64').slice(0, -3)]) {
        expect(
          layers.filter((layer) => layer.includes(encoding)),
          secret,
        ).toEqual([]);
      }
    }
  });

  it('are fetched, kept and judged through every standing', async () => {
    const { changes, promises } = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    const id = changes[0]!.change.subject.id;
    const keeper = new PromiseKeeper(pin);
    await keeper.keep(promises![0]!);
    const store = new InMemoryStore();
    const client = new LicenseClient({
      trustRoot: pin,
      namespace: 'acme',
      products: ['pro'],
      store,
      clock: systemClock,
    });
    const valid = await published(id);
    expect((await keeper.settle(valid, 'acme')).honored).toEqual(promises);
    expect((await client.importFile(valid)).inForce?.verdict).toMatchObject({ valid: true, code: 'VALID' });
    await system.run({ type: 'license.suspend', license: id, reason: 'payment' });
    expect((await client.importFile(await published(id))).inForce?.verdict.code).toBe('SUSPENDED');
    await system.run({ type: 'license.revoke', license: id, reason: 'refund' });
    expect((await client.importFile(await published(id))).inForce?.verdict.code).toBe('REVOKED');
    const undone = await system.run({ type: 'license.replace', license: id });
    const successor = undone.changes.find(({ change }) => change.subject.id !== id)!.change.subject.id;
    expect((await client.importFile(await published(id))).inForce?.verdict.remedy).toBe(
      'fetch the license that replaces this one',
    );
    expect((await client.importFile(await published(successor))).inForce?.verdict.code).toBe('VALID');
    expect((await client.importFile(valid)).accepted).toBe(false);
  });
});

describe('fetching over a socket', () => {
  let server: Server;
  let answer: (url: string) => { status: number; headers: Record<string, string>; body: string };
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const { status, headers, body } = answer(request.url ?? '');
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
  });
  afterAll(() => server.close());
  const source = () => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    licenseKey: 'KEY-1234',
  });

  it('returns what the server sends', async () => {
    answer = () => ({ status: 200, headers: { 'content-type': bundleMediaType }, body: '{}' });
    expect(Buffer.from(await fetchBundle(source())).toString()).toBe('{}');
  });

  it('does not carry the license key to where a redirect points', async () => {
    asked.length = 0;
    answer = () => ({ status: 307, headers: { location: '/elsewhere' }, body: '' });
    await expect(fetchBundle(source())).rejects.toMatchObject({ code: 'redirected' });
    expect(asked).toEqual(['/v1/bundles']);
  });

  it('says that nobody answers', async () => {
    const { url } = source();
    await new Promise((resolve) => {
      server.close(resolve);
    });
    await expect(fetchBundle({ url, licenseKey: 'KEY-1234' })).rejects.toMatchObject({ code: 'unreachable' });
  });
});
