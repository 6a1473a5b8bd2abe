/** Signs a request, for clients. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { keyFingerprintText, type PublicKey } from '@tallystick/core';
import { type InnerList, type Item, serializeInnerList } from 'structured-headers';
import { contentDigest } from './content-digest.ts';
import { componentsToCover, signatureSecondsMax, signatureTag, systemHeader } from './profile.ts';
import { type HttpMessage, signatureBase } from './signature-base.ts';

export interface RequestSigningKey {
  /** Of Ed25519 or P-256. */
  privateKey: KeyObject;
  publicKey: PublicKey;
}

/** Throws Error for a private key of any other kind. */
export function requestSigningKey(privateKey: KeyObject): RequestSigningKey {
  return { privateKey, publicKey: publicKeyOfKeyObject(createPublicKey(privateKey)) };
}

/** Throws Error for a public key of any other kind. */
export function publicKeyOfKeyObject(key: KeyObject): PublicKey {
  const { crv, x = '', y = '' } = key.export({ format: 'jwk' });
  const coordinate = (text: string): Buffer => Buffer.from(text, 'base64url');
  if (crv === 'Ed25519') return { alg: 'ed25519', key: new Uint8Array(coordinate(x)) };
  if (crv !== 'P-256') throw new Error('the key is neither of Ed25519 nor of P-256');
  const point = Buffer.concat([Buffer.of(4), coordinate(x), coordinate(y)]);
  return { alg: 'ecdsa-p256-sha256', key: new Uint8Array(point) };
}

/**
 * The headers to add: Tally-System, Content-Digest where there is a body, Signature-Input and Signature. `system` is
 * the base64 of the genesis of the pinned trust root, `nonce` fresh for every request, repeated ones included. Throws Error for a header value that cannot be signed.
 */
export function signRequest(
  message: HttpMessage,
  body: Uint8Array | null,
  key: RequestSigningKey,
  { nowMs, nonce, system }: { nowMs: number; nonce: string; system: string },
): Record<string, string> {
  const digest = body === null ? {} : { 'content-digest': contentDigest(body) };
  const added = { [systemHeader]: system, ...digest };
  const headers = { ...message.headers, ...added };
  const created = Math.floor(nowMs / 1000);
  const parameters = new Map<string, string | number>([
    ['created', created],
    ['expires', created + signatureSecondsMax],
    ['nonce', nonce],
    ['keyid', keyFingerprintText(key.publicKey)],
    ['alg', key.publicKey.alg],
    ['tag', signatureTag],
  ]);
  const input: InnerList = [componentsToCover(headers).map((name): Item => [name, new Map()]), parameters];
  const base = signatureBase(input, { ...message, headers });
  if (base === null) throw new Error('a header of the request has characters that cannot be signed');
  const isEdwards = key.publicKey.alg === 'ed25519';
  const signature = sign(
    isEdwards ? null : 'sha256',
    Buffer.from(base),
    isEdwards ? key.privateKey : { key: key.privateKey, dsaEncoding: 'ieee-p1363' },
  );
  return {
    ...added,
    'signature-input': `tally=${serializeInnerList(input)}`,
    signature: `tally=:${signature.toString('base64')}:`,
  };
}
