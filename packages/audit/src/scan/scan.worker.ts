/** A thread that scans blocks of a store, one task a message. */
import { parentPort, workerData } from 'node:worker_threads';
import { buffersOf } from './block-builder.ts';
import { endScanning, type ScanSetup, type ScanTask } from './facts.ts';
import { ScanTasks } from './scan-tasks.ts';

const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');

const tasks = new ScanTasks(workerData as ScanSetup);

port.on('message', (task: ScanTask | typeof endScanning) => {
  if (task === endScanning) {
    tasks[Symbol.dispose]();
    // Without its port the thread has nothing left to wait for, and ends.
    port.close();
    return;
  }
  const answer = tasks.run(task);
  port.postMessage(answer, answer !== null && 'leaves' in answer ? buffersOf(answer) : []);
});
