import type { SignedCommand, SignedRevisionParts } from '../signed-commands.ts';
import { closed, listOf, oneOf, optional, plainObject, type Reader, readAll } from './reader.ts';
import { longText } from './scalars.ts';

/** Readers of what is signed elsewhere. Whoever puts it into the log reads what the bytes say. */

const VERSIONS_MAX = 64;
/** What a document may hold at most, of which a request for approval is one. */
const BYTES_TEXT_MAX = 262_144;

const bytes = longText(1, BYTES_TEXT_MAX);
const revision: { [K in keyof SignedRevisionParts]: Reader<SignedRevisionParts[K]> } = {
  entry: bytes,
  document: bytes,
  cause: closed<SignedRevisionParts['cause']>({ salt: bytes, document: bytes }),
};

const readSigned: Reader<SignedCommand> = (value) =>
  plainObject(value)['type'] === 'trust.publish'
    ? closed<Extract<SignedCommand, { type: 'trust.publish' }>>({
        type: oneOf('trust.publish'),
        envelopes: listOf(bytes, VERSIONS_MAX),
        namespace: optional(closed<SignedRevisionParts>(revision)),
      })(value)
    : closed<Extract<SignedCommand, { type: 'namespace.revise' }>>({
        type: oneOf('namespace.revise'),
        ...revision,
      })(value);

/** Reads a value as what was signed elsewhere; throws ModelError (malformed) with the path of the first problem. */
export function parseSignedCommand(value: unknown): SignedCommand {
  return readAll(readSigned, value);
}
