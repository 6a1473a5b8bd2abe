/**
 * Which idempotency keys were used, but for chance: a Bloom filter over all of them. Nearly every request comes under a new
 * key, and to look that up in the projections costs several reads of a file that is written all the time.
 */
import type { Projections } from '../projections/projections.ts';

/** Eight million bytes: of five million keys one in a hundred new ones is looked up in vain. */
const bitsExponent = 26;
const hashes = 4;
const keysPerRead = 2000;
const pauseMs = 5;

export class RequestKeys {
  readonly #bits = new Uint32Array(2 ** (bitsExponent - 5));
  readonly #projections: Pick<Projections, 'requestKeys'>;
  #readUpTo = '';
  /** Until it has read what was used before this process, every key may have been. */
  #isWhole = false;

  constructor(projections: Pick<Projections, 'requestKeys'>) {
    this.#projections = projections;
    this.#read();
  }

  /** False where nothing was ever asked under a key. */
  mayHold(key: string): boolean {
    return !this.#isWhole || positionsOf(key).every((at) => this.#isSet(at));
  }

  add(key: string): void {
    for (const at of positionsOf(key)) {
      const word = at >>> 5;
      this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (at & 31));
    }
  }

  #isSet(at: number): boolean {
    return ((this.#bits[at >>> 5] ?? 0) & (1 << (at & 31))) !== 0;
  }

  /** Little by little, beside the work. */
  #read(): void {
    const keys = this.#projections.requestKeys(this.#readUpTo, keysPerRead);
    for (const key of keys) this.add(key);
    this.#readUpTo = keys.at(-1) ?? this.#readUpTo;
    this.#isWhole = keys.length < keysPerRead;
    if (!this.#isWhole) setTimeout(() => this.#readOn(), pauseMs).unref();
  }

  #readOn(): void {
    try {
      this.#read();
    } catch {
      // What cannot be read leaves it as it is: keys are looked up then.
    }
  }
}

/** FNV-1a and a second hash of the same walk, combined as Kirsch and Mitzenmacher do (2006). */
function positionsOf(key: string): number[] {
  let first = 0x811c9dc5;
  let second = 0x9747b28c;
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second + code, 0x85ebca6b) ^ (second >>> 13);
  }
  const positions: number[] = [];
  for (let nth = 0; nth < hashes; nth++)
    positions.push((first + Math.imul(nth, second | 1)) >>> (32 - bitsExponent));
  return positions;
}
