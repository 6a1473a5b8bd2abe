/** A thread that checks batches of signatures, one message each. */
import { parentPort } from 'node:worker_threads';
import { checkBatch, type SignatureBatch } from './signature-batch.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');

port.on('message', (batch: SignatureBatch) => {
  // A rejection ends the thread, and the pool reports that to whoever waits.
  void checkBatch(batch).then((verdicts) => port.postMessage(verdicts, [verdicts.buffer]));
});
