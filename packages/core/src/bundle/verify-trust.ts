/** The steps from a pinned trust root to the version that governs a bundle's anchor. */
import { equalBytes } from '../encoding/bytes.ts';
import { failingAs, IntegrityError } from '../errors.ts';
import { verifyLogSignatures } from '../log/checkpoint.ts';
import { leafHash, verifyInclusion } from '../log/merkle.ts';
import { verifyQuorum } from '../log/policy.ts';
import { parseTlogProof, type TlogProof } from '../log/tlog-proof.ts';
import type { MapRootEntry } from '../map/map-root.ts';
import { parseTrustRoot, type TrustRoot, verifyTrustStep } from '../trust/trust-root.ts';
import type { TrustStep } from './bundle.ts';

/** Walks from the pinned trust root to the version that governs the anchor. */
export async function verifyTrust(
  steps: TrustStep[],
  mapRoot: MapRootEntry,
  anchor: TlogProof,
  pin: readonly TrustRoot[],
): Promise<TrustRoot> {
  const chain = [...pin];
  const leaves: { version: number; index: number }[] = [];
  for (const step of steps) {
    const { next, proof } = parseStep(step);
    const known = pin.find((trust) => equalBytes(trust.hash, next.hash));
    if (known === undefined) {
      const current = chain.at(-1);
      if (current === undefined) throw new IntegrityError('TRUST_INVALID', 'no trust root is pinned');
      await verifyStep(step, next, proof, current);
      chain.push(next);
      leaves.push({ version: next.version, index: proof.index });
    }
  }
  const governing = chain.find((trust) => equalBytes(trust.hash, mapRoot.trust));
  if (governing === undefined) {
    throw new IntegrityError('TRUST_OUTDATED', 'the log is governed by a trust root that is not known here');
  }
  const misplaced = leaves.find(
    (leaf) => leaf.index < anchor.checkpoint.size !== leaf.version <= governing.version,
  );
  if (misplaced !== undefined) {
    throw new IntegrityError(
      'TRUST_INVALID',
      `trust root ${misplaced.version} governs from another place in the log`,
    );
  }
  return governing;
}

function parseStep(step: TrustStep): { next: TrustRoot; proof: TlogProof } {
  return failingAs('TRUST_INVALID', 'trust step', () => ({
    next: parseTrustRoot(step.envelope),
    proof: parseTlogProof(step.proof),
  }));
}

/** A new version must be logged under keys and quorum of the version before it, in the same log. */
async function verifyStep(
  step: TrustStep,
  next: TrustRoot,
  proof: TlogProof,
  current: TrustRoot,
): Promise<void> {
  await verifyTrustStep(current, next, proof.index);
  if (proof.checkpoint.origin !== current.log.origin || next.log.origin !== current.log.origin) {
    throw new IntegrityError('TRUST_INVALID', 'the origin of the log changes with new pins only');
  }
  await verifyLogSignatures(proof.checkpoint, current.log.vkeys);
  await verifyQuorum(proof.checkpoint, current.quorum);
  const { size, root } = proof.checkpoint;
  verifyInclusion(leafHash(step.envelope), proof.index, size, proof.path, root);
}
