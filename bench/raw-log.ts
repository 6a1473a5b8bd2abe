/**
 * The ledger alone behind a bare HTTP server, in the shape that load generators of tlog-tiles logs expect: what is sent
 * to `/add` is committed as a license's metadata, and the answer is its log index, once it is durable, signed and
 * promised. Nobody is authenticated or judged, and no access log is kept. Cosigners are in this process.
 *
 *     node bench/raw-log.ts DIRECTORY
 *
 * Prints one JSON line with its `url`, and its `vkey` for signed notes.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parseTilePath } from '@tallystick/core';
import { LedgerRig } from './ledger-rig.ts';

const rig = await LedgerRig.start(process.argv[2] ?? '');
await rig.ready();

async function answer(request: IncomingMessage): Promise<string | Uint8Array | undefined> {
  const path = request.url ?? '';
  if (path === '/add') {
    const data = (await buffer(request)).toString('base64');
    const parts = data.match(/.{1,500}/g) ?? [];
    const metadata = Object.fromEntries(parts.map((part, nth) => [`part-${nth}`, part]));
    const { changes } = await rig.run({ type: 'license.issue', plan: 'pro', metadata });
    return String(changes[0]?.index);
  }
  return path === '/checkpoint'
    ? rig.ledger.published?.note
    : rig.ledger.read.tile(parseTilePath(path.slice(1)));
}

const server = createServer((request, response) => {
  answer(request).then(
    (body) => response.writeHead(body === undefined ? 404 : 200).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  process.stdout.write(`${JSON.stringify({ url, vkey: rig.vkey })}\n`);
});
process.once('SIGTERM', () => {
  server.closeAllConnections();
  server.close(() => void rig[Symbol.asyncDispose]().then(() => process.exit()));
});
