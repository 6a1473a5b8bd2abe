/** A thread that serves bytes by path on loopback: what is measured shares no event loop with it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const files = workerData as ReadonlyMap<string, Uint8Array>;
const server = createServer((request, response) => {
  const found = files.get((request.url ?? '').slice(1));
  response.writeHead(found === undefined ? 404 : 200).end(found);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
parentPort?.postMessage(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
