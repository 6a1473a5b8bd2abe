/** Randomness that a seed repeats, so that a failure found by chance can be looked at again. */
export class SeededRandom {
  #state: number;

  /** @param seed 32 bits */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** The seed to use: that of the environment variable `TALLY_TEST_SEED`, or a new one, which is printed. */
  static seed(test: string): number {
    const given = process.env['TALLY_TEST_SEED'];
    const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
    process.stdout.write(`${test}: TALLY_TEST_SEED=${seed}\n`);
    return seed;
  }

  /** From 0 up to and without 1; mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 up to and without `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] as T;
  }
}
