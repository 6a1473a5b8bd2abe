/**
 * Reads a signed request again, years later and elsewhere: who asked for exactly what. It needs the credential's public
 * key, which is in the log, and believes nothing else.
 */
import { decodeBase64, isSignedBy, type PublicKey, utf8 } from '@tallystick/core';
import { type InnerList, parseList, serializeInnerList } from 'structured-headers';
import { isDigestOf } from './content-digest.ts';
import { signatureTag } from './profile.ts';
import type { SignedRequest } from './verify.ts';

/** What the signer's key stands for. */
export interface SignedStatement {
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
}

const paramsPrefix = '"@signature-params": ';

/** What the request says; null where it is not signed by this key, or is none. */
export async function readEvidence(signed: SignedRequest, key: PublicKey): Promise<SignedStatement | null> {
  const { base, signature, alg } = signed;
  if (alg !== key.alg || !isCanonicalBase64(signature)) return null;
  if (!(await isSignedBy(key, utf8(base), decodeBase64(signature)))) return null;
  const lines = base.split('\n');
  const last = lines.pop() ?? '';
  if (!last.startsWith(paramsPrefix)) return null;
  const named = lines.map(readLine);
  const components = new Map(named);
  if (components.size !== named.length) return null;
  const parameters = parametersOf(last.slice(paramsPrefix.length), [...components.keys()]);
  const text = (name: string): string | null => components.get(name) ?? null;
  const [method, authority, path, query] = ['@method', '@authority', '@path', '@query'].map(text);
  const { created, expires, nonce, keyid, tag } = Object.fromEntries(parameters ?? []);
  if (tag !== signatureTag || keyid !== signed.keyid) return null;
  if (method == null || authority == null || path == null || query == null) return null;
  if (typeof created !== 'number' || typeof expires !== 'number' || typeof nonce !== 'string') return null;
  return {
    method,
    authority,
    path,
    query,
    contentDigest: text('content-digest'),
    idempotencyKey: text('idempotency-key'),
    reason: text('tally-reason'),
    created,
    expires,
    nonce,
  };
}

/** Whether these bytes are the body that was signed for. */
export function isBodyOf({ contentDigest }: SignedStatement, body: Uint8Array): boolean {
  return contentDigest === null ? body.length === 0 : isDigestOf(contentDigest, body);
}

function isCanonicalBase64(text: string): boolean {
  return Buffer.from(text, 'base64').toString('base64') === text;
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
