/** Four eyes at a running server that is killed while the last approval is on its way. */
import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GateWorld, type Reply, type Shows } from './support/gate-world.ts';

let world: GateWorld;
let author: Shows;
let approver: Shows;

beforeAll(async () => {
  world = await GateWorld.create();
  const sessions: Shows[] = [];
  for (const name of ['Ada', 'Grace']) {
    const principal = await world.principal('person', name, [{ role: 'issuer' }]);
    sessions.push(world.session(principal, await world.account(principal), 0));
  }
  [author, approver] = sessions as [Shows, Shows];
  await world.restart();
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());

const longSale = { plan: 'pro-yearly', term: { length: 'P20Y' } };

function post(shows: Shows, path: string, key: string, body: object = {}): Promise<Reply> {
  const headers = { 'tally-reason': 'TICKET-1', 'idempotency-key': key };
  return world.ask(shows, 'POST', path, { body, headers });
}

/** Asks again until there is a server to answer. */
async function insist(ask: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await ask().catch(() => null);
    if (reply !== null && reply.status < 500) return reply;
    await after(100);
  }
}

it('carries an approved command out once, killed while the last approval is on its way', async () => {
  const [asked, approved] = [randomUUID(), randomUUID()];
  const before = await world.system.must<{ items: unknown[] }>('GET', '/v1/licenses?limit=200');
  const waits = await insist(() => post(author, '/v1/licenses', asked, longSale));
  expect([waits.status, waits.code]).toEqual([409, 'approval_required']);
  const { approval } = waits.json['details'] as { approval: string };
  const path = `/v1/approvals/${approval}`;
  const cutOff = post(approver, `${path}/approve`, approved).catch(() => null);
  await after(5);
  world.system.kill('server');
  await cutOff;
  const again = await insist(() => post(approver, `${path}/approve`, approved));
  expect([again.status, again.json['execution']]).toMatchObject([200, { done: true, problem: null }]);
  const told = await insist(() => post(author, '/v1/licenses', asked, longSale));
  expect(told.json).toMatchObject({ document: { type: 'license' }, licenseKey: expect.any(String) });
  const executed = await insist(() => post(approver, `${path}/execute`, randomUUID()));
  expect(executed.json).toMatchObject({ document: { state: 'executed' }, notes: [{ code: 'replayed' }] });
  const now = await world.system.must<{ items: unknown[] }>('GET', '/v1/licenses?limit=200');
  expect(now.items.length).toBe(before.items.length + 1);
});
