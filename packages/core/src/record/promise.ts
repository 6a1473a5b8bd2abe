/**
 * Promises: what the log's key says of changes that are durable and not yet published.
 *
 * One signature covers a batch: the payload names the RFC 9162 root over the leaves of `count`
 * consecutive entries, and each caller gets the path from its own leaf to that root.
 *
 *     {"v":1,"origin","index","count","root","publishBy"}
 */
import { base64, decodeBase64 } from '../encoding/base64.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { asArray, asCount, asString, closedMembers, parseJson, requireVersion1 } from '../encoding/json.ts';
import { parseInstant } from '../encoding/time.ts';
import { IntegrityError, malformed } from '../errors.ts';
import { hashLength } from '../hash.ts';
import { rootOfInclusion } from '../log/merkle.ts';
import type { PublicKey } from '../trust/key.ts';
import { parseEnvelope, payloadTypes, signersOf } from './dsse.ts';

export interface PromiseStatement {
  origin: string;
  /** Log index of the first entry of the batch. */
  index: number;
  /** Entries in the batch. */
  count: number;
  /** Root over their leaf hashes. */
  root: Uint8Array;
  /** Instant by which a published checkpoint covers all of them. */
  publishBy: string;
}

/** A promise for one entry, as a caller keeps it. */
export interface KeptPromise {
  /** DSSE envelope, its exact bytes, base64. */
  envelope: string;
  /** Log index and leaf hash (base64) of the entry. */
  index: number;
  leaf: string;
  /** Siblings in the batch's tree, leaf side first, base64. */
  path: string[];
}

export function encodePromise(statement: PromiseStatement): Uint8Array {
  const { origin, index, count, root, publishBy } = statement;
  return utf8(JSON.stringify({ v: 1, origin, index, count, root: base64(root), publishBy }));
}

export function parsePromise(payload: Uint8Array): PromiseStatement {
  const names = ['v', 'origin', 'index', 'count', 'root', 'publishBy'] as const;
  const json = closedMembers(parseJson(payload), names, 'promise');
  requireVersion1(json.v, 'promise');
  const statement = {
    origin: asString(json.origin, 'promise.origin'),
    index: asCount(json.index, 'promise.index'),
    count: asCount(json.count, 'promise.count'),
    root: decodeBase64(asString(json.root, 'promise.root'), hashLength),
    publishBy: asString(json.publishBy, 'promise.publishBy'),
  };
  parseInstant(statement.publishBy);
  return statement;
}

/**
 * Checks a kept promise against the log's keys and returns what was promised. Throws MALFORMED, or
 * LOG_SIGNATURE_INVALID where the log did not sign it for this entry.
 */
export async function verifyPromise(
  promise: KeptPromise,
  origin: string,
  logKeys: readonly PublicKey[],
): Promise<PromiseStatement> {
  const envelope = parseEnvelope(decodeBase64(promise.envelope), payloadTypes.promise);
  if ((await signersOf(envelope, logKeys)).length === 0) {
    throw new IntegrityError('LOG_SIGNATURE_INVALID', 'promise is not signed by the log');
  }
  const statement = parsePromise(envelope.payload);
  if (statement.origin !== origin)
    throw new IntegrityError('LOG_SIGNATURE_INVALID', 'promise of another log');
  const path = asArray(promise.path, 'promise.path', 63).map((hash) =>
    decodeBase64(asString(hash, 'path'), hashLength),
  );
  const leaf = decodeBase64(promise.leaf, hashLength);
  const root = rootOfInclusion(leaf, promise.index - statement.index, statement.count, path);
  if (!equalBytes(root, statement.root)) throw malformed('promise does not cover this entry');
  return statement;
}
