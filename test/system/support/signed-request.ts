/** Requests that are signed by a key of the test's, as a client would send them. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { base64, keyFingerprintText } from '@tallystick/core';
import { type RequestSigningKey, requestSigningKey, signRequest } from '@tallystick/gate/http-signature';
import { type RawAnswer, rawRequest } from './raw-http.ts';
import type { RealSystem } from './real-system.ts';

export interface Sent {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export function newSigningKey(): RequestSigningKey {
  return requestSigningKey(generateKeyPairSync('ed25519').privateKey);
}

/** The members of a command that makes a credential of such a key. */
export function credentialOf({ publicKey }: RequestSigningKey): object {
  const material = { alg: publicKey.alg, key: base64(publicKey.key) };
  return { kind: 'http_signature', lookup: keyFingerprintText(publicKey), material };
}

/** For the listener at `url`, unsent. */
export function signedRequest(
  url: string,
  key: RequestSigningKey,
  { method, path, headers, content }: Omit<Sent, 'body'> & { content: object },
  { system, nowMs = Date.now() }: { system: string; nowMs?: number },
): Sent {
  const body = JSON.stringify(content);
  const whole = { 'content-type': 'application/json', ...headers };
  const message = {
    method,
    scheme: 'http',
    authority: new URL(url).host,
    target: path,
    headers: whole,
  } as const;
  const added = signRequest(message, Buffer.from(body), key, { nowMs, nonce: randomUUID(), system });
  return { method, path, headers: { ...whole, ...added }, body };
}

export function send(system: RealSystem, sent: Sent): Promise<RawAnswer> {
  return rawRequest(system.client.adminUrl, sent);
}
