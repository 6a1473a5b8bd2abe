/** Signed requests between ours and an implementation of RFC 9421 by others, in both directions. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { keyFingerprintText } from '@tallystick/core';
import { createSigner, createVerifier, httpbis } from 'http-message-signatures';
import { describe, expect, test } from 'vitest';
import { checkSignedRequest, contentDigest, requestSigningKey } from '../src/http-signature/index.ts';
import { body, message, nowMs, signed, system } from './support/request.ts';

const url = `${message.scheme}://${message.authority}${message.target}`;

describe.each([
  ['ed25519', () => generateKeyPairSync('ed25519')],
  ['ecdsa-p256-sha256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
] as const)('with %s', (alg, generate) => {
  const { privateKey, publicKey } = generate();
  const own = requestSigningKey(privateKey);
  const keyid = keyFingerprintText(own.publicKey);

  test('what others sign verifies here', async () => {
    const headers = {
      host: message.authority,
      'content-type': 'application/json',
      'content-digest': contentDigest(body),
      'idempotency-key': 'k-1',
      'tally-reason': 'TICKET-1',
      'tally-system': system,
    };
    const theirs = await httpbis.signMessage(
      {
        key: createSigner(privateKey, alg, keyid),
        fields: ['@method', '@authority', '@path', '@query', ...Object.keys(headers).slice(1)],
        params: ['created', 'expires', 'nonce', 'keyid', 'alg', 'tag'],
        paramValues: {
          created: new Date(nowMs),
          expires: new Date(nowMs + 60_000),
          nonce: randomUUID(),
          tag: 'tallystick',
        },
      },
      { method: message.method, url, headers },
    );
    const sent = Object.entries(theirs.headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
    const whole = { ...message, headers: Object.fromEntries(sent) as Record<string, string> };
    const checked = await checkSignedRequest(whole, body, { keyOf: () => own.publicKey, system, nowMs });
    expect(checked).toMatchObject({ ok: true });
  });

  test('what we sign verifies there', async () => {
    const given = Object.entries(signed(own, {}, body, { nowMs: Date.now(), nonce: randomUUID() }).headers);
    const headers = Object.fromEntries(given.map(([name, value]) => [name, value ?? '']));
    const key = { id: keyid, algs: [alg], verify: createVerifier(publicKey, alg) };
    const request = { method: message.method, url, headers };
    expect(await httpbis.verifyMessage({ keyLookup: async () => key }, request)).toBe(true);
    const altered = { ...request, method: 'PATCH' };
    await expect(httpbis.verifyMessage({ keyLookup: async () => key }, altered)).resolves.not.toBe(true);
  });
});
