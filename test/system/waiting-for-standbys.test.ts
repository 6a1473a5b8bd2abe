/** A server that starts while no standby of its database answers. */
import { PostgresServer } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './support/operator.ts';
import { RealSystem } from './support/real-system.ts';
import { eventually } from './support/waiting.ts';

const order = { plan: 'pro-yearly', licensee: 'Contoso' };

let nodes: PostgresServer[];
let system: RealSystem;
let issued: string;

beforeAll(async () => {
  nodes = await PostgresServer.cluster(2);
  system = await RealSystem.start({
    store: { store: nodes[0]?.url({ schema: 'acme' }) ?? '' },
    server: { databaseTimes: { statementMs: 1000, recoverMs: 2000, watchMs: 200 } },
  });
  await system.ready();
  await system.sellPro();
  const { document } = await system.must<{ document: { id: string } }>(
    'POST',
    '/v1/licenses?wait=published',
    order,
  );
  issued = document.id;
  await system.down();
});

afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
});

/** Why nothing may change, as /readyz says it, once it is about this. */
async function whyNot(text: string): Promise<void> {
  const { json } = await eventually(text, async () => {
    const answer = await system.ops('/readyz').catch(() => null);
    return answer?.text.includes(text) === true ? answer : null;
  });
  expect(json).toMatchObject({
    reads: { ready: true },
    mutations: { ready: false, reasons: [{ code: 'not_committed' }] },
  });
}

const waits = 'see whether its standbys are connected';

it('serves what is published, says what it waits for, and writes as soon as one is back', async () => {
  const [primary, standby] = nodes;
  await standby?.end('SIGKILL');
  await system.up();
  await whyNot(waits);
  expect(system.lines.join('\n')).toContain(waits);
  const refused = await system.admin('POST', '/v1/licenses', order);
  expect([refused.status, refused.json]).toMatchObject([503, { code: 'not_committed' }]);
  expect((await system.admin('GET', `/v1/licenses/${issued}`)).status).toBe(200);
  const operator = new Operator(system);
  expect(await operator.verdict(issued)).toBe('VALID');
  // Somebody else tries as well, and gives up.
  const lock = `SELECT pg_advisory_lock(hashtext('tallystick'), hashtext('"acme"'))`;
  const other = await primary?.holding(lock);
  await whyNot('another process has the store open');
  await other?.[Symbol.asyncDispose]();
  await standby?.start();
  await system.ready();
  await system.must('POST', '/v1/licenses?wait=published', order);
  expect(await operator.verdict(issued)).toBe('VALID');
  expect(system.restarts).toEqual([]);
});

it('ends in order while it waits', async () => {
  await nodes[1]?.end('SIGKILL');
  system.kill('server');
  await whyNot(waits);
  const begun = performance.now();
  await system.down();
  expect(performance.now() - begun).toBeLessThan(10_000);
});
