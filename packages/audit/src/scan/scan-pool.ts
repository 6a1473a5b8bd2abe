/** Threads that scan. Each has its own connection to the store. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { startWorker } from '@tallystick/ledger/thread';
import {
  type BlockFacts,
  endScanning,
  type FullSetup,
  type ScanAnswer,
  type ScanSetup,
  type ScanTask,
  type Step,
  type StepFacts,
  type TableFacts,
} from './facts.ts';
import { shareTables } from './table-scan.ts';

/** A thread and what it was asked, oldest first: it answers in that order. */
interface Thread {
  worker: Worker;
  waiting: ((answer: ScanAnswer) => void)[];
  hasEnded: boolean;
}

export class ScanPool implements AsyncDisposable {
  readonly full: FullSetup | null;
  readonly #threads: Thread[];

  constructor(setup: ScanSetup, threadCount: number) {
    this.full = setup.full;
    this.#threads = Array.from({ length: threadCount }, () => startThread(setup));
  }

  /** Blocks that may be asked for ahead before more of them only cost memory. */
  get blocksAhead(): number {
    return this.#threads.length * 4;
  }

  /** null where the walk has to look for itself. */
  block(from: number, to: number): Promise<BlockFacts | null> {
    return this.#run({ kind: 'block', from, to }) as Promise<BlockFacts | null>;
  }

  /** null where no step could be judged. */
  steps(steps: Step[]): Promise<StepFacts | null> {
    return this.#run({ kind: 'steps', steps }) as Promise<StepFacts | null>;
  }

  /** The tables' rows, a share from each thread. */
  tables(): Promise<(TableFacts | null)[]> {
    const shares = shareTables(this.#threads.length);
    return Promise.all(
      shares.map((tables) => this.#run({ kind: 'tables', tables }) as Promise<TableFacts | null>),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const alive = this.#threads.filter(({ hasEnded }) => !hasEnded);
    const ended = alive.map(({ worker }) => once(worker, 'exit'));
    for (const { worker } of alive) worker.postMessage(endScanning);
    await Promise.all(ended);
  }

  /** A thread that died answers with null, and so leaves its share to the walk: slower, and as strict. */
  #run(task: ScanTask): Promise<ScanAnswer> {
    const alive = this.#threads.filter(({ hasEnded }) => !hasEnded);
    const [first, ...others] = alive;
    if (first === undefined) return Promise.resolve(null);
    const thread = others.reduce(
      (best, each) => (each.waiting.length < best.waiting.length ? each : best),
      first,
    );
    return new Promise((resolve) => {
      thread.waiting.push(resolve);
      thread.worker.postMessage(task);
    });
  }
}

function startThread(setup: ScanSetup): Thread {
  const worker = startWorker(new URL('./scan.worker.ts', import.meta.url), setup);
  const thread: Thread = { worker, waiting: [], hasEnded: false };
  const end = (): void => {
    thread.hasEnded = true;
    for (const resolve of thread.waiting.splice(0)) resolve(null);
  };
  worker.on('message', (answer: ScanAnswer) => thread.waiting.shift()?.(answer));
  worker.on('error', end);
  worker.on('exit', end);
  return thread;
}
