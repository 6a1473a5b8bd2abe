/**
 * An attestation of keys as a file: what the signer says of them, and a license file that proves what the log says.
 *
 *     {"v":1,"attestation":b64,"bundle":b64}
 *
 * The license file is about a license that was never issued: such a one proves namespace and brake alone.
 */
import {
  type Attestation,
  type AttestedKey,
  asString,
  base64,
  closedMembers,
  decodeBase64,
  destroyedSince,
  equalBytes,
  IntegrityError,
  keyFingerprintText,
  noteSignatureType,
  type ProvenBundle,
  type PublicKey,
  parseBundle,
  parseJson,
  parseTlogProof,
  requireVersion1,
  type TrustRoot,
  verifyAttestation,
  verifyBundle,
} from '@tallystick/core';

export interface AttestationFile {
  attestation: Uint8Array;
  bundle: Uint8Array;
}

export interface ProvenAttestation {
  attestation: Attestation;
  proven: ProvenBundle;
}

export function formatAttestationFile({ attestation, bundle }: AttestationFile): string {
  return `${JSON.stringify({ v: 1, attestation: base64(attestation), bundle: base64(bundle) })}\n`;
}

/** Size of the checkpoint that a license file is proven under. */
export function bundleSize(bundle: Uint8Array): number {
  return parseTlogProof(parseBundle(bundle).anchor.proof).checkpoint.size;
}

/**
 * Verifies both parts, and that they tell the same of every key. Throws IntegrityError with the code that says what
 * failed: ALTERED where they differ.
 */
export async function verifyAttestationFile(
  bytes: Uint8Array,
  { pin, namespace }: { pin: readonly TrustRoot[]; namespace: string },
): Promise<ProvenAttestation> {
  const file = parseAttestationFile(bytes);
  const proven = await verifyBundle(file.bundle, { pin, namespace });
  const { origin, vkeys } = proven.trust.log;
  const keys = vkeys
    .filter(({ type }) => type === noteSignatureType.ed25519)
    .map(({ key }): PublicKey => ({ alg: 'ed25519', key }));
  const attestation = await verifyAttestation(file.attestation, { origin, keys });
  checkSameLog(attestation, proven);
  for (const key of attestation.keys) if (key.ns === namespace) checkKey(key, proven);
  return { attestation, proven };
}

function parseAttestationFile(bytes: Uint8Array): AttestationFile {
  const text = bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
  const json = closedMembers(parseJson(text), ['v', 'attestation', 'bundle'], 'attestation file');
  requireVersion1(json.v, 'attestation file');
  return {
    attestation: decodeBase64(asString(json.attestation, 'attestation')),
    bundle: decodeBase64(asString(json.bundle, 'bundle')),
  };
}

function checkSameLog({ size, root }: Attestation, { anchor }: ProvenBundle): void {
  if (size > anchor.size) throw altered('the license file is older than the attestation');
  if (size === anchor.size && !equalBytes(root, anchor.root))
    throw new IntegrityError('FORKED', 'attestation and license file are of two histories of the log');
}

function checkKey(
  { publicKey, usages, destroyed, place }: AttestedKey,
  { namespace, brake }: ProvenBundle,
): void {
  const id = keyFingerprintText(publicKey);
  const stated = destroyedSince(brake, id);
  if ((destroyed ?? Number.POSITIVE_INFINITY) !== stated)
    throw altered(`the log says something else about the destruction of key ${id}`);
  if (destroyed !== null && place !== null) throw altered(`key ${id} is called destroyed, and held`);
  const listed = namespace.keys.find((key) => key.id === id);
  if (listed !== undefined && listed.usages.join() !== usages.join())
    throw altered(`the namespace lists key ${id} for something else`);
}

function altered(message: string): IntegrityError {
  return new IntegrityError('ALTERED', message);
}
