/** A thread that carries out calls one after the other, seen from the thread that asks. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { startWorker } from './start-worker.ts';

/** From here to the thread. */
export interface Call {
  id: number;
  method: string;
  input: unknown;
}

/** From the thread to here; the answer to `start` has id 0. */
export type Reply = { id: number; output: unknown } | { id: number; error: ThrownThere };

/** What crosses of an error that was thrown in the thread. */
export interface ThrownThere {
  name: string;
  message: string;
  /** SQLite's result code, where it has one. */
  errcode?: number | undefined;
}

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** The thread could not do what it was asked to, or has ended: then nobody knows what it did. */
export class ThreadError extends Error {
  override readonly name = 'ThreadError';
  /** Name of the error that was thrown there. */
  readonly original: string;
  /** SQLite's result code, where it has one. */
  readonly errcode: number | undefined;

  constructor({ name, message, errcode }: ThrownThere) {
    super(message);
    this.original = name;
    this.errcode = errcode;
  }

  /** Whether the thread has ended, and answers nothing any more. */
  get isOfEnded(): boolean {
    return this.original === this.name;
  }
}

export class Thread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #ended: ThreadError | null = null;

  private constructor(script: URL, workerData: unknown) {
    this.#worker = startWorker(script, workerData);
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error: Error) => this.#end(error.message));
    this.#worker.on('exit', () => this.#end('it ended'));
  }

  /** Resolves when the thread is ready for calls; rejects with ThreadError where it cannot be. */
  static async start(script: URL, workerData: unknown): Promise<Thread> {
    const thread = new Thread(script, workerData);
    await new Promise<unknown>((resolve, reject) => thread.#waiting.set(0, { resolve, reject }));
    return thread;
  }

  /** Calls are carried out in the order in which they were made. */
  call(method: string, input: unknown, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, input } satisfies Call, [...transfer]);
    });
  }

  /** Lets the thread finish what it was asked, close what it holds, and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== null) return;
    const ended = once(this.#worker, 'exit');
    await this.call('close', null);
    await ended;
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('output' in reply) waiting?.resolve(reply.output);
    else waiting?.reject(new ThreadError(reply.error));
  }

  #end(why: string): void {
    this.#ended ??= new ThreadError({
      name: 'ThreadError',
      message: `a thread of the ledger is gone: ${why}`,
    });
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.reject(this.#ended);
  }
}
