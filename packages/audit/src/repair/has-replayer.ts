import { cosignatureTimes, isQuorum, type Policy, type SignedCheckpoint } from '@tallystick/core';

/**
 * Whether one of the replayers of a policy has signed a checkpoint, with all of its keys. Throws QUORUM_UNMET where a
 * known cosigner's signature is wrong.
 */
export async function hasReplayer(checkpoint: SignedCheckpoint, policy: Policy): Promise<boolean> {
  const present = new Set((await cosignatureTimes(checkpoint, policy)).keys());
  const replayers = policy.groups.find(({ name }) => name === 'replayers')?.members ?? [];
  return replayers.some((name) => isQuorum({ ...policy, quorum: name }, present));
}
