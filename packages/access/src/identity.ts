/**
 * Whose an access log is. Its first leaf is an attestation by the keys of the log that it belongs to, and by the key that
 * signs it: so whoever has the trust root of that log needs nothing else, and a second identity is a second history.
 */
import {
  IntegrityError,
  logVerifierKey,
  type TrustRoot,
  type VerifierKey,
  verifyAttestation,
} from '@tallystick/core';

/** What a key is for that signs the access log. */
export const accessUsage = 'access' as const;

/** The name of the access log of a log; `suffix` tells several of them apart. */
export function accessOrigin(origin: string, suffix: string | null = null): string {
  return suffix === null ? `${origin}/access` : `${origin}/access/${suffix}`;
}

/** True where a log of this name may be the access log of `origin`. */
export function isAccessOrigin(origin: string, name: string): boolean {
  const base = accessOrigin(origin);
  return name === base || name.startsWith(`${base}/`);
}

/**
 * The keys that an access log's checkpoints are signed with, of its first leaf. Throws LOG_SIGNATURE_INVALID or
 * KEY_NOT_VALID where the log that it belongs to does not say so.
 *
 * @param name of the access log
 */
export async function accessVerifierKeys(
  identity: Uint8Array,
  { log }: Pick<TrustRoot, 'log'>,
  name: string,
): Promise<VerifierKey[]> {
  if (!isAccessOrigin(log.origin, name))
    throw new IntegrityError('LOG_SIGNATURE_INVALID', `${name} is no access log of ${log.origin}`);
  const { keys } = await verifyAttestation(identity, { origin: log.origin, keys: log.vkeys });
  const held = keys.filter(({ usages, ns, place }) => place !== null && ns === null && isAccess(usages));
  if (held.length === 0)
    throw new IntegrityError('KEY_NOT_VALID', 'the first leaf names no key of an access log');
  return held.map(({ publicKey }) => logVerifierKey(name, publicKey));
}

function isAccess(usages: readonly string[]): boolean {
  return usages.length === 1 && usages[0] === accessUsage;
}
