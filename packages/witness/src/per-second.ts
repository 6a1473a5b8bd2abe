/** So many of something within one second, and no more. */
import { Refusal } from './errors.ts';

export class PerSecond {
  readonly #max: number;
  readonly #now: () => number;
  /** The second that `#taken` counts. */
  #second = 0;
  #taken = 0;

  /** @param now seconds */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Throws Refusal 429 with `message` where this second has had all of them. */
  take(message: string): void {
    const second = Math.floor(this.#now());
    if (second !== this.#second) this.#taken = 0;
    this.#second = second;
    this.#taken += 1;
    if (this.#taken > this.#max) throw new Refusal(429, message);
  }
}
