/** Checks a signed request, as it came, against the key of the credential that it names. */
import { base64, isSignedBy, type PublicKey, utf8 } from '@tallystick/core';
import type { SignedRequest } from '../caller.ts';
import { isDigestOf } from './content-digest.ts';
import { createdAheadSecondsMax, readSignature, type SignatureParameters, systemHeader } from './profile.ts';
import { type HttpMessage, signatureBase } from './signature-base.ts';

export type SignatureCheck =
  | { ok: true; signed: SignedRequest; parameters: SignatureParameters }
  | { ok: false; kind: 'malformed'; why: string }
  /** `detail` is for the sender: only who holds the key learns what is wrong. */
  | { ok: false; kind: 'refused'; why: string; detail: string | null };

/** The key that a `keyid` names; undefined for none. */
export type KeyOf = (keyid: string) => PublicKey | undefined;

/** What a request is checked against. */
export interface SignatureExpectations {
  keyOf: KeyOf;
  /** That of this system, as `Tally-System` says it. */
  system: string;
  nowMs: number;
}

/** Does not tell replays: that is for the guard, once the rest holds. */
export async function checkSignedRequest(
  message: HttpMessage,
  body: Uint8Array | null,
  { keyOf, system, nowMs }: SignatureExpectations,
): Promise<SignatureCheck> {
  if (message.headers[systemHeader] === undefined)
    return {
      ok: false,
      kind: 'malformed',
      why: 'a signed request must say for which system it is, in Tally-System',
    };
  const stated = statedSignature(message.headers);
  if (typeof stated === 'string') return { ok: false, kind: 'malformed', why: stated };
  const { input, parameters, signature } = stated;
  const base = signatureBase(input, message);
  if (base === null)
    return { ok: false, kind: 'malformed', why: 'the signature covers what the request lacks' };
  const key = keyOf(parameters.keyid);
  if (key === undefined) return refused('no usable credential has this keyid');
  // Which algorithm it is, is a property of the key: what the signature says of it can only agree.
  if (parameters.alg !== null && parameters.alg !== key.alg)
    return refused('alg is not the algorithm of the key');
  if (!(await isSignedBy(key, utf8(base), signature))) return refused('the signature does not hold');
  const problem =
    (message.headers[systemHeader]?.trim() === system ? null : 'the request was signed for another system') ??
    problemOfTime(parameters, nowMs / 1000) ??
    problemOfDigest(message.headers['content-digest'], body);
  if (problem !== null) return { ok: false, kind: 'refused', why: problem, detail: problem };
  const { keyid } = parameters;
  return {
    ok: true,
    parameters,
    signed: { base, signature: base64(signature), keyid, alg: key.alg, body: body && base64(body) },
  };
}

function statedSignature(headers: HttpMessage['headers']): ReturnType<typeof readSignature> {
  try {
    return readSignature(headers);
  } catch {
    // The parser's words would quote what a stranger sent.
    return 'Signature-Input and Signature must be dictionaries of structured fields (RFC 9651)';
  }
}

function refused(why: string): SignatureCheck {
  return { ok: false, kind: 'refused', why, detail: null };
}

function problemOfTime({ created, expires }: SignatureParameters, now: number): string | null {
  if (created > now + createdAheadSecondsMax) return 'it was signed in the future: set the clock';
  return expires <= now ? 'the signature has expired: sign the request again' : null;
}

function problemOfDigest(header: string | undefined, body: Uint8Array | null): string | null {
  if (header === undefined) return body === null ? null : 'a request with a body must have a Content-Digest';
  return isDigestOf(header, body ?? new Uint8Array())
    ? null
    : 'Content-Digest is not the SHA-256 of the body';
}
