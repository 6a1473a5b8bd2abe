/** Sources that do not answer as they should, over real sockets. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { fetchBytes } from '../src/index.ts';

const head = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n';

it.each<[string, (socket: Socket) => void, string]>([
  ['says nothing', () => {}, 'no whole answer within 0.2 seconds'],
  ['stops in the middle', (socket) => socket.write(head), 'no whole answer within 0.2 seconds'],
  [
    'sends a byte now and then',
    (socket) => {
      socket.write(head);
      const timer = setInterval(() => socket.write('x'), 50);
      socket.on('close', () => clearInterval(timer));
    },
    'no whole answer within 0.2 seconds',
  ],
  ['hangs up in the middle', (socket) => socket.end(`${head}x`), 'aborted'],
  ['speaks another protocol', (socket) => socket.end('220 smtp.example\r\n'), 'Parse Error'],
  ['sends more than is wanted', (socket) => socket.end(head + 'x'.repeat(100)), 'longer than 50 bytes'],
  ['points elsewhere', (socket) => socket.end('HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n'), 'answered 302'],
])('a source that %s is unavailable, and it is said why', async (_what, answer, message) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const source = { baseUrl, timeoutMs: 200, signal: new AbortController().signal };
  await expect(fetchBytes(source, 'checkpoint', 50)).rejects.toThrow(`${baseUrl}/checkpoint`);
  await expect(fetchBytes(source, 'checkpoint', 50)).rejects.toThrow(message);
  server.close();
});
