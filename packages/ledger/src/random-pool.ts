/** Random bytes drawn in large pieces: one system call for hundreds of salts. */
export class RandomPool {
  readonly #random: (length: number) => Uint8Array;
  #pool: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random;
  }

  /** Fresh bytes that nobody else gets; at most 8,192. */
  take(length: number): Uint8Array {
    if (this.#at + length > this.#pool.length) {
      this.#pool = this.#random(8192);
      this.#at = 0;
    }
    this.#at += length;
    return this.#pool.slice(this.#at - length, this.#at);
  }
}
