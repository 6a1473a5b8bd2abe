/** The thread of one shadow: reading a long log and deciding again is nothing that requests should wait for. */
import { parentPort, workerData } from 'node:worker_threads';
import { SegmentReader } from '@tallystick/access';
import { PolicyError } from '@tallystick/gate';
import { readStore } from '../setup/store-place.ts';
import type { FromShadow, ShadowTask } from './messages.ts';
import { shadowPolicy } from './shadow-policy.ts';

const port = parentPort;
if (port === null) throw new Error('a shadow runs as a worker');

const post = (message: FromShadow): void => port.postMessage(message);
let isStopped = false;
port.on('message', () => {
  isStopped = true;
});

async function run({ place, accessFile, droppedBefore, candidate, ...span }: ShadowTask): Promise<void> {
  await using store = await readStore(place);
  using access = accessFile === null ? null : SegmentReader.open(accessFile);
  const report = await shadowPolicy({ store, access, droppedBefore }, candidate, span, async (progress) => {
    post({ progress });
    // Whoever ends the server is heard in between.
    await new Promise(setImmediate);
    if (isStopped) throw new Error('the server stops');
  });
  post({ report });
}

try {
  await run(workerData as ShadowTask);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const isOfCandidate = error instanceof PolicyError;
  const place = isOfCandidate && error.policy !== null ? `policy ${error.policy}: ` : '';
  post({ failed: `${place}${message}`, isOfCandidate });
} finally {
  port.close();
}
