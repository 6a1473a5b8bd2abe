/** Signatures of several people put together: who has signed, who is missing, and the finished envelope. */
import {
  encodeEnvelope,
  type KeyThreshold,
  keyFingerprintText,
  keyIdOf,
  type PublicKey,
  type TrustRoot,
} from '@tallystick/core';
import { type Proposal, payloadTypeOf } from './proposal.ts';
import { checkSignature, type ProposalSignature } from './signature-file.ts';

export interface SignatureFile {
  path: string;
  signature: ProposalSignature;
}

/** How far one of the two thresholds is. */
export interface ThresholdProgress {
  version: number;
  threshold: number;
  signed: PublicKey[];
  missing: PublicKey[];
  met: boolean;
}

/** The root keys of both versions, each once: all whose signature can count. */
export function rootKeysOf(current: TrustRoot, next: TrustRoot): PublicKey[] {
  const keys = new Map(
    [...current.root.keys, ...next.root.keys].map((key) => [keyFingerprintText(key), key]),
  );
  return [...keys.values()];
}

/** The current version's threshold, and the next one's own. A key counts once, however often it signed. */
export function progressOf(
  current: TrustRoot,
  next: TrustRoot,
  signers: readonly PublicKey[],
): [ThresholdProgress, ThresholdProgress] {
  const ids = new Set(signers.map(keyFingerprintText));
  const progress = (version: number, { threshold, keys }: KeyThreshold): ThresholdProgress => {
    const signed = keys.filter((key) => ids.has(keyFingerprintText(key)));
    const missing = keys.filter((key) => !ids.has(keyFingerprintText(key)));
    return { version, threshold, signed, missing, met: signed.length >= threshold };
  };
  return [progress(current.version, current.root), progress(next.version, next.root)];
}

/**
 * Checks every signature and puts them into one envelope, in the order of the keys and not of the files, so that it
 * does not matter who signed first. Throws for any signature that does not count.
 */
export async function collect(
  current: TrustRoot,
  next: TrustRoot,
  proposal: Proposal,
  files: readonly SignatureFile[],
): Promise<{ envelope: Uint8Array; progress: [ThresholdProgress, ThresholdProgress] }> {
  const keys = rootKeysOf(current, next);
  const sigs = new Map<string, Uint8Array>();
  for (const { path, signature } of files) {
    await checkSignature(proposal, signature, keys, path);
    sigs.set(keyFingerprintText(signature.key), signature.sig);
  }
  const signers = keys.filter((key) => sigs.has(keyFingerprintText(key)));
  const signatures = signers.map((key) => ({
    keyid: keyIdOf(key),
    sig: sigs.get(keyFingerprintText(key)) ?? new Uint8Array(),
  }));
  const { payload } = proposal;
  return {
    envelope: encodeEnvelope({ payload, payloadType: payloadTypeOf(proposal), signatures }),
    progress: progressOf(current, next, signers),
  };
}
