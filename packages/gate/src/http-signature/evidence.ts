/**
 * Reads a signed request again, years later and elsewhere: who asked for exactly what. It needs the credential's public
 * key, which is in the log, and believes nothing else.
 */
import { decodeBase64, isSignedBy, type PublicKey, utf8 } from '@tallystick/core';
import { type InnerList, parseList, serializeInnerList } from 'structured-headers';
import type { SignedRequest } from '../caller.ts';
import { isDigestOf } from './content-digest.ts';
import { signatureTag, systemHeader } from './profile.ts';

/** What the signer's key stands for. */
export interface SignedStatement {
  /** The base64 of the genesis of the system that it was for. */
  system: string;
  method: string;
  authority: string;
  path: string;
  /** `?` for none. */
  query: string;
  /** null for a request without a body. */
  contentDigest: string | null;
  idempotencyKey: string | null;
  /** As it was sent: percent-encoded. */
  reason: string | null;
  /** Seconds since 1970. */
  created: number;
  expires: number;
  nonce: string;
  /** null for none. */
  body: Uint8Array | null;
}

const paramsPrefix = '"@signature-params": ';

/**
 * What the request says, its body included; null where it is not signed by this key, is none, or has another body than the
 * one that was signed for.
 */
export async function readEvidence(signed: SignedRequest, key: PublicKey): Promise<SignedStatement | null> {
  const { base, alg } = signed;
  const [signature, body] = [bytesOf(signed.signature), signed.body === null ? null : bytesOf(signed.body)];
  if (alg !== key.alg || signature === null || (body === null && signed.body !== null)) return null;
  if (!(await isSignedBy(key, utf8(base), signature))) return null;
  const lines = base.split('\n');
  const last = lines.pop() ?? '';
  if (!last.startsWith(paramsPrefix)) return null;
  const named = lines.map(readLine);
  const components = new Map(named);
  if (components.size !== named.length) return null;
  const parameters = parametersOf(last.slice(paramsPrefix.length), [...components.keys()]);
  const text = (name: string): string | null => components.get(name) ?? null;
  const [method, authority, path, query] = ['@method', '@authority', '@path', '@query'].map(text);
  const system = text(systemHeader);
  const { created, expires, nonce, keyid, tag } = Object.fromEntries(parameters ?? []);
  if (tag !== signatureTag || keyid !== signed.keyid) return null;
  if (method == null || authority == null || path == null || query == null || system === null) return null;
  if (typeof created !== 'number' || typeof expires !== 'number' || typeof nonce !== 'string') return null;
  const contentDigest = text('content-digest');
  const isWhole =
    contentDigest === null ? body === null : isDigestOf(contentDigest, body ?? new Uint8Array());
  if (!isWhole) return null;
  return {
    system,
    method,
    authority,
    path,
    query,
    contentDigest,
    idempotencyKey: text('idempotency-key'),
    reason: text('tally-reason'),
    created,
    expires,
    nonce,
    body,
  };
}

function bytesOf(text: string): Uint8Array | null {
  try {
    return decodeBase64(text);
  } catch {
    // The text of an attacker, or of a damaged file, is no signature and no body.
    return null;
  }
}

function readLine(line: string): [string, string] {
  const at = line.indexOf('": ');
  return [line.slice(1, Math.max(1, at)), at < 0 ? '' : line.slice(at + 3)];
}

/** The parameters, if the list names the components that the base has, in that order, and is written as it must be. */
function parametersOf(text: string, names: string[]): InnerList[1] | null {
  let items: ReturnType<typeof parseList>;
  try {
    items = parseList(text);
  } catch {
    // A base that cannot be read says nothing, whoever signed it.
    return null;
  }
  const list = items[0];
  if (items.length !== 1 || list === undefined || !Array.isArray(list[0])) return null;
  const inner = list as InnerList;
  const isSame = inner[0].length === names.length && inner[0].every(([name], at) => name === names[at]);
  return isSame && serializeInnerList(inner) === text ? inner[1] : null;
}
