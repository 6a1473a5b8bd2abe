/**
 * The body of tlog-witness' `add-checkpoint`:
 *
 *     old <size>
 *     base64 hash of the consistency proof, one a line, at most 63
 *     (blank line)
 *     checkpoint with its signatures
 */
import {
  decodeBase64,
  decodeUtf8,
  hashLength,
  IntegrityError,
  parseDecimal,
  parseSignedCheckpoint,
  type SignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { Refusal } from '../errors.ts';

export interface AddCheckpointRequest {
  /** Size of the checkpoint that the proof starts from. */
  oldSize: number;
  proof: Uint8Array[];
  checkpoint: SignedCheckpoint;
}

export const bodyLengthMax: number = 64 * 1024;
const proofLinesMax = 63;

/** Throws Refusal 400 for anything malformed. */
export function parseAddCheckpointRequest(body: Uint8Array): AddCheckpointRequest {
  let request: AddCheckpointRequest;
  try {
    request = parseRequest(decodeUtf8(body));
  } catch (error) {
    if (error instanceof IntegrityError) throw new Refusal(400, error.message, { cause: error });
    throw error;
  }
  return request;
}

function parseRequest(text: string): AddCheckpointRequest {
  // A proof has no blank line, so the first one ends it; the note looks for its own, the last one.
  const split = text.indexOf('\n\n');
  if (split < 0) throw new Refusal(400, 'no blank line before the checkpoint');
  const [first = '', ...hashes] = text.slice(0, split).split('\n');
  if (!first.startsWith('old ')) throw new Refusal(400, 'the first line is not an old size');
  if (hashes.length > proofLinesMax) throw new Refusal(400, `more than ${proofLinesMax} proof lines`);
  return {
    oldSize: parseDecimal(first.slice('old '.length)),
    proof: hashes.map((hash) => decodeBase64(hash, hashLength)),
    checkpoint: parseSignedCheckpoint(utf8(text.slice(split + 2))),
  };
}
