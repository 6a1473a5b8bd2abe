/** Runs tasks one after the other, in the order in which they came. */
import { Refusal } from './errors.ts';

export class SerialQueue {
  readonly #waitingMax: number;
  #waiting = 0;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  /** @param waitingMax tasks beyond this many, the running one included, are refused with 503 */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  async run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Refusal(503, 'the cosigner stops');
    if (this.#waiting >= this.#waitingMax)
      throw new Refusal(503, 'too many checkpoints of this log are waiting');
    this.#waiting += 1;
    const turn = this.#last.then(task);
    // The next task runs whatever became of this one; its caller hears of the failure through `turn`.
    this.#last = turn.then(ignore, ignore);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** Accepts nothing more; resolves when what was accepted has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }
}

function ignore(): void {}
