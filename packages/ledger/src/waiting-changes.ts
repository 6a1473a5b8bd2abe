/** Changes that are durable and wait for their checkpoint: since when, which is what their promises count from. */

interface Waiting {
  /** Of its first record. */
  index: number;
  /** Milliseconds. */
  at: number;
}

export class WaitingChanges {
  /** One for each batch, oldest first. While nothing is published, changes are soon refused, so there are not many. */
  #batches: Waiting[];

  /** @param left what an earlier process left behind */
  constructor(left: Waiting | null) {
    this.#batches = left === null ? [] : [left];
  }

  /** Since when the oldest one waits, in milliseconds; null where none does. */
  get oldestAt(): number | null {
    return this.#batches[0]?.at ?? null;
  }

  add(batch: Waiting): void {
    this.#batches.push(batch);
  }

  /** A checkpoint of `size` entries is published. */
  published(size: number): void {
    this.#batches = this.#batches.filter(({ index }) => index >= size);
  }
}
