/**
 * One person's signature on a proposal, in a file of its own:
 *
 *     {"kind":"tallystick-trust-root-signature","v":1,"rehearsal":…,"version":N,"payloadHash":hex,
 *      "key":{"alg","key"},"sig":b64}
 *
 * indented by two spaces. The hash says at once which proposal it is for; the signature proves it.
 */
import {
  base64,
  decodeBase64,
  isSignedBy,
  keyFingerprintText,
  keyIdOf,
  type PublicKey,
  parsePublicKey,
  preAuthEncoding,
  publicKeyJson,
} from '@tallystick/core';
import { type Proposal, payloadHash, payloadTypeOf } from './proposal.ts';
import { altered, refusal } from './refusal.ts';

export interface ProposalSignature {
  rehearsal: boolean;
  version: number;
  /** As `payloadHash` has it. */
  payloadHash: string;
  key: PublicKey;
  sig: Uint8Array;
}

const kind = 'tallystick-trust-root-signature';

/** The bytes that people sign: DSSE's, under the payload type of the proposal. */
export function messageOfProposal(proposal: Proposal): Uint8Array {
  return preAuthEncoding(payloadTypeOf(proposal), proposal.payload);
}

export function formatSignature({
  rehearsal,
  version,
  payloadHash: hash,
  key,
  sig,
}: ProposalSignature): string {
  const json = {
    kind,
    v: 1,
    rehearsal,
    version,
    payloadHash: hash,
    key: publicKeyJson(key),
    sig: base64(sig),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** Throws an integrity error for a file that is not exactly what `formatSignature` writes. `path` is for messages. */
export function parseSignature(text: string, path: string): ProposalSignature {
  try {
    const json = JSON.parse(text) as Record<'version' | 'payloadHash' | 'sig', unknown> & {
      rehearsal: unknown;
      key: { alg: string; key: string };
    };
    const signature = {
      rehearsal: json.rehearsal === true,
      version: Number(json.version),
      payloadHash: String(json.payloadHash),
      key: parsePublicKey(json.key, 'key'),
      sig: decodeBase64(String(json.sig)),
    };
    if (formatSignature(signature) === text) return signature;
  } catch {
    // A weak key or text that is no JSON makes it no more of a signature than one that was edited.
  }
  throw altered(
    `${path} is not a signature as tally root sign writes it.`,
    'Leave it out, and ask whoever signed for the file again.',
  );
}

/**
 * Checks that a signature is for exactly this proposal, by one of `keys`, and holds. Throws a refusal, or an integrity
 * error for a proposal that changed after it was signed and for a signature that does not hold.
 */
export async function checkSignature(
  proposal: Proposal,
  signature: ProposalSignature,
  keys: readonly PublicKey[],
  path: string,
): Promise<void> {
  const again = 'Leave it out, and ask whoever signed to review and sign this proposal.';
  if (signature.rehearsal !== proposal.rehearsal) {
    const what = signature.rehearsal
      ? `${path} is from a rehearsal: it signs nothing that counts.`
      : `${path} signs a real proposal, and this is a rehearsal.`;
    throw refusal(what, again);
  }
  if (signature.payloadHash !== payloadHash(proposal)) {
    throw altered(
      `${path} signs another proposal (payload hash ${signature.payloadHash}) than this one (${payloadHash(proposal)}).`,
      'Find out which of them everybody reviewed: one was changed after it was signed.',
    );
  }
  const name = keyFingerprintText(signature.key);
  if (!keys.some((key) => keyFingerprintText(key) === name)) {
    throw refusal(
      `${path} is by the key ${keyIdOf(signature.key)}, which is a root key in neither the current version nor the next.`,
      'Leave it out, and ask how it came here.',
    );
  }
  if (!(await isSignedBy(signature.key, messageOfProposal(proposal), signature.sig)))
    throw altered(`The signature in ${path} does not hold.`, again);
}
