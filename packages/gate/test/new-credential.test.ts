import { base64, keyFingerprintText } from '@tallystick/core';
import type { CredentialCreate } from '@tallystick/license';
import { expect, test } from 'vitest';
import { CredentialError, secretTokenHash, secretTokenLookup, storedCredential } from '../src/index.ts';
import { secrets } from './support/people.ts';
import { newSigningKey } from './support/request.ts';

const { publicKey } = newSigningKey();
const fingerprint = keyFingerprintText(publicKey);
const raw = base64(publicKey.key);
const create = (given: Partial<CredentialCreate>): CredentialCreate => ({
  type: 'credential.create',
  principal: 'prn_x',
  kind: 'api_key',
  name: 'x',
  lookup: secretTokenHash('a key'),
  ...given,
});

test('of an API key the HMAC of its hash is stored, under which the key is found', () => {
  const stored = storedCredential(create({ material: { note: 'whatever' } }), secrets);
  expect(stored).toMatchObject({ lookup: secretTokenLookup(secrets.apiKeys, 'a key'), material: {} });
});

test('of a signing key and a workload what was sent is stored', () => {
  const signing = create({
    kind: 'http_signature',
    lookup: fingerprint,
    material: { alg: 'ed25519', key: raw },
  });
  expect(storedCredential(signing, secrets)).toEqual(signing);
  const workload = create({ kind: 'spiffe', lookup: 'spiffe://vendor.example/x' });
  expect(storedCredential(workload, secrets)).toEqual(workload);
});

const signing = { kind: 'http_signature', lookup: fingerprint } as const;

test.each<[string, Partial<CredentialCreate>, string]>([
  ['the key itself', { lookup: 'tally_api_x' }, '$.lookup'],
  ['a hash of another length', { lookup: 'AAAA' }, '$.lookup'],
  ['a range with a host in it', { scope: { networks: ['::/0', '10.0.0.1/8'] } }, '$.scope.networks[1]'],
  ['no key', signing, '$.material'],
  ['a key of another algorithm', { ...signing, material: { alg: 'ml-dsa-44', key: raw } }, '$.material'],
  [
    'a key of small order',
    { ...signing, material: { alg: 'ed25519', key: base64(new Uint8Array(32)) } },
    '$.material',
  ],
  [
    "somebody else's fingerprint",
    {
      ...signing,
      lookup: keyFingerprintText(newSigningKey().publicKey),
      material: { alg: 'ed25519', key: raw },
    },
    '$.lookup',
  ],
  [
    'a product that nothing of it would be held to',
    { kind: 'invitation', notAfter: '2026-12-01T00:00:00.000Z', scope: { products: ['prd_x'] } },
    '$.scope.products',
  ],
  ['no SPIFFE id', { kind: 'spiffe', lookup: 'https://vendor.example/x' }, '$.lookup'],
])('a credential with %s is refused', (_, given, path) => {
  const error = (() => {
    try {
      return storedCredential(create(given), secrets);
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(CredentialError);
  expect((error as CredentialError).path).toBe(path);
});
