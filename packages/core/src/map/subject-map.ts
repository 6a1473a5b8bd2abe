/**
 * The map in memory: newest entry per subject, as a binary prefix tree in flat typed arrays.
 *
 * Node references are integers: 0 is empty, positive an inner node, negative a leaf. Objects per node
 * would cost ten times the memory and most of the time in garbage collection (1 million subjects: about 170 MB
 * here). The map is derived from the log; it holds no truth of its own.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { hashLength, sha256Into } from '../hash.ts';
import { headValueInto } from '../record/subject.ts';
import { grown } from './grown.ts';
import { bitAt, emptySubtree, encodeMapProof, mapLeafHash, mapParentHash, mapProofType } from './proof.ts';
import { UndoList } from './undo-list.ts';

/** The newest entry of a subject. */
export interface SubjectHead {
  index: number;
  rev: number;
}

/** One change to the map: entry `index` with leaf hash `leaf` is now the newest of subject `key`. */
export interface HeadChange extends SubjectHead {
  key: Uint8Array;
  leaf: Uint8Array;
}

export class SubjectMap {
  #root = 0;
  #nodeCount = 0;
  #leafCount = 0;
  #children = new Int32Array(2 * 1024);
  #hashes = new Uint8Array(hashLength * 1024);
  #dirty = new Uint8Array(1024);
  #keys = new Uint8Array(hashLength * 1024);
  #values = new Uint8Array(hashLength * 1024);
  #indexes = new Float64Array(1024);
  #revs = new Uint32Array(1024);
  readonly #undo = new UndoList();
  #undoFrom: number;

  /** @param undoFrom proofs for earlier sizes are kept from this log size on */
  constructor(undoFrom = 0) {
    this.#undoFrom = undoFrom;
  }

  /** Number of subjects. */
  get size(): number {
    return this.#leafCount;
  }

