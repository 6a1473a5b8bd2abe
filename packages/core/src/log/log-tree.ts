/**
 * A growing RFC 9162 tree in memory: every complete node of every level in flat arrays, 64 bytes a
 * leaf in all. Proofs and roots of any earlier size come from the same nodes.
 */
import { base64 } from '../encoding/base64.ts';
import { hashLength } from '../hash.ts';
import { emptyRoot, nodeHash, nodeHashInto } from './merkle.ts';

export class LogTree {
  /** levels[k] holds the roots of the complete subtrees of 2^k leaves, in order. */
  #levels: Uint8Array[] = [new Uint8Array(hashLength * 1024)];
  #size = 0;

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** Appends a leaf hash (not leaf data) and the inner nodes that it completes. */
  append(leaf: Uint8Array): void {
    let level = 0;
    let index = this.#size;
    this.#room(0, index).set(leaf, index * hashLength);
    while (index % 2 === 1) {
      const children = this.#levels[level] as Uint8Array;
      const parent = (index - 1) / 2;
      const target = this.#room(level + 1, parent);
      nodeHashInto(children, (index - 1) * hashLength, target, parent * hashLength);
      level += 1;
      index = parent;
    }
    this.#size += 1;
  }

  /** Forgets every leaf from `size` on. */
  truncate(size: number): void {
    if (size > this.#size) throw new RangeError(`cannot truncate ${this.#size} leaves to ${size}`);
    this.#size = size;
  }

  leaf(index: number): Uint8Array {
    if (index >= this.#size) throw new RangeError(`no leaf ${index} in ${this.#size}`);
    return this.#node(0, index);
  }

  /** Where a leaf hash stands; undefined where the tree does not have it. Looks at every leaf. */
  indexOf(leaf: Uint8Array): number | undefined {
    const leaves = this.#levels[0] as Uint8Array;
    for (let index = 0; index < this.#size; index++) {
      const at = index * hashLength;
      let same = 0;
      while (same < hashLength && leaves[at + same] === leaf[same]) same += 1;
      if (same === hashLength) return index;
    }
    return undefined;
  }

  /** The root of the first `size` leaves. */
  root(size: number = this.#size): Uint8Array {
    this.#checkSize(size);
    return size === 0 ? emptyRoot : this.#subtree(0, size);
  }

  /** Siblings of the leaf at `index` in the tree of the first `size` leaves, leaf side first. */
  inclusionProof(index: number, size: number = this.#size): Uint8Array[] {
    this.#checkSize(size);
    if (index < 0 || index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`);
    const path: Uint8Array[] = [];
    let start = 0;
    let end = size;
    while (end - start > 1) {
      const middle = start + largestPowerOfTwoBelow(end - start);
      if (index < middle) {
        path.push(this.#subtree(middle, end));
        end = middle;
      } else {
        path.push(this.#subtree(start, middle));
        start = middle;
      }
    }
    return path.reverse();
  }

  /** RFC 9162 §2.1.4.1; empty where `oldSize` is 0 or the same size. */
  consistencyProof(oldSize: number, newSize: number = this.#size): Uint8Array[] {
    this.#checkSize(newSize);
    if (oldSize > newSize) throw new RangeError(`no proof from ${oldSize} back to ${newSize}`);
    if (oldSize === 0 || oldSize === newSize) return [];
    const proof: Uint8Array[] = [];
    let start = 0;
    let end = newSize;
    let oldIsWhole = true;
    while (oldSize !== end) {
      const middle = start + largestPowerOfTwoBelow(end - start);
      if (oldSize <= middle) {
        proof.push(this.#subtree(middle, end));
        end = middle;
      } else {
        proof.push(this.#subtree(start, middle));
        start = middle;
        oldIsWhole = false;
      }
    }
    if (!oldIsWhole) proof.push(this.#subtree(start, end));
    return proof.reverse();
  }

  /**
   * The hashes of tlog-tiles' tile `level`/`index`, `width` of them, one after the other. Throws
   * RangeError where the tree does not have them yet.
   */
  tile(level: number, index: number, width: number): Uint8Array {
    const nodes = this.#levels[level * 8];
    const end = index * 256 + width;
    if (width < 1 || width > 256 || end > Math.floor(this.#size / 256 ** level) || nodes === undefined) {
      throw new RangeError(`no tile ${level}/${index} of width ${width} in a tree of ${this.#size}`);
    }
    return nodes.slice(index * 256 * hashLength, end * hashLength);
  }

  /** Hash of the leaves from `start` up to `end`, for ranges that RFC 9162 forms. */
  #subtree(start: number, end: number): Uint8Array {
    const width = end - start;
    const split = largestPowerOfTwoBelow(width + 1);
    const left = this.#node(Math.log2(split), start / split);
    return split === width ? left : nodeHash(left, this.#subtree(start + split, end));
  }

  #node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level] as Uint8Array;
    return nodes.slice(index * hashLength, (index + 1) * hashLength);
  }

  /** The array of a level, grown so that node `index` fits. */
  #room(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level] ?? new Uint8Array(hashLength * 64);
    if ((index + 1) * hashLength <= nodes.length) {
      this.#levels[level] = nodes;
      return nodes;
    }
    const grown = new Uint8Array(nodes.length * 2);
    grown.set(nodes);
    this.#levels[level] = grown;
    return grown;
  }

  #checkSize(size: number): void {
    if (!Number.isSafeInteger(size) || size < 0 || size > this.#size) {
      throw new RangeError(`tree has ${this.#size} leaves, not ${size}`);
    }
  }
}

/**
 * The root over `leaves` and the inclusion path of each, leaf side first, in base64. Neighbors share most of their
 * paths, so each hash is encoded once.
 */
export function allPaths(leaves: readonly Uint8Array[]): { root: Uint8Array; paths: string[][] } {
  const paths: string[][] = leaves.map(() => []);
  return { root: rootWithPaths(leaves, 0, leaves.length, paths), paths };
}

function rootWithPaths(
  leaves: readonly Uint8Array[],
  start: number,
  end: number,
  paths: readonly string[][],
): Uint8Array {
  if (end - start < 2) return leaves[start] ?? emptyRoot;
  const middle = start + largestPowerOfTwoBelow(end - start);
  const left = rootWithPaths(leaves, start, middle, paths);
  const right = rootWithPaths(leaves, middle, end, paths);
  const [leftText, rightText] = [base64(left), base64(right)];
  for (let at = start; at < end; at++) paths[at]?.push(at < middle ? rightText : leftText);
  return nodeHash(left, right);
}

/** The largest power of two smaller than `value` (which is at least 2). */
function largestPowerOfTwoBelow(value: number): number {
  let power = 1;
  while (power * 2 < value) power *= 2;
  return power;
}
