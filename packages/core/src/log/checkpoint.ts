/**
 * C2SP tlog-checkpoint without extension lines, and the signature of the log on it.
 *
 *     origin
 *     size
 *     base64 root
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { equalBytes, parseDecimal, utf8 } from '../encoding/bytes.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { isSignedBy } from '../trust/key.ts';
import { cosignedMessage } from './cosignature.ts';
import { emptyRoot } from './merkle.ts';
import {
  isKeyName,
  type Note,
  noteSignatureType,
  parseNote,
  signaturesBy,
  type VerifierKey,
} from './note.ts';

/** A tree head: what a log says of itself. */
export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
}

/** A checkpoint with the note that carries it. */
export interface SignedCheckpoint extends Checkpoint {
  note: Note;
}

/** The note text, with its final line feed. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${base64(checkpoint.root)}\n`;
}

/** Parses the text of a note; throws MALFORMED for anything that `formatCheckpoint` would not write. */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin, size, root, end, ...extensions] = text.split('\n');
  if (origin === undefined || size === undefined || root === undefined || end !== '') {
    throw malformed('checkpoint of fewer than three lines');
  }
  if (extensions.length > 0) throw malformed('checkpoint with extension lines');
  if (!isKeyName(origin)) throw malformed('checkpoint origin has spaces, a plus or nothing in it');
  const checkpoint = { origin, size: parseDecimal(size), root: decodeBase64(root, hashLength) };
  if (checkpoint.size === 0 && !equalBytes(checkpoint.root, emptyRoot)) {
    throw malformed('checkpoint of an empty log with another root');
  }
  return checkpoint;
}

export function parseSignedCheckpoint(bytes: Uint8Array): SignedCheckpoint {
  return checkpointOf(parseNote(bytes));
}

/** Parses the text of a note that carries a checkpoint; throws MALFORMED. */
export function checkpointOf(note: Note): SignedCheckpoint {
  return { ...parseCheckpointText(note.text), note };
}

/**
 * Every key that the log is known by must have signed; throws LOG_SIGNATURE_INVALID otherwise. A
 * known key with a bad signature rejects the whole note, also beside a good one.
 */
export async function verifyLogSignatures(
  checkpoint: SignedCheckpoint,
  vkeys: readonly VerifierKey[],
): Promise<void> {
  for (const vkey of vkeys) {
    const lines = signaturesBy(checkpoint.note, vkey);
    if (lines.length === 0 || vkey.name !== checkpoint.origin) {
      throw new IntegrityError('LOG_SIGNATURE_INVALID', `checkpoint is not signed by ${vkey.name}`);
    }
    for (const line of lines) {
      if (!(await isLogSignature(checkpoint, vkey, line.signature))) {
        throw new IntegrityError('LOG_SIGNATURE_INVALID', `signature of ${vkey.name} is wrong`);
      }
    }
  }
}

function isLogSignature(
  checkpoint: SignedCheckpoint,
  vkey: VerifierKey,
  signature: Uint8Array,
): boolean | Promise<boolean> {
  if (vkey.type === noteSignatureType.ed25519) {
    return isSignedBy(vkey, utf8(checkpoint.note.text), signature);
  }
  if (vkey.type !== noteSignatureType.mlDsa44Cosignature || signature.length < 8) return false;
  const message = cosignedMessage(vkey, checkpoint.note.text, checkpoint, signature.subarray(0, 8));
  return isSignedBy(vkey, message, signature.subarray(8));
}