  head(key: Uint8Array): SubjectHead | undefined {
    const leaf = this.#find(key);
    return leaf === undefined
      ? undefined
      : { index: this.#indexes[leaf] as number, rev: this.#revs[leaf] as number };
  }

  /** V of a subject, for comparison with `headValue`. */
  value(key: Uint8Array): Uint8Array | undefined {
    const leaf = this.#find(key);
    return leaf === undefined ? undefined : this.#value(leaf);
  }

  /** Sets the newest entry of a subject; hashes are brought up to date by `root()`. */
  set(change: HeadChange): void {
    const leaf = this.#place(change.key);
    const isNew = leaf === this.#leafCount;
    if (change.index >= this.#undoFrom) {
      const before = isNew ? noHead : { index: this.#indexes[leaf] as number, value: this.#value(leaf) };
      this.#undo.push(change.index, leaf, before);
    }
    if (isNew) {
      this.#keys.set(change.key, leaf * hashLength);
      this.#leafCount += 1;
    }
    headValueInto(change.index, change.leaf, this.#values, leaf * hashLength);
    this.#indexes[leaf] = change.index;
    this.#revs[leaf] = change.rev;
  }

  /** The root hash; rehashes what changed since the last call. */
  root(): Uint8Array {
    this.#rehash(this.#root);
    return this.#hashOf(this.#root);
  }

  /** The encoded proof for a subject under `root()`. */
  prove(key: Uint8Array): Uint8Array {
    this.#rehash(this.#root);
    const siblings: Uint8Array[] = [];
    let node = this.#root;
    while (node > 0) {
      const bit = bitAt(key, siblings.length);
      siblings.push(this.#hashOf(this.#child(node, 1 - bit)));
      node = this.#child(node, bit);
    }
    const depth = siblings.length;
    if (node === 0) return encodeMapProof({ type: mapProofType.nothing, depth, siblings, leaf: null });
    const found = this.#key(-node - 1);
    const value = this.#value(-node - 1);
    return equalBytes(found, key)
      ? encodeMapProof({ type: mapProofType.inclusion, depth, siblings, leaf: { key: null, value } })
      : encodeMapProof({ type: mapProofType.anotherLeaf, depth, siblings, leaf: { key: found, value } });
  }

  /** Drops what is needed for proofs under log sizes smaller than `size`. */
  forgetBefore(size: number): void {
    this.#undo.forgetBefore(size);
    this.#undoFrom = Math.max(this.#undoFrom, size);
  }

  /** The smallest log size for which `at` can answer. */
  get oldestSize(): number {
    return this.#undoFrom;
  }

  /**
   * The map as it was over the first `size` entries. Costs time in proportion to the changes since.
   * Throws RangeError below `oldestSize`.
   */
  at(size: number): PastMap {
    if (size < this.#undoFrom)
      throw new RangeError(`map roots before log size ${this.#undoFrom} are not kept`);
    this.#rehash(this.#root);
    const changed = [...this.#undo.since(size)].map(([leaf, { value, index }]) => ({
      key: this.#key(leaf),
      value,
      index,
    }));
    return new PastMap(changed, {
      root: this.#root,
      child: (node, bit) => this.#child(node, bit),
      hashOf: (node) => this.#hashOf(node),
      leaf: (node) => ({ key: this.#key(-node - 1), value: this.#value(-node - 1) }),
      indexOf: (key) => this.head(key)?.index,
    });
  }

  #find(key: Uint8Array): number | undefined {
    let node = this.#root;
    for (let depth = 0; node > 0; depth++) node = this.#child(node, bitAt(key, depth));
    if (node === 0) return undefined;
    const leaf = -node - 1;
    return equalBytes(this.#key(leaf), key) ? leaf : undefined;
  }

  /** The leaf number of a key, its path marked for rehashing; `#leafCount` where it was just placed. */
  #place(key: Uint8Array): number {
    const fresh = this.#leafCount;
    if (this.#root === 0) {
      this.#growLeaves();
      this.#root = -fresh - 1;
      return fresh;
    }
    let parent = 0;
    let node = this.#root;
    let depth = 0;
    while (node > 0) {
      this.#dirty[node] = 1;
      parent = node;
      node = this.#child(node, bitAt(key, depth));
      depth += 1;
    }
    if (node < 0 && equalBytes(this.#key(-node - 1), key)) return -node - 1;
    this.#growLeaves();
    const added = node === 0 ? -fresh - 1 : this.#split(node, key, -fresh - 1, depth);
    if (parent === 0) this.#root = added;
    else this.#children[2 * parent + bitAt(key, depth - 1)] = added;
    return fresh;
  }

  /** Inner nodes that keep an existing leaf and a new one apart, from `depth` down. */
  #split(existing: number, key: Uint8Array, added: number, depth: number): number {
    const other = this.#key(-existing - 1);
    const top = this.#newNode();
    let node = top;
    let at = depth;
    while (bitAt(key, at) === bitAt(other, at)) {
      const next = this.#newNode();
      this.#children[2 * node + bitAt(key, at)] = next;
      node = next;
      at += 1;
    }
    this.#children[2 * node + bitAt(key, at)] = added;
    this.#children[2 * node + bitAt(other, at)] = existing;
    return top;
  }

  #newNode(): number {
    this.#nodeCount += 1;
    const node = this.#nodeCount;
    if (2 * node + 2 > this.#children.length) {
      this.#children = grown(this.#children, Int32Array);
      this.#hashes = grown(this.#hashes, Uint8Array);
      this.#dirty = grown(this.#dirty, Uint8Array);
    }
    this.#dirty[node] = 1;
    return node;
  }

  #growLeaves(): void {
    if (this.#leafCount + 1 <= this.#indexes.length) return;
    this.#keys = grown(this.#keys, Uint8Array);
    this.#values = grown(this.#values, Uint8Array);
    this.#indexes = grown(this.#indexes, Float64Array);
    this.#revs = grown(this.#revs, Uint32Array);
  }

  #rehash(node: number): void {
    if (node <= 0 || this.#dirty[node] === 0) return;
    this.#rehash(this.#child(node, 0));
    this.#rehash(this.#child(node, 1));
    parentInput[0] = 3;
    this.#hashInto(this.#child(node, 0), 1);
    this.#hashInto(this.#child(node, 1), 1 + hashLength);
    sha256Into(parentInput, this.#hashes, node * hashLength);
    this.#dirty[node] = 0;
  }

  /** Writes the hash of a clean node into the scratch input of its parent. */
  #hashInto(node: number, offset: number): void {
    if (node > 0) {
      copyHash(this.#hashes, node * hashLength, parentInput, offset);
    } else if (node === 0) {
      parentInput.fill(0, offset, offset + hashLength);
    } else {
      const at = (-node - 1) * hashLength;
      leafInput[0] = 2;
      copyHash(this.#keys, at, leafInput, 1);
      copyHash(this.#values, at, leafInput, 1 + hashLength);
      sha256Into(leafInput, parentInput, offset);
    }
  }

  #hashOf(node: number): Uint8Array {
    if (node === 0) return emptySubtree;
    if (node < 0) return mapLeafHash(this.#key(-node - 1), this.#value(-node - 1));
    return this.#hashes.slice(node * hashLength, (node + 1) * hashLength);
  }

  #child(node: number, bit: number): number {
    return this.#children[2 * node + bit] as number;
  }

  /** A view; copy it before the map grows. */
  #key(leaf: number): Uint8Array {
    return this.#keys.subarray(leaf * hashLength, (leaf + 1) * hashLength);
  }

  #value(leaf: number): Uint8Array {
    return this.#values.slice(leaf * hashLength, (leaf + 1) * hashLength);
  }
}

/** Without a view of the bytes: this runs several times per change, and views are garbage. */
function copyHash(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let at = 0; at < hashLength; at++) target[to + at] = source[from + at] as number;
}

const parentInput = new Uint8Array(1 + 2 * hashLength);
const leafInput = new Uint8Array(1 + 2 * hashLength);

const noHead = { index: -1, value: null };

/** The parts of a map that a view of its past reads. */
interface MapNodes {
  root: number;
  child(node: number, bit: number): number;
  hashOf(node: number): Uint8Array;
  leaf(node: number): { key: Uint8Array; value: Uint8Array };
  indexOf(key: Uint8Array): number | undefined;
}

interface PastLeaf {
  key: Uint8Array;
  /** null where the subject did not exist then, and its index −1. */
  value: Uint8Array | null;
  index: number;
}

/** A subtree of the past: empty, a single leaf that rises to where it is alone, or a hash. */
type PastSubtree = null | { key: Uint8Array; value: Uint8Array } | { hash: Uint8Array };

/**
 * A map as it was, told from the map as it is and the leaves that changed since. Only valid until
 * the map changes again.
 */
export class PastMap {
  readonly #changed: PastLeaf[];
  readonly #nodes: MapNodes;
  /** By node: what was changed below an inner node is worked out once, however many proofs are asked for. */
  readonly #known = new Map<number, PastSubtree>();

  constructor(changed: PastLeaf[], nodes: MapNodes) {
    this.#changed = changed;
    this.#nodes = nodes;
  }

  /** Log index of a subject's newest entry then; undefined where it had none. */
  indexOf(key: Uint8Array): number | undefined {
    const changed = this.#changed.find((leaf) => equalBytes(leaf.key, key));
    if (changed === undefined) return this.#nodes.indexOf(key);
    return changed.index < 0 ? undefined : changed.index;
  }

  root(): Uint8Array {
    return hashOfPast(this.#subtree(this.#nodes.root, 0, this.#changed));
  }

  /** The encoded proof for a subject under this past root. */
  prove(key: Uint8Array): Uint8Array {
    const siblings: Uint8Array[] = [];
    let node = this.#nodes.root;
    let changed = this.#changed;
    for (;;) {
      const depth = siblings.length;
      if (node <= 0) break;
      const here = this.#subtree(node, depth, changed);
      if (here === null || 'key' in here) return encodePast(key, siblings, here);
      const bit = bitAt(key, depth);
      const beside = changed.filter((leaf) => bitAt(leaf.key, depth) !== bit);
      siblings.push(hashOfPast(this.#subtree(this.#nodes.child(node, 1 - bit), depth + 1, beside)));
      changed = changed.filter((leaf) => bitAt(leaf.key, depth) === bit);
      node = this.#nodes.child(node, bit);
    }
    return encodePast(key, siblings, this.#subtree(node, siblings.length, changed));
  }

  /** The past of the subtree at `node`; `changed` are the changed leaves below it. */
  #subtree(node: number, depth: number, changed: PastLeaf[]): PastSubtree {
    if (node === 0) return null;
    if (node < 0) {
      const leaf = this.#nodes.leaf(node);
      const value = changed.length === 0 ? leaf.value : (changed[0] as PastLeaf).value;
      return value === null ? null : { key: leaf.key, value };
    }
    if (changed.length === 0) return { hash: this.#nodes.hashOf(node) };
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    const past = this.#changedSubtree(node, depth, changed);
    this.#known.set(node, past);
    return past;
  }

  #changedSubtree(node: number, depth: number, changed: PastLeaf[]): PastSubtree {
    const left = changed.filter((leaf) => bitAt(leaf.key, depth) === 0);
    const right = changed.filter((leaf) => bitAt(leaf.key, depth) === 1);
    const pastLeft = this.#subtree(this.#nodes.child(node, 0), depth + 1, left);
    const pastRight = this.#subtree(this.#nodes.child(node, 1), depth + 1, right);
    if (pastLeft === null && (pastRight === null || 'key' in pastRight)) return pastRight;
    if (pastRight === null && pastLeft !== null && 'key' in pastLeft) return pastLeft;
    return { hash: mapParentHash(hashOfPast(pastLeft), hashOfPast(pastRight)) };
  }
}

function hashOfPast(subtree: PastSubtree): Uint8Array {
  if (subtree === null) return emptySubtree;
  return 'hash' in subtree ? subtree.hash : mapLeafHash(subtree.key, subtree.value);
}

function encodePast(key: Uint8Array, siblings: Uint8Array[], subtree: PastSubtree): Uint8Array {
  const depth = siblings.length;
  if (subtree === null || 'hash' in subtree) {
    return encodeMapProof({ type: mapProofType.nothing, depth, siblings, leaf: null });
  }
  const { value } = subtree;
  if (equalBytes(subtree.key, key)) {
    return encodeMapProof({ type: mapProofType.inclusion, depth, siblings, leaf: { key: null, value } });
  }
  return encodeMapProof({
    type: mapProofType.anotherLeaf,
    depth,
    siblings,
    leaf: { key: subtree.key, value },
  });
}
