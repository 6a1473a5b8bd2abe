/** What leaves of the map held before they changed, in flat arrays: an object a change would outlive two collections. */
import { hashLength } from '../hash.ts';
import { grown } from './grown.ts';

/** What a leaf held; index −1 and value null where its subject did not exist. */
export interface PastHead {
  index: number;
  value: Uint8Array | null;
}

export class UndoList {
  #count = 0;
  /** Log index of the entry that changed the leaf, ascending. */
  #by = new Float64Array(1024);
  #leaves = new Uint32Array(1024);
  #indexes = new Float64Array(1024);
  #values = new Uint8Array(hashLength * 1024);

  /** Entry `by` is about to change a leaf that holds `before`. */
  push(by: number, leaf: number, { index, value }: PastHead): void {
    if (this.#count === this.#by.length) {
      this.#by = grown(this.#by, Float64Array);
      this.#leaves = grown(this.#leaves, Uint32Array);
      this.#indexes = grown(this.#indexes, Float64Array);
      this.#values = grown(this.#values, Uint8Array);
    }
    this.#by[this.#count] = by;
    this.#leaves[this.#count] = leaf;
    this.#indexes[this.#count] = index;
    if (value !== null) this.#values.set(value, this.#count * hashLength);
    this.#count += 1;
  }

  /** By leaf number, what each leaf held that entries from `size` on have changed. */
  since(size: number): Map<number, PastHead> {
    const past = new Map<number, PastHead>();
    for (let at = this.#count - 1; at >= 0 && (this.#by[at] as number) >= size; at--) {
      const index = this.#indexes[at] as number;
      const value = index < 0 ? null : this.#values.slice(at * hashLength, (at + 1) * hashLength);
      past.set(this.#leaves[at] as number, { index, value });
    }
    return past;
  }

  /** Drops what entries before `size` changed. */
  forgetBefore(size: number): void {
    const found = this.#by.subarray(0, this.#count).findIndex((by) => by >= size);
    const from = found < 0 ? this.#count : found;
    this.#by.copyWithin(0, from, this.#count);
    this.#leaves.copyWithin(0, from, this.#count);
    this.#indexes.copyWithin(0, from, this.#count);
    this.#values.copyWithin(0, from * hashLength, this.#count * hashLength);
    this.#count -= from;
  }
}
