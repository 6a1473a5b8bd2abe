/** Checks batches of signatures on a few threads, or on this one where there are none. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { checkBatch, type SignatureBatch } from './signature-batch.ts';
import { Unavailable } from './violation.ts';

interface Waiting {
  resolve(verdicts: Uint8Array): void;
  reject(error: Error): void;
}

/** A thread and what it was asked, oldest first: it answers in that order. */
interface Thread {
  worker: Worker;
  waiting: Waiting[];
  hasEnded: boolean;
}

export class SignaturePool implements AsyncDisposable {
  readonly #threads: Thread[];
  #isDisposed = false;

  /** @param threadCount 0 checks on the calling thread */
  constructor(threadCount: number) {
    this.#threads = Array.from({ length: threadCount }, startThread);
  }

  /** Batches that may be under way at once before more of them only cost memory. */
  get batchesMax(): number {
    return Math.max(1, this.#threads.length * 3);
  }

  /** One byte a signature: 1 where it holds. Rejects where the thread ended. */
  async check(batch: SignatureBatch): Promise<Uint8Array> {
    this.#replaceEnded();
    const thread = this.#leastBusy();
    if (this.#isDisposed) throw new Unavailable('the replayer stops');
    if (thread === undefined) return checkBatch(batch);
    return new Promise((resolve, reject) => {
      thread.waiting.push({ resolve, reject });
      thread.worker.postMessage(batch, [batch.bytes.buffer]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await Promise.all(this.#threads.map((thread) => thread.worker.terminate()));
  }

  /** A thread that ran out of memory, say, has failed its batches; later ones get a new thread. */
  #replaceEnded(): void {
    for (const [at, thread] of this.#threads.entries()) {
      if (thread.hasEnded && !this.#isDisposed) this.#threads[at] = startThread();
    }
  }

  #leastBusy(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.#threads) {
      if (best === undefined || thread.waiting.length < best.waiting.length) best = thread;
    }
    return best;
  }
}

function startThread(): Thread {
  // V8 13.6 can crash where one thread ends while another strips the types of its files: it frees the code of
  // WebAssembly wrappers that were replaced by faster ones. So they are never replaced.
  setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
  const worker = new Worker(new URL('./signature.worker.ts', import.meta.url));
  const thread: Thread = { worker, waiting: [], hasEnded: false };
  worker.on('message', (verdicts: Uint8Array) => thread.waiting.shift()?.resolve(verdicts));
  worker.on('error', (error: Error) => failAll(thread, error));
  worker.on('exit', () => failAll(thread, new Error('it ended')));
  return thread;
}

function failAll(thread: Thread, cause: Error): void {
  thread.hasEnded = true;
  const error = new Unavailable(`a thread that checks signatures failed: ${cause.message}`, { cause });
  for (const waiting of thread.waiting.splice(0)) waiting.reject(error);
}
