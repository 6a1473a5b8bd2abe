/**
 * C2SP tlog-cosignature: a cosigner's statement that a checkpoint continues every earlier one it
 * saw, at a time. Ed25519 is note signature type 04, ML-DSA-44 type 06.
 */
import { concatBytes, readU64be, u64be, utf8 } from '../encoding/bytes.ts';
import { malformed } from '../errors.ts';
import { isSignedBy } from '../trust/key.ts';
import type { Checkpoint, SignedCheckpoint } from './checkpoint.ts';
import { type NoteSignature, noteSignatureType, signaturesBy, type VerifierKey } from './note.ts';

const subtreeLabel = utf8('subtree/v1\n\0');

/**
 * What a cosigner signs: for Ed25519 the note text behind a header and the time, for ML-DSA-44 the
 * `cosigned_message` structure, which commits to the cosigner's name. `timestamp` is eight bytes.
 */
export function cosignedMessage(
  cosigner: Pick<VerifierKey, 'name' | 'type'>,
  text: string,
  checkpoint: Checkpoint,
  timestamp: Uint8Array,
): Uint8Array {
  if (cosigner.type === noteSignatureType.ed25519Cosignature) {
    return utf8(`cosignature/v1\ntime ${readU64be(timestamp, 0)}\n${text}`);
  }
  return concatBytes(
    subtreeLabel,
    lengthPrefixed(cosigner.name),
    timestamp,
    lengthPrefixed(checkpoint.origin),
    u64be(0),
    u64be(checkpoint.size),
    checkpoint.root,
  );
}

/** The signature part of a cosigner's note line: `u64be(seconds) || signature`. */
export function encodeTimestampedSignature(seconds: number, signature: Uint8Array): Uint8Array {
  return concatBytes(u64be(seconds), signature);
}

/** What is known of one cosigner's word on a checkpoint. */
export type CosignatureCheck = { is: 'absent' } | { is: 'invalid' } | { is: 'valid'; seconds: number };

/**
 * Checks the lines of one cosigner. Where it signed more than once the newest counts, and one bad
 * line makes all of them invalid. `seconds` is POSIX time; 0 means "no statement about time".
 */
export async function checkCosignature(
  checkpoint: SignedCheckpoint,
  cosigner: VerifierKey,
): Promise<CosignatureCheck> {
  const lines = signaturesBy(checkpoint.note, cosigner);
  if (lines.length === 0) return { is: 'absent' };
  let newest = 0;
  for (const line of lines) {
    const seconds = await verifiedSeconds(checkpoint, cosigner, line);
    if (seconds === undefined) return { is: 'invalid' };
    newest = Math.max(newest, seconds);
  }
  return { is: 'valid', seconds: newest };
}

async function verifiedSeconds(
  checkpoint: SignedCheckpoint,
  cosigner: VerifierKey,
  line: NoteSignature,
): Promise<number | undefined> {
  if (line.signature.length < 8) return undefined;
  const timestamp = line.signature.subarray(0, 8);
  let seconds: number;
  try {
    seconds = readU64be(timestamp, 0);
  } catch {
    return undefined;
  }
  const message = cosignedMessage(cosigner, checkpoint.note.text, checkpoint, timestamp);
  return (await isSignedBy(cosigner, message, line.signature.subarray(8))) ? seconds : undefined;
}

function lengthPrefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length < 1 || bytes.length > 255) throw malformed('name longer than 255 bytes');
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}
