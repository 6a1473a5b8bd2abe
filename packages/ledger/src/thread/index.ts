export { serve } from './serve.ts';
export { startWorker } from './start-worker.ts';
export { Thread, ThreadError } from './thread.ts';
