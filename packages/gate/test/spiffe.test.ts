import { describe, expect, test } from 'vitest';
import { isSpiffeId, spiffeIdOf } from '../src/index.ts';
import { type CertificateName, certificate, certificateNames } from './support/certificates.ts';

const domains = ['vendor.example'];
const nowMs = Date.UTC(2027, 0, 1);

describe('an id', () => {
  test.each([
    'spiffe://vendor.example/billing',
    'spiffe://vendor.example/ns/prod/sa/billing-2_x.y',
    'spiffe://a/...',
  ])('%s is one', (text) => {
    expect(isSpiffeId(text)).toBe(true);
  });

  test.each([
    'spiffe://vendor.example',
    'spiffe://vendor.example/',
    'spiffe://vendor.example/billing/',
    'spiffe://vendor.example//billing',
    'spiffe://vendor.example/./billing',
    'spiffe://vendor.example/billing/..',
    'spiffe://vendor.example/%62illing',
    'spiffe://vendor.example/billing?x=1',
    'spiffe://vendor.example/billing#x',
    'spiffe://vendor.example:443/billing',
    'spiffe://me@vendor.example/billing',
    'spiffe://Vendor.example/billing',
    'spiffe:///billing',
    'SPIFFE://vendor.example/billing',
    'https://vendor.example/billing',
    'spiffe://vendor.example/bílling',
    'spiffe://vendor.example/billing\n',
    `spiffe://vendor.example/${'a'.repeat(2048)}`,
    `spiffe://${'a'.repeat(256)}/billing`,
  ])('%s is none', (text) => {
    expect(isSpiffeId(text)).toBe(false);
  });
});

describe('a certificate', () => {
  const accepted: CertificateName[] = ['good', 'withDns'];

  test.each(certificateNames)('%s', (name) => {
    const expected = accepted.includes(name) ? 'spiffe://vendor.example/billing' : null;
    expect(spiffeIdOf(certificate(name), domains, nowMs)).toBe(expected);
  });

  test('of another trust domain is nobody', () => {
    expect(spiffeIdOf(certificate('good'), ['example', 'other.example'], nowMs)).toBeNull();
    expect(spiffeIdOf(certificate('good'), [], nowMs)).toBeNull();
  });

  test('counts from its first day to its last', () => {
    expect(spiffeIdOf(certificate('good'), domains, Date.UTC(2026, 10, 1))).toBeNull();
    expect(spiffeIdOf(certificate('good'), domains, Date.UTC(2127, 0, 1))).toBeNull();
  });
});
