/** Proves a segment of records to somebody who has a trust root, and nothing of the access log. */
import {
  LogTree,
  leafHash,
  parseSignedCheckpoint,
  type TrustRoot,
  utf8,
  verifyInclusion,
  verifyLogSignatures,
  verifyQuorum,
  witnessPolicy,
} from '@tallystick/core';
import { AccessLogError } from './errors.ts';
import { accessVerifierKeys } from './identity.ts';
import { type AccessRecord, parseAccessRecord } from './record.ts';
import { openSegment, parseLeaf } from './segment.ts';
import { checked, type SegmentReader, type StoredSegment } from './segment-store.ts';

/** A segment with all its records, and the way from its leaf to a cosigned checkpoint. */
export interface SegmentProof extends StoredSegment {
  index: number;
  leaf: Uint8Array;
  path: Uint8Array[];
  /** Leaf 0, which says whose log it is. */
  identity: Uint8Array;
  identityPath: Uint8Array[];
  /** The signed and cosigned note. */
  checkpoint: string;
}

export interface ProvenSegment {
  /** Name of the access log. */
  origin: string;
  /** Number of the first record. */
  first: number;
  records: AccessRecord[];
  /** When witnesses had seen it. POSIX seconds. */
  asOf: number;
}

/** Throws AccessLogError where no kept checkpoint covers the leaf yet, or something does not fit. */
export function proveSegment(reader: SegmentReader, index: number): SegmentProof {
  const [identity, leaf] = [reader.leaf(0), reader.leaf(index)];
  const [segment, saved] = [reader.segment(index), reader.checkpoint()];
  if (identity === undefined || leaf === undefined || segment === undefined)
    throw new AccessLogError('segment', `there is no segment ${index}`);
  if (saved === undefined || saved.size <= index)
    throw new AccessLogError('checkpoint', `no checkpoint covers leaf ${index} yet: ask again in a second`);
  checked('segment', `segment ${index}`, () => openSegment(parseLeaf(leaf), segment.salt, segment.bytes));
  const tree = new LogTree();
  for (const each of reader.leaves()) {
    if (each.index >= saved.size) break;
    tree.append(leafHash(each.leaf));
  }
  const path = tree.inclusionProof(index, saved.size);
  const identityPath = tree.inclusionProof(0, saved.size);
  return { ...segment, index, leaf, path, identity, identityPath, checkpoint: saved.note };
}

/**
 * The records of a segment that a trust root proves: the log's key names the key of the access log, that key and a quorum of
 * witnesses signed the checkpoint, and the segment is under it. Throws IntegrityError.
 */
export async function verifySegmentProof(proof: SegmentProof, trust: TrustRoot): Promise<ProvenSegment> {
  const checkpoint = parseSignedCheckpoint(utf8(proof.checkpoint));
  const { origin, size, root } = checkpoint;
  const vkeys = await accessVerifierKeys(proof.identity, trust, origin);
  await verifyLogSignatures(checkpoint, vkeys);
  const asOf = await verifyQuorum(checkpoint, witnessPolicy(trust.quorum));
  verifyInclusion(leafHash(proof.identity), 0, size, proof.identityPath, root);
  verifyInclusion(leafHash(proof.leaf), proof.index, size, proof.path, root);
  const leaf = parseLeaf(proof.leaf);
  const records = openSegment(leaf, proof.salt, proof.bytes).map(parseAccessRecord);
  return { origin, first: leaf.first, records, asOf };
}
