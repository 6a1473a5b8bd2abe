import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

/**
 * Starts a thread from a TypeScript file.
 *
 * Node strips types with a WebAssembly module in each thread. V8 (13.6, Node 24) replaces the wrappers of its calls by
 * faster ones after some use, and frees the old ones without regard to other threads: where one thread ends while
 * another starts, the process can crash (seen as a segmentation fault in NativeModule::FreeCode). So the wrappers stay.
 */
export function startWorker(script: URL, workerData: unknown): Worker {
  setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
  return new Worker(script, { workerData });
}
