/**
 * C2SP tlog-proof: an entry's inclusion under a checkpoint, as one text that any verifier of the
 * format can check. Extra data is refused: nothing here may travel unauthenticated.
 *
 *     c2sp.org/tlog-proof@v1
 *     index <n>
 *     base64 sibling, leaf side first, one a line
 *     (blank line)
 *     checkpoint with its signatures
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { parseDecimal } from '../encoding/bytes.ts';
import { malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { checkpointOf, type SignedCheckpoint } from './checkpoint.ts';
import { parseNoteText } from './note.ts';

export interface TlogProof {
  index: number;
  path: Uint8Array[];
  checkpoint: SignedCheckpoint;
}

const header = 'c2sp.org/tlog-proof@v1';
const pathLengthMax = 63;

/** `checkpoint` is the whole signed note. */
export function formatTlogProof(index: number, path: readonly Uint8Array[], checkpoint: string): string {
  return `${header}\nindex ${index}\n${path.map((hash) => `${base64(hash)}\n`).join('')}\n${checkpoint}`;
}

/** Throws MALFORMED for anything that `formatTlogProof` would not write. */
export function parseTlogProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  if (split < 0) throw malformed('tlog-proof without a checkpoint');
  const [first, indexLine, ...hashes] = text.slice(0, split).split('\n');
  if (first !== header) throw malformed('not a tlog-proof');
  if (indexLine?.startsWith('index ') !== true) throw malformed('tlog-proof without an index');
  if (hashes.length > pathLengthMax) throw malformed('tlog-proof too long');
  return {
    index: parseDecimal(indexLine.slice('index '.length)),
    path: hashes.map((hash) => decodeBase64(hash, hashLength)),
    checkpoint: checkpointOf(parseNoteText(text.slice(split + 2).toWellFormed())),
  };
}
