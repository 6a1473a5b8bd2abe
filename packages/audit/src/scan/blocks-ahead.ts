/** Blocks of entries in order, some of them being scanned ahead of the one that is asked for. */
import type { BlockFacts } from './facts.ts';
import type { ScanPool } from './scan-pool.ts';

export class BlocksAhead {
  readonly #pool: ScanPool;
  readonly #size: number;
  readonly #perBlock: number;
  readonly #ahead: Promise<BlockFacts | null>[] = [];
  #next = 0;

  /** @param size number of entries; blocks begin at multiples of `perBlock` */
  constructor(pool: ScanPool, size: number, perBlock: number) {
    this.#pool = pool;
    this.#size = size;
    this.#perBlock = perBlock;
  }

  /** The facts of the next block; null where it has to be looked at, and behind the end. */
  async next(): Promise<BlockFacts | null> {
    while (this.#next < this.#size && this.#ahead.length < this.#pool.blocksAhead) {
      const to = Math.min(this.#next + this.#perBlock, this.#size);
      this.#ahead.push(this.#pool.block(this.#next, to));
      this.#next = to;
    }
    return (await this.#ahead.shift()) ?? null;
  }
}
