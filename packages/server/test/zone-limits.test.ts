/** How many requests a zone takes: of a credential, of everybody else by address, and of whoever guesses. */
import fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { limitRequests } from '../src/http/zone-limits.ts';

const limits = { strangersPerMinute: 3, credentialPerMinute: 5, bodyBytesMax: 1000 };

async function zone(): Promise<(headers?: object, address?: string, url?: string) => Promise<number>> {
  const app: FastifyInstance = fastify();
  await limitRequests(
    app,
    limits,
    ({ headers }) => (headers.authorization?.startsWith('known ') ? headers.authorization : null),
    ({ ip }) => ip,
  );
  app.get('/', async () => 'here');
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (_request, reply) => reply.code(404).send('none'));
  app.setErrorHandler((error, _request, reply) => reply.code(429).send((error as { code: string }).code));
  return async (headers = {}, remoteAddress = '10.0.0.1', url = '/') =>
    (await app.inject({ url, headers: { ...headers }, remoteAddress })).statusCode;
}

async function allowed(ask: () => Promise<number>): Promise<number> {
  let count = 0;
  while ((await ask()) !== 429 && count < 20) count += 1;
  return count;
}

describe('the limit of a zone', () => {
  it('counts strangers by address, and no address for another', async () => {
    const ask = await zone();
    expect(await allowed(() => ask())).toBe(3);
    expect(await allowed(() => ask({}, '10.0.0.2'))).toBe(3);
  });

  it('counts a credential by itself, from wherever it is shown, and spent addresses do not matter to it', async () => {
    const ask = await zone();
    await allowed(() => ask());
    let from = 0;
    const known = { authorization: 'known a' };
    expect(await allowed(() => ask(known, `10.0.1.${from++ % 2}`))).toBe(5);
    expect(await allowed(() => ask({ authorization: 'known b' }))).toBe(5);
  });

  it('gives no fresh allowance for credentials that are made up', async () => {
    const ask = await zone();
    let guess = 0;
    expect(await allowed(() => ask({ authorization: `guess ${guess++}` }))).toBe(3);
  });

  it('counts what is asked of paths that are none', async () => {
    const ask = await zone();
    expect(await allowed(() => ask({}, '10.0.0.1', '/none'))).toBe(3);
    expect(await ask()).toBe(429);
  });

  it.each([
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2'],
    ['2001:db8::1', '2001:db8:0:0:1::'],
    ['::ffff:10.9.9.9', '10.9.9.9'],
  ])('counts %s and %s as one', async (one, other) => {
    const ask = await zone();
    await allowed(() => ask({}, one));
    expect(await ask({}, other)).toBe(429);
  });

  it('counts other networks of IPv6 by themselves', async () => {
    const ask = await zone();
    await allowed(() => ask({}, '2001:db8:0:1::1'));
    expect(await ask({}, '2001:db8:0:2::1')).toBe(200);
    expect(await ask({}, '::1')).toBe(200);
  });
});
