/** The HTTP side's end of the ledger's thread. */
import type { Worker } from 'node:worker_threads';
import type { ProblemCode } from '@tallystick/contract/problems';
import { startWorker } from '@tallystick/ledger/thread';
import type { TallyDocument } from '@tallystick/license';
import type { Verdict } from './gate/gatekeeper.ts';
import type {
  Call,
  EventMessage,
  FromLedger,
  LedgerStatus,
  Reply,
  ServiceMethod,
  ToLedger,
  WorkerData,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import type { LedgerService } from './service.ts';
import { ServiceProblem } from './service-problem.ts';

/** What a method takes; null for none. */
export type Input<M extends ServiceMethod> =
  Parameters<LedgerService[M]> extends [infer I, ...unknown[]] ? I : null;

interface Waiting {
  resolve(answer: LedgerAnswer): void;
  reject(error: Error): void;
}

/** An answer as text, with the status that HTTP should give it. */
export interface LedgerAnswer {
  status: number;
  body: string;
  /** null where nobody had to be known. */
  verdict: Verdict | null;
}

export interface LedgerListener {
  /** Who may use the system: what is new of it. */
  onAccess: (documents: TallyDocument[]) => void;
  onEvent: (event: EventMessage) => void;
  /** What decisions of this hash are made on: told before the answer that one of them is about. */
  onInput: (entities: string, input: string) => void;
  onProgress: (progress: { step: string; done: number }) => void;
  /** The thread ended by itself: nothing works any more. */
  onDeath: (error: Error) => void;
}

export class LedgerClient {
  readonly #worker: Worker;
  readonly #listener: LedgerListener;
  readonly #waiting = new Map<number, Waiting>();
  readonly #calls = new Outbox<Call>((calls) => this.#send({ calls }));
  #nextId = 1;
  #isStopping = false;
  #stopped: () => void = () => {};
  /** The newest state that the thread told of. */
  status: LedgerStatus;

  private constructor(worker: Worker, listener: LedgerListener, status: LedgerStatus) {
    this.#worker = worker;
    this.#listener = listener;
    this.status = status;
    worker.on('message', (message: FromLedger) => this.#receive(message));
    worker.on('error', (error: Error) => this.#die(error));
    worker.on('exit', () => {
      this.#stopped();
      if (!this.#isStopping) this.#die(new Error('the ledger thread ended'));
    });
  }

  /** Starts the thread; rejects with a sentence for the operator where the ledger cannot be opened. */
  static start(data: WorkerData, listener: LedgerListener): Promise<LedgerClient> {
    const worker = startWorker(new URL('./ledger.worker.ts', import.meta.url), data);
    return new Promise((resolve, reject) => {
      const onError = (error: Error): void => reject(error);
      const onMessage = (message: FromLedger): void => {
        if ('progress' in message) listener.onProgress(message.progress);
        if ('events' in message) for (const event of message.events) listener.onEvent(event);
        if ('access' in message) listener.onAccess(message.access);
        if ('failed' in message) reject(new Error(message.failed));
        if (!('ready' in message)) return;
        worker.off('message', onMessage);
        worker.off('error', onError);
        resolve(new LedgerClient(worker, listener, message.ready));
      };
      worker.on('message', onMessage);
      worker.on('error', onError);
    });
  }

  /**
   * Asks a method of the service, for a caller where one has to be known; `asked` is JSON. Rejects with ServiceProblem.
   * Both say what was decided.
   */
  ask<M extends ServiceMethod>(method: M, input: Input<M>, asked: string | null): Promise<LedgerAnswer> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#calls.add({ id, method, input: JSON.stringify(input), asked });
    });
  }

  /** Calls that are not answered yet. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  /** Says whether anybody follows events. */
  listen(isListening: boolean): void {
    this.#send({ listening: isListening });
  }

  /** Finishes what is under way and ends the thread. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const stopped = new Promise<void>((resolve) => {
      this.#stopped = resolve;
    });
    this.#send({ stop: true });
    await stopped;
  }

  #send(message: ToLedger): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromLedger): void {
    if ('replies' in message) for (const reply of message.replies) this.#settle(reply);
    else if ('status' in message) this.status = message.status;
    else if ('access' in message) this.#listener.onAccess(message.access);
    else if ('events' in message) for (const event of message.events) this.#listener.onEvent(event);
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.verdict?.input !== undefined)
      this.#listener.onInput(reply.verdict.entities, reply.verdict.input);
    if ('body' in reply) {
      waiting?.resolve(reply);
      return;
    }
    const { code, detail, path, details } = reply.problem;
    const problem = new ServiceProblem(code as ProblemCode, detail, path, details);
    problem.verdict = reply.verdict;
    waiting?.reject(problem);
  }

  #die(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new ServiceProblem('outcome_unknown'));
    this.#waiting.clear();
    this.#listener.onDeath(error);
  }
}
