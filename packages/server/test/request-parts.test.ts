/** What is found out of a request as it came over the wire. */
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fastify from 'fastify';
import { expect, it } from 'vitest';
import { decorateWithParts, partsOf } from '../src/http/request-parts.ts';

async function seen(...lines: string[]): Promise<unknown> {
  const app = fastify({ forceCloseConnections: true });
  decorateWithParts(app);
  app.get('/', (request) => {
    const { authorization = null, host } = partsOf(request).headers;
    return [authorization, host];
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.end(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`);
  const answer = await text(socket);
  await app.close();
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
}

it('has every line of a credential: a proxy in front may have looked at another one than Node keeps', async () => {
  const lines = ['Host: a', 'Authorization: Bearer one', 'AUTHORIZATION: Bearer two'];
  expect(await seen(...lines)).toEqual([['Bearer one', 'Bearer two'], 'a']);
  expect(await seen('Host: a', 'Authorization: Bearer one')).toEqual(['Bearer one', 'a']);
  expect(await seen('Host: a')).toEqual([null, 'a']);
});

it('has every line that says for which host a request is, which signatures cover', async () => {
  expect(await seen('Host: a', 'host: b')).toEqual([null, ['a', 'b']]);
});
