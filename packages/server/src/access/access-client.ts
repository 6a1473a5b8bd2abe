/** The HTTP side's end of the access log: what it takes in, and what is known of it. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import {
  AccessLog,
  type AccessLogStatus,
  type AccessQuery,
  type AccessRecord,
  type FoundPage,
  type LeavesProof,
  waitingMaxDefault,
} from '@tallystick/access';
import { startWorker } from '@tallystick/ledger/thread';
import type { AccessCalls, AccessPublication, AccessThreadConfig, FromAccess, ToAccess } from './messages.ts';

export interface AccessListener {
  /** Why records cannot be written, or published; null once they are again. */
  onTrouble: (trouble: string | null) => void;
  /** The thread ended by itself: nothing can be written any more. */
  onDeath: (error: Error) => void;
  /** Whether the policy wants the record of an action on disk before it is answered. */
  isDurable: (action: string) => boolean;
}

export type AccessStatus = AccessLogStatus & AccessPublication;

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** Records that a crash can take at most, and after how many seconds they are on disk, while the disk works. */
export const lossMax: { records: number; seconds: number } = { records: waitingMaxDefault, seconds: 1 };

export class AccessClient implements AsyncDisposable {
  /** Name of the log. */
  readonly origin: string;
  readonly #worker: Worker;
  readonly #listener: AccessListener;
  readonly #log: AccessLog;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isStopping = false;
  #droppedBefore: string | null = null;
  #publication: AccessPublication = { size: 0, published: 0, trouble: null, contradiction: null };

  private constructor(worker: Worker, origin: string, listener: AccessListener) {
    this.#worker = worker;
    this.origin = origin;
    this.#listener = listener;
    worker.on('message', (message: FromAccess) => this.#receive(message));
    worker.on('error', (error: Error) => this.#die(error));
    worker.on('exit', () => this.#die(new Error('the thread of the access log ended')));
    const sink = {
      append: async (
        first: number,
        lines: readonly string[],
        closes: boolean,
        inputs: ReadonlyMap<string, string>,
      ) => {
        await this.#call('append', { first, lines, closes, inputs });
      },
    };
    this.#log = new AccessLog(sink, {
      first: 0,
      now: () => Date.now(),
      onTrouble: (trouble) => listener.onTrouble(trouble && `nothing can be recorded: ${trouble.message}`),
    });
  }

  /** Resolves once the thread runs, whether or not the log can be written: that is told then. */
  static async start(config: AccessThreadConfig, listener: AccessListener): Promise<AccessClient> {
    const worker = startWorker(new URL('./access.worker.ts', import.meta.url), { config });
    await once(worker, 'message');
    const client = new AccessClient(worker, config.accessLog.origin, listener);
    // Asked at once, so that a log that cannot be written is known before anything changes.
    await client.#log.flush().catch(() => {});
    return client;
  }

  get status(): AccessStatus {
    const { trouble, ...log } = this.#log.status;
    const { trouble: unpublished, ...published } = this.#publication;
    return { ...log, ...published, trouble: trouble ?? unpublished };
  }

  /** Why nothing may be changed: what is asked cannot be recorded. null where it can. */
  get blocked(): string | null {
    return this.#publication.contradiction ?? this.#log.status.trouble;
  }

  /** As `AccessListener.isDurable`. */
  isDurable(action: string): boolean {
    return this.#listener.isDurable(action);
  }

  /** As `AccessLog.record`. */
  record(record: AccessRecord, options: { durable: boolean }): Promise<void> {
    return this.#log.record(record, options);
  }

  /** As `AccessLog.learn`. */
  learn(entities: string, input: string): void {
    this.#log.learn(entities, input);
  }

  /** As `AccessLog.flush`. */
  flush(): Promise<void> {
    return this.#log.flush();
  }

  /** The first leaf, which says whose log it is. */
  async identity(): Promise<Uint8Array> {
    return (await this.#call('identity', null)) as Uint8Array;
  }

  /** From when on records are kept: an instant, as the log says; null where none were dropped. */
  get droppedBefore(): string | null {
    return this.#droppedBefore;
  }

  /** Has what is from before an instant dropped, for good; what cannot be now is at the next start. */
  drop(before: string): void {
    if (this.#droppedBefore === before) return;
    this.#droppedBefore = before;
    this.#call('drop', { before }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#listener.onTrouble(`what is from before ${before} could not be dropped: ${why}`);
    });
  }

  /** As `findRecords`. What was taken in before is found. */
  async find(query: AccessQuery, page: { start: number; limit: number }): Promise<FoundPage> {
    await this.#log.flush();
    const kept = { ...query, droppedBefore: this.#droppedBefore };
    return (await this.#call('find', { query: kept, ...page })) as FoundPage;
  }

  /** As `proveLeaves`. */
  async prove(indexes: number[]): Promise<LeavesProof | null> {
    return (await this.#call('prove', { indexes })) as LeavesProof | null;
  }

  /** Writes what waits, and ends the thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]().catch(() => {});
    this.#isStopping = true;
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage({ stop: true } satisfies ToAccess);
    await ended;
  }

  #call<M extends keyof AccessCalls>(method: M, input: AccessCalls[M]['input']): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, input });
    });
  }

  #receive(message: FromAccess): void {
    if ('publication' in message) {
      const before = this.#publication.trouble;
      this.#publication = message.publication;
      const { trouble } = message.publication;
      if ((before === null) !== (trouble === null))
        this.#listener.onTrouble(trouble && `it is recorded and not published: ${trouble}`);
    }
    if (!('id' in message)) return;
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('failed' in message) waiting?.reject(new Error(message.failed));
    else waiting?.resolve(message.output);
  }

  #die(error: Error): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#listener.onDeath(error);
  }
}
