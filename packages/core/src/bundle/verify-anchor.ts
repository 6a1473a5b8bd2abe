/** The anchor of a bundle: the checkpoint that everything in it is proven under. */
import { utf8 } from '../encoding/bytes.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError } from '../errors.ts';
import { verifyLogSignatures } from '../log/checkpoint.ts';
import { leafHash, verifyInclusion } from '../log/merkle.ts';
import { verifyQuorum } from '../log/policy.ts';
import type { TlogProof } from '../log/tlog-proof.ts';
import type { MapRootEntry } from '../map/map-root.ts';
import type { TrustRoot } from '../trust/trust-root.ts';
import type { SeenAnchor } from './remembered.ts';

/** The map root is the last leaf of a checkpoint that the log and a quorum signed. */
export async function verifyAnchor(
  entry: string,
  mapRoot: MapRootEntry,
  proof: TlogProof,
  trust: TrustRoot,
): Promise<SeenAnchor> {
  const { checkpoint } = proof;
  if (checkpoint.origin !== trust.log.origin) {
    throw new IntegrityError('LOG_SIGNATURE_INVALID', 'checkpoint of another log');
  }
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  const asOf = await verifyQuorum(checkpoint, trust.quorum);
  if (proof.index !== checkpoint.size - 1 || mapRoot.index !== proof.index) {
    throw new IntegrityError('NOT_LOGGED', 'the map root is not the last entry under the checkpoint');
  }
  const leaf = leafHash(utf8(entry));
  verifyInclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root);
  if (asOf * 1000 > parseInstant(trust.expires)) {
    throw new IntegrityError('TRUST_OUTDATED', `trust root ${trust.version} had expired`);
  }
  return { size: checkpoint.size, root: checkpoint.root, asOf };
}
