/**
 * The Merkle tree of RFC 9162 §2.1: hashes, and the verification of proofs.
 *
 * Proofs come from strangers: lengths and sizes are checked before anything is hashed.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { domainHash, hashLength, sha256, sha256Into } from '../hash.ts';

/** Root of the tree without leaves: H(""). */
export const emptyRoot: Uint8Array = sha256(new Uint8Array(0));

const leafPrefix = Uint8Array.of(0);

/** `H(00 || data)` */
export function leafHash(data: Uint8Array): Uint8Array {
  return domainHash(leafPrefix, data);
}

/** One scratch buffer for all inner nodes: this function runs once per node of every tree. */
const nodeInput = new Uint8Array(1 + 2 * hashLength);
nodeInput[0] = 1;

/** Where a path is climbed. Small arrays get a buffer of their own when something native writes to them, which costs. */
const climbed = new Uint8Array(1 + 2 * hashLength).subarray(0, hashLength);

/** `H(01 || left || right)` */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashLength);
  return sha256(nodeInput);
}

/** As `nodeHash` over two adjacent digests at `from` in `source`, written to `target`. */
export function nodeHashInto(source: Uint8Array, from: number, target: Uint8Array, offset: number): void {
  nodeInput.set(source.subarray(from, from + 2 * hashLength), 1);
  sha256Into(nodeInput, target, offset);
}

/**
 * The root that an inclusion path leads to (RFC 9162 §2.1.3.2): `path` holds the siblings of the
 * leaf at `index` in a tree of `size` leaves, leaf side first. Throws MALFORMED for a path that no
 * such tree has.
 */
export function rootOfInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw malformed('inclusion proof: index outside the tree');
  }
  let node = index;
  let last = size - 1;
  const root = climbed;
  root.set(leaf);
  for (const sibling of path) {
    if (sibling.length !== hashLength) throw malformed('inclusion proof: sibling is not a hash');
    if (last === 0) throw malformed('inclusion proof: too long');
    const isRight = node % 2 === 1 || node === last;
    nodeInput.set(isRight ? sibling : root, 1);
    nodeInput.set(isRight ? root : sibling, 1 + hashLength);
    sha256Into(nodeInput, root, 0);
    if (isRight) {
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw malformed('inclusion proof: too short');
  return new Uint8Array(root);
}

/** Throws NOT_LOGGED unless `path` proves `leaf` at `index` of the tree with this `size` and `root`. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): void {
  let found: Uint8Array;
  try {
    found = rootOfInclusion(leaf, index, size, path);
  } catch (error) {
    throw new IntegrityError('NOT_LOGGED', error instanceof Error ? error.message : 'inclusion proof', {
      cause: error,
    });
  }
  if (!equalBytes(found, root)) {
    throw new IntegrityError('NOT_LOGGED', `entry is not at index ${index} of the log of size ${size}`);
  }
}

/**
 * Checks a consistency proof (RFC 9162 §2.1.4.2) between two trees. Throws MALFORMED where the
 * proof has the wrong shape and FORKED where it does not hold.
 */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  newSize: number,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  if (!Number.isSafeInteger(newSize) || !Number.isSafeInteger(oldSize) || oldSize < 0 || oldSize > newSize) {
    throw malformed('consistency proof: sizes out of order');
  }
  if (proof.some((hash) => hash.length !== hashLength)) throw malformed('consistency proof: not a hash');
  if (oldSize === 0 || oldSize === newSize) {
    if (proof.length !== 0) throw malformed('consistency proof: too long');
    const same = oldSize === 0 ? equalBytes(oldRoot, emptyRoot) : equalBytes(oldRoot, newRoot);
    if (!same) throw new IntegrityError('FORKED', `two histories of size ${oldSize}`);
    return;
  }
  const hashes = isPowerOfTwo(oldSize) ? [oldRoot, ...proof] : [...proof];
  let node = oldSize - 1;
  let last = newSize - 1;
  while (node % 2 === 1) {
    node = half(node);
    last = half(last);
  }
  const first = hashes.shift();
  if (first === undefined) throw malformed('consistency proof: too short');
  let oldFound = first;
  let newFound = first;
  for (const hash of hashes) {
    if (last === 0) throw malformed('consistency proof: too long');
    if (node % 2 === 1 || node === last) {
      oldFound = nodeHash(hash, oldFound);
      newFound = nodeHash(hash, newFound);
      while (node % 2 === 0 && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      newFound = nodeHash(newFound, hash);
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw malformed('consistency proof: too short');
  if (!equalBytes(oldFound, oldRoot) || !equalBytes(newFound, newRoot)) {
    throw new IntegrityError('FORKED', `log of size ${newSize} does not continue the one of size ${oldSize}`);
  }
}

/** Sizes may exceed 32 bits, where JavaScript's shifts end. */
function half(value: number): number {
  return Math.floor(value / 2);
}

/** Exact for every safe integer, which a logarithm is not. */
function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && rest % 2 === 0) rest /= 2;
  return rest === 1;
}
