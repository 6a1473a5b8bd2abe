/** The thread of the access log: its file, compression and publishing, off the event loop that serves HTTP. */
import { parentPort, workerData } from 'node:worker_threads';
import { AccessHost } from './access-host.ts';
import type { AccessThreadConfig, FromAccess, ToAccess } from './messages.ts';

const port = parentPort;
if (port === null) throw new Error('the access log runs as a worker');

const post = (message: FromAccess): void => port.postMessage(message);
const host = new AccessHost((workerData as { config: AccessThreadConfig }).config, (publication) =>
  post({ publication }),
);

function outputOf(call: Exclude<ToAccess, { stop: true }>): Promise<unknown> {
  switch (call.method) {
    case 'append':
      return host.append(call.input);
    case 'find':
      return host.find(call.input);
    case 'identity':
      return host.identity();
    case 'drop':
      return host.drop(call.input);
    case 'prove':
      return host.prove(call.input);
  }
}

async function answer(message: Exclude<ToAccess, { stop: true }>): Promise<void> {
  const { id } = message;
  try {
    post({ id, output: await outputOf(message) });
  } catch (error) {
    post({ id, failed: error instanceof Error ? error.message : String(error) });
  }
}

port.on('message', (message: ToAccess) => {
  if (!('stop' in message)) {
    void answer(message);
    return;
  }
  // Without its port the thread has nothing left to wait for, and ends by itself.
  void host[Symbol.asyncDispose]().finally(() => port.close());
});

host.start();
post({ ready: true });
