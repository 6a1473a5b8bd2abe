/** Signed requests for tests, made with real keys. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  type HttpMessage,
  type RequestSigningKey,
  requestSigningKey,
  signRequest,
} from '../../src/http-signature/index.ts';

/** The system that everything here is signed for. */
export const system = 'c3lzdGVtIG9mIHRoZSB0ZXN0cyBvZiB0aGUgZ2F0ZS4=';
export const nowMs: number = Date.UTC(2026, 10, 26, 12);

export function newSigningKey(alg: 'ed25519' | 'ecdsa-p256-sha256' = 'ed25519'): RequestSigningKey {
  const { privateKey } =
    alg === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return requestSigningKey(privateKey);
}

export const body: Uint8Array = Buffer.from('{"plan":"pln_x","customer":"cus_y"}');

export const message: HttpMessage = {
  method: 'POST',
  scheme: 'http',
  authority: '127.0.0.1:4401',
  target: '/v1/licenses?wait=published',
  headers: {
    host: '127.0.0.1:4401',
    'content-type': 'application/json',
    'idempotency-key': 'k-1',
    'tally-reason': 'TICKET-1',
    'user-agent': 'test',
  },
};

export function signed(
  key: RequestSigningKey,
  given: Partial<HttpMessage> = {},
  content: Uint8Array | null = body,
  at: { nowMs: number; nonce: string; system?: string } = {
    nowMs,
    nonce: randomBytes(16).toString('base64url'),
  },
): HttpMessage {
  const whole = { ...message, ...given };
  return { ...whole, headers: { ...whole.headers, ...signRequest(whole, content, key, { system, ...at }) } };
}
