/**
 * The newest entries of subjects that changed since the map was brought up to date, in flat arrays: while nothing can be
 * published they may be millions, and as objects they would take several times the memory and be collected again and again.
 *
 * A table of open addressing over K, which is a digest: any four bytes of it are as good as a hash.
 */
import { hashLength } from '../hash.ts';
import { grown } from './grown.ts';
import type { HeadChange, SubjectHead } from './subject-map.ts';

/** At least twice as many slots as heads, so that few share one. */
const slotsMin = 4096;

export class RecentHeads {
  /** Number of a head, plus one; 0 for none. */
  #slots = new Int32Array(slotsMin);
  #count = 0;
  #keys = new Uint8Array(hashLength * (slotsMin / 2));
  #leaves = new Uint8Array(hashLength * (slotsMin / 2));
  #indexes = new Float64Array(slotsMin / 2);
  #revs = new Uint32Array(slotsMin / 2);

  head(key: Uint8Array): SubjectHead | undefined {
    const nth = this.#at(this.#slotOf(key));
    return nth === undefined
      ? undefined
      : { index: this.#indexes[nth] as number, rev: this.#revs[nth] as number };
  }

  /** As `head`, with the leaf hash of the entry. */
  change(key: Uint8Array): HeadChange | undefined {
    const nth = this.#at(this.#slotOf(key));
    return nth === undefined ? undefined : this.#change(nth);
  }

  set({ key, leaf, index, rev }: HeadChange): void {
    const slot = this.#slotOf(key);
    const nth = this.#at(slot) ?? this.#count;
    if (nth === this.#count) {
      this.#slots[slot] = nth + 1;
      this.#count += 1;
      this.#keys.set(key, nth * hashLength);
    }
    this.#leaves.set(leaf, nth * hashLength);
    this.#indexes[nth] = index;
    this.#revs[nth] = rev;
    if (this.#count === this.#indexes.length) this.#grow();
  }

  /** In the order in which their subjects first changed. */
  *changes(): Iterable<HeadChange> {
    for (let nth = 0; nth < this.#count; nth++) yield this.#change(nth);
  }

  /** Of a key: where it is, or where it would be put. */
  #slotOf(key: Uint8Array): number {
    const last = this.#slots.length - 1;
    const [a = 0, b = 0, c = 0, d = 0] = key;
    let slot = (a | (b << 8) | (c << 16) | (d << 24)) & last;
    for (let nth = this.#at(slot); nth !== undefined && !this.#isKey(nth, key); nth = this.#at(slot))
      slot = (slot + 1) & last;
    return slot;
  }

  #at(slot: number): number | undefined {
    const number = this.#slots[slot] as number;
    return number === 0 ? undefined : number - 1;
  }

  #isKey(nth: number, key: Uint8Array): boolean {
    const from = nth * hashLength;
    for (let at = 0; at < hashLength; at++) if (this.#keys[from + at] !== key[at]) return false;
    return true;
  }

  #change(nth: number): HeadChange {
    const from = nth * hashLength;
    return {
      key: this.#keys.slice(from, from + hashLength),
      leaf: this.#leaves.slice(from, from + hashLength),
      index: this.#indexes[nth] as number,
      rev: this.#revs[nth] as number,
    };
  }

  #grow(): void {
    this.#keys = grown(this.#keys, Uint8Array);
    this.#leaves = grown(this.#leaves, Uint8Array);
    this.#indexes = grown(this.#indexes, Float64Array);
    this.#revs = grown(this.#revs, Uint32Array);
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let nth = 0; nth < this.#count; nth++) {
      const from = nth * hashLength;
      this.#slots[this.#slotOf(this.#keys.subarray(from, from + hashLength))] = nth + 1;
    }
  }
}
