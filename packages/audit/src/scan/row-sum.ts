/**
 * A sum over rows that tells two sets of rows apart without holding either: the multiset hash of Clarke and others
 * ("Incremental Multiset Hash Functions", Asiacrypt 2003) with a secret key drawn for each check, of 128 bits. Whoever
 * wrote the rows cannot know the key, so two different sets have the same sum with a probability of 2^-128.
 */
import { hash } from 'node:crypto';

/** Texts, integers and null: what the projections' tables hold. */
export type RowValue = string | number | bigint | null;

const words = 4;

export class RowSum {
  readonly #key: string;
  readonly #words = new Uint32Array(words);
  /** Rows added less rows subtracted. */
  #count = 0;

  /** @param key secret, of at least 128 bits */
  constructor(key: string) {
    this.#key = key;
  }

  get count(): number {
    return this.#count;
  }

  add(table: string, values: readonly RowValue[]): void {
    this.#count += 1;
    this.#mix(table, values, 1);
  }

  subtract(table: string, values: readonly RowValue[]): void {
    this.#count -= 1;
    this.#mix(table, values, -1);
  }

  /** Adds another sum under the same key, from another thread for instance. */
  addSum({ words: added, count }: SumState): void {
    for (let at = 0; at < words; at++) this.#words[at] = (this.#words[at] as number) + (added[at] as number);
    this.#count += count;
  }

  /** The sum so far; the sum begins anew. */
  take(): SumState {
    const state = { words: this.#words.slice(), count: this.#count };
    this.#words.fill(0);
    this.#count = 0;
    return state;
  }

  equals(other: RowSum): boolean {
    return this.#count === other.#count && this.#words.every((word, at) => word === other.#words[at]);
  }

  #mix(table: string, values: readonly RowValue[], sign: 1 | -1): void {
    const digest = hash('sha256', this.#key + encode(table, values), 'binary');
    for (let at = 0; at < words; at++) {
      const from = 4 * at;
      const word =
        digest.charCodeAt(from) |
        (digest.charCodeAt(from + 1) << 8) |
        (digest.charCodeAt(from + 2) << 16) |
        (digest.charCodeAt(from + 3) << 24);
      // Typed arrays reduce modulo 2^32.
      this.#words[at] = (this.#words[at] as number) + sign * word;
    }
  }
}

export interface SumState {
  words: Uint32Array;
  count: number;
}

/** Two rows have one encoding only where they are the same: each value is preceded by its type and length. */
function encode(table: string, values: readonly RowValue[]): string {
  let text = table;
  for (const value of values) {
    if (value === null) text += '\nn';
    else if (typeof value === 'string') text += `\nt${value.length}:${value}`;
    else text += `\ni${value}`;
  }
  return text;
}
