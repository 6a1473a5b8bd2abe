import type { OnProgress } from '@tallystick/audit';
import type { Context } from '../context.ts';
import { interrupted } from '../errors.ts';
import type { Printer } from './printer.ts';
import { Progress } from './progress.ts';

/** One bar for each step of a longer work; ends it when the user interrupts. */
export class StepProgress implements Disposable {
  readonly #context: Context;
  readonly #print: Printer;
  #step = '';
  #bar: Progress | null = null;

  constructor(context: Context, print: Printer) {
    this.#context = context;
    this.#print = print;
  }

  readonly onProgress: OnProgress = ({ step, done, total }) => {
    if (this.#context.signal.aborted) throw interrupted();
    const now = this.#context.now();
    if (step !== this.#step) {
      this[Symbol.dispose]();
      this.#step = step;
      if (this.#context.stderr.isTTY) this.#print.say(`Reading ${step}`);
      this.#bar = new Progress(this.#context.stderr, total, 0, now);
    }
    this.#bar?.update(done, now);
  };

  [Symbol.dispose](): void {
    this.#bar?.end();
    this.#bar = null;
  }
}
