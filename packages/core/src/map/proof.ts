/**
 * Proofs of the map: which entry is the newest of a subject, or that it never had one.
 *
 *     u8 type || u8 depth || bitmap[ceil(depth/8)] || siblings, root side first || by type:
 *     1 inclusion: V (32)        2 nothing there        3 another leaf there: K' (32) || V' (32)
 *
 * The tree is binary over the bits of K, most significant first; a leaf sits at the shortest depth
 * that makes it alone. `leaf = H(02 || K || V)`, `parent = H(03 || left || right)`, and an empty
 * subtree is 32 zero bytes: its sibling is left out of the proof and its bit in the bitmap is clear.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength, sha256, sha256Into } from '../hash.ts';

export const mapProofType = { inclusion: 1, nothing: 2, anotherLeaf: 3 } as const;

export const emptySubtree: Uint8Array = new Uint8Array(hashLength);

export interface MapProof {
  type: 1 | 2 | 3;
  depth: number;
  /** One per level, root side first; an empty subtree is 32 zero bytes. */
  siblings: Uint8Array[];
  /** K and V of the leaf at the end of the path; for type 1 K is the subject's own. */
  leaf: { key: Uint8Array | null; value: Uint8Array } | null;
}

const scratch = new Uint8Array(1 + 2 * hashLength);
/** Where a path is climbed. */
const climbed = new Uint8Array(1 + 2 * hashLength).subarray(0, hashLength);

/** `H(02 || K || V)` */
export function mapLeafHash(key: Uint8Array, value: Uint8Array): Uint8Array {
  scratch[0] = 2;
  scratch.set(key, 1);
  scratch.set(value, 1 + hashLength);
  return sha256(scratch);
}

/** `H(03 || left || right)` */
export function mapParentHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  scratch[0] = 3;
  scratch.set(left, 1);
  scratch.set(right, 1 + hashLength);
  return sha256(scratch);
}

/** Bit `depth` of a key, most significant first. */
export function bitAt(key: Uint8Array, depth: number): 0 | 1 {
  return (((key[depth >> 3] as number) >> (7 - (depth & 7))) & 1) as 0 | 1;
}

export function encodeMapProof(proof: MapProof): Uint8Array {
  const bitmapLength = (proof.depth + 7) >> 3;
  const present = proof.siblings.filter((sibling) => !equalBytes(sibling, emptySubtree));
  const leafParts =
    proof.leaf === null ? [] : [...(proof.leaf.key === null ? [] : [proof.leaf.key]), proof.leaf.value];
  const bytes = new Uint8Array(2 + bitmapLength + hashLength * (present.length + leafParts.length));
  bytes[0] = proof.type;
  bytes[1] = proof.depth;
  proof.siblings.forEach((sibling, depth) => {
    if (!equalBytes(sibling, emptySubtree)) {
      const at = 2 + (depth >> 3);
      bytes[at] = (bytes[at] as number) | (128 >> (depth & 7));
    }
  });
  let at = 2 + bitmapLength;
  for (const hash of [...present, ...leafParts]) {
    bytes.set(hash, at);
    at += hashLength;
  }
  return bytes;
}

/** Parses a proof strictly: nothing that `encodeMapProof` would not write. Throws MALFORMED. */
export function parseMapProof(bytes: Uint8Array): MapProof {
  const [type, depth] = bytes;
  if (depth === undefined || (type !== 1 && type !== 2 && type !== 3))
    throw malformed('map proof: unknown type');
  const bitmapLength = (depth + 7) >> 3;
  if (bytes.length < 2 + bitmapLength) throw malformed('map proof: cut short');
  const bitmap = bytes.subarray(2, 2 + bitmapLength);
  const unused = bitmapLength * 8 - depth;
  if (unused > 0 && ((bitmap[bitmapLength - 1] as number) & (2 ** unused - 1)) !== 0) {
    throw malformed('map proof: unused bitmap bits');
  }
  let at = 2 + bitmapLength;
  const take = (): Uint8Array => {
    if (at + hashLength > bytes.length) throw malformed('map proof: cut short');
    at += hashLength;
    return bytes.subarray(at - hashLength, at);
  };
  const siblings: Uint8Array[] = [];
  for (let level = 0; level < depth; level++) {
    const sibling = bitAt(bitmap, level) === 1 ? take() : null;
    if (sibling !== null && equalBytes(sibling, emptySubtree))
      throw malformed('map proof: empty sibling sent');
    siblings.push(sibling ?? emptySubtree);
  }
  if (depth > 0 && siblings[depth - 1] === emptySubtree) throw malformed('map proof: last sibling is empty');
  const leaf = parseLeaf(type, take);
  if (at !== bytes.length) throw malformed('map proof: trailing bytes');
  return { type, depth, siblings, leaf };
}

function parseLeaf(type: 1 | 2 | 3, take: () => Uint8Array): MapProof['leaf'] {
  if (type === mapProofType.nothing) return null;
  if (type === mapProofType.inclusion) return { key: null, value: take() };
  return { key: take(), value: take() };
}

/**
 * Checks that under `root` the subject `key` has exactly the value `value`, or none where `value` is
 * null. Throws NOT_CURRENT otherwise.
 */
export function verifyMapProof(
  bytes: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | null,
  root: Uint8Array,
): void {
  const proof = parseOrNotCurrent(bytes);
  if ((proof.type === mapProofType.inclusion) !== (value !== null)) {
    throw notCurrent(
      value === null ? 'map holds an entry for the subject' : 'map holds no entry for the subject',
    );
  }
  if (value !== null && !equalBytes(proof.leaf?.value ?? emptySubtree, value)) {
    throw notCurrent("the map's newest entry of the subject is another one");
  }
  const other = proof.type === mapProofType.anotherLeaf ? (proof.leaf?.key ?? key) : key;
  if (proof.type === mapProofType.anotherLeaf && !isNeighbor(key, other, proof.depth)) {
    throw notCurrent('map proof: the other leaf is not in the way');
  }
  const hash = climbed;
  hash.set(proof.leaf === null ? emptySubtree : mapLeafHash(other, proof.leaf.value));
  scratch[0] = 3;
  for (let depth = proof.depth - 1; depth >= 0; depth--) {
    const isLeft = bitAt(key, depth) === 0;
    scratch.set(hash, isLeft ? 1 : 1 + hashLength);
    scratch.set(proof.siblings[depth] as Uint8Array, isLeft ? 1 + hashLength : 1);
    sha256Into(scratch, hash, 0);
  }
  if (!equalBytes(hash, root)) throw notCurrent('map proof leads to another root');
}

/** Another key with the same first `depth` bits. */
function isNeighbor(key: Uint8Array, other: Uint8Array, depth: number): boolean {
  if (equalBytes(key, other)) return false;
  for (let at = 0; at < depth; at++) if (bitAt(key, at) !== bitAt(other, at)) return false;
  return true;
}

function parseOrNotCurrent(bytes: Uint8Array): MapProof {
  try {
    return parseMapProof(bytes);
  } catch (error) {
    throw new IntegrityError('NOT_CURRENT', error instanceof Error ? error.message : 'map proof', {
      cause: error,
    });
  }
}

function notCurrent(message: string): IntegrityError {
  return new IntegrityError('NOT_CURRENT', message);
}
