import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { type CryptoKey, generateKeyPair, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createService } from '../baseline/service.ts';
import { BaselineStore } from '../baseline/store.ts';
import { generateLoad, type LoadResult } from '../load-generator.ts';
import { TARGETS } from '../targets.ts';

const TOKEN = 'secret';

let directory: string;
let store: BaselineStore;
let app: FastifyInstance;
let customers: string[];
let publicKey: CryptoKey;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tallystick-baseline-'));
  store = new BaselineStore(join(directory, 'baseline.sqlite'), 'FULL');
  customers = store.seedCustomers(5);
  const keys = await generateKeyPair('EdDSA');
  publicKey = keys.publicKey;
  app = createService({ store, signingKey: keys.privateKey, keyId: 'k', adminToken: TOKEN, now: Date.now });
});

afterEach(async () => {
  await app.close();
  store.close();
  rmSync(directory, { recursive: true });
});

function issue(body: object, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
  return app.inject({
    method: 'POST',
    url: '/v1/licenses',
    headers: { authorization: `Bearer ${TOKEN}`, 'idempotency-key': 'key-1', ...headers },
    payload: body,
  });
}

test('a license is a signed token with its rows in one transaction', async () => {
  const response = await issue({ customer: customers[0], plan: 'pro', seats: 3 });
  expect(response.statusCode).toBe(201);
  const { id, token } = response.json<{ id: string; token: string }>();
  const { payload, protectedHeader } = await jwtVerify(token, publicKey);
  expect(protectedHeader.alg).toBe('EdDSA');
  expect(payload).toMatchObject({ jti: id, sub: customers[0], plan: 'pro', seats: 3 });
  expect(store.counts()).toEqual({ licenses: 1, audit: 1 });
});

test('an idempotency key issues once, even for requests that overlap', async () => {
  const body = { customer: customers[0], plan: 'pro' };
  const responses = await Promise.all([issue(body), issue(body), issue(body)]);
  responses.push(await issue(body));
  expect(new Set(responses.map((response) => response.body)).size).toBe(1);
  expect(responses.map((response) => response.statusCode)).toEqual([201, 201, 201, 201]);
  expect(store.counts()).toEqual({ licenses: 1, audit: 1 });
  const other = await issue({ ...body, plan: 'free' });
  expect(other.statusCode).toBe(422);
});

test('what is refused changes nothing', async () => {
  const customer = customers[0];
  const statuses = await Promise.all([
    issue({ customer, plan: 'pro' }, { authorization: 'Bearer wrong!' }),
    issue({ customer, plan: 'pro' }, { authorization: '' }),
    issue({ customer: 'cus_unknown', plan: 'pro' }),
    issue({ customer, plan: 'unknown' }),
    issue({ plan: 'pro' }),
    issue({ customer, plan: 'pro', seats: 0 }),
    issue({ customer, plan: 'pro' }, { 'idempotency-key': '' }),
  ]);
  expect(statuses.map((response) => response.statusCode)).toEqual([401, 401, 422, 422, 400, 400, 400]);
  expect(store.counts()).toEqual({ licenses: 0, audit: 0 });
});

async function load(token: string, requestsMax: number): Promise<LoadResult> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  const next = TARGETS.baseline({ token, plan: 'pro', customers });
  const window = { connections: 4, warmupSeconds: 0, seconds: 30, requestsMax };
  return generateLoad({ host: '127.0.0.1', port: address.port, ...window, next });
}

test('the load generator counts exactly the licenses that the server issued', async () => {
  const result = await load(TOKEN, 40);
  expect(result).toMatchObject({ responses: 40, non2xx: 0, connectionErrors: 0 });
  expect(result.statuses).toEqual({ 201: result.sent });
  expect(store.counts().licenses).toBe(result.sent);
});

test('refused requests are counted as failures and not as work done', async () => {
  const result = await load('wrong', 20);
  expect(result).toMatchObject({ responses: 20, non2xx: 20, ratePerSecond: 0 });
  expect(result.firstFailure).toContain('401');
});
