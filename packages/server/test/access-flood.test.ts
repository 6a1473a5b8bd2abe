/** A stranger who asks as often as the network takes, and what that makes the server write down. */
import { AccessLog } from '@tallystick/access';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import type { AccessClient } from '../src/access/access-client.ts';
import { AccessRecorder } from '../src/access/recorder.ts';
import { limitRequests } from '../src/http/zone-limits.ts';
import { ServiceProblem } from '../src/ledger-thread/service-problem.ts';

test('requests beyond the limit are counted, and not written down one by one', async () => {
  const lines: string[] = [];
  const sink = { append: async (_first: number, more: readonly string[]) => void lines.push(...more) };
  const log = new AccessLog(sink, { first: 0, now: () => Date.now() });
  const access = {
    record: (...given: Parameters<AccessLog['record']>) => log.record(...given),
    isDurable: () => false,
  } as unknown as AccessClient;
  const recorder = new AccessRecorder('admin', access, ({ ip }) => ip);
  const app = fastify();
  const limits = { strangersPerMinute: 3, credentialPerMinute: 3, bodyBytesMax: 100 };
  await limitRequests(
    app,
    limits,
    () => null,
    ({ ip }) => ip,
  );
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof ServiceProblem) recorder.note(request, { code: error.code });
    return reply.code(429).send('');
  });
  recorder.attach(app);
  app.get('/v1/products', async () => 'here');
  const statuses: number[] = [];
  for (let nth = 0; nth < 200; nth++)
    statuses.push((await app.inject({ url: '/v1/products', remoteAddress: '203.0.113.9' })).statusCode);
  await app.close();
  await log[Symbol.asyncDispose]();
  const records = lines.map((line) => JSON.parse(line) as { route: string; resource: { id: string } });
  const limited = records.filter(({ route }) => route === 'access.limited');
  expect(statuses.filter((status) => status === 429)).toHaveLength(197);
  expect(records.length - limited.length).toBe(3);
  expect(limited.length).toBeLessThan(10);
  expect(limited[0]).toMatchObject({ code: 'rate_limited', address: '203.0.113.9', who: null });
  expect(limited.reduce((sum, { resource }) => sum + Number(resource.id), 0)).toBe(197);
});
