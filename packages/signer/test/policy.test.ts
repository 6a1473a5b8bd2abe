import { encodeRecord, isSignedBy, payloadTypes, preAuthEncoding } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { noLimits } from '../src/keystore/keystore-key.ts';
import { generateKeySpec } from '../src/keystore/signing-key.ts';
import { rightsFor } from '../src/policy.ts';
import {
  at,
  keySpecs,
  type LicenseTerms,
  type Limits,
  licenseToSign,
  postQuantumLogKey,
  record,
  signerWith,
} from './support/signing.ts';

const refusal = (reason: string): unknown => expect.objectContaining({ name: 'SignerRefusal', reason });
const plain = (type: string, ns = 'acme') => ({ record: record(type, { ns }), content: null });

describe('a signer', () => {
  it('signs each record with the key of its usage, over the record itself', async () => {
    const { signer, keys } = signerWith();
    const items = [licenseToSign(), plain('product.created'), plain('customer.erased')];
    const envelopes = signer.signRecords(items, 5);
    const [, license, catalog] = keys;
    const expected = [license, catalog, catalog];
    for (const [nth, { signatures }] of envelopes.entries()) {
      const message = preAuthEncoding(payloadTypes.record, encodeRecord(items[nth]!.record));
      expect(signatures.map(({ keyid }) => keyid)).toEqual([expected[nth]!.keyid]);
      expect(await isSignedBy(expected[nth]!.publicKey, message, signatures[0]!.sig)).toBe(true);
    }
  });

  it('signs with the first key that the namespace lists for a usage, and with no other beside it', () => {
    const { signer, keys } = signerWith([...keySpecs(), generateKeySpec(['plan'], 'acme')]);
    const [plan] = signer.signRecords([plain('plan.created')], 5);
    expect(plan!.signatures.map(({ keyid }) => keyid)).toEqual([keys[2]!.keyid]);
  });

  it('says how a system from before there were principals gets a key for them', () => {
    const { signer } = signerWith([generateKeySpec(['log'], null), generateKeySpec(['plan'], 'acme')]);
    expect(() => signer.signRecords([plain('principal.created')], 5)).toThrow(
      /no key here may sign principal\.created .* tally keys generate/,
    );
  });

  it('says from where on a key will sign that is listed', () => {
    const asked = { ns: 'acme', type: 'principal.created', signing: [], required: ['ed25519'] } as const;
    expect(() => rightsFor([], { ...asked, signsFrom: () => 100 })).toThrow(
      /principal\.created in namespace acme before log index 100: wait until/,
    );
  });

  it.each([
    'namespace.created',
    'namespace.updated',
    'authority.updated',
    'root.created',
    'log.created',
    'lease.created',
    'journal.sealed',
    'activation.created',
  ])('has no key for %s', (type) => {
    expect(() => signerWith().signer.signRecords([plain(type)], 5)).toThrow(refusal('no_key'));
  });

  it.each(['globex', 'acm', 'acme2'])('has no key for the namespace %s', (ns) => {
    const { signer } = signerWith();
    expect(() => signer.signRecords([plain('product.created', ns)], 5)).toThrow(refusal('no_key'));
  });

  it('is not made with a root or authority key, without a log key, or with two', () => {
    const make = (...more: Parameters<typeof signerWith>[0] & object) => signerWith([...keySpecs(), ...more]);
    expect(() => make(generateKeySpec(['root'], null))).toThrow(/root and authority/);
    expect(() => make(generateKeySpec(['authority', 'product'], 'acme'))).toThrow(/root and authority/);
    expect(() => make(generateKeySpec(['log'], null))).toThrow(/exactly one log key/);
    expect(() => signerWith(keySpecs().slice(1))).toThrow(/exactly one log key/);
    expect(() => signerWith([...keySpecs().slice(1), postQuantumLogKey()])).toThrow(/exactly one log key/);
    expect(() => make(postQuantumLogKey(), postQuantumLogKey())).toThrow(/at most one of ML-DSA-44/);
  });

  it('describes its keys without the private ones', () => {
    const specs = keySpecs();
    const described = JSON.stringify(signerWith(specs).signer.describe());
    for (const { seed } of specs) expect(described).not.toContain(seed);
    expect(described).not.toContain('"limits"');
  });

  it('signs all of a batch or nothing of it', () => {
    let now = Date.parse(at);
    const { signer } = signerWith(keySpecs({ perMinute: 2 }), () => now);
    expect(() => signer.signRecords([licenseToSign(), plain('namespace.updated')], 5)).toThrow(
      refusal('no_key'),
    );
    // The refused batch has taken nothing from the allowance of two.
    signer.signRecords([licenseToSign(), licenseToSign()], 5);
    expect(() => signer.signRecords([licenseToSign()], 5)).toThrow(refusal('limit'));
    now += 60_000;
    expect(() => signer.signRecords([licenseToSign(), licenseToSign(), licenseToSign()], 5)).toThrow(
      refusal('limit'),
    );
    signer.signRecords([licenseToSign(), licenseToSign()], 5);
  });

  it('counts per key, and keys without a limit never run out', () => {
    const { signer } = signerWith(keySpecs({ perMinute: 1 }));
    signer.signRecords([licenseToSign()], 5);
    for (let count = 0; count < 100; count++) signer.signRecords([plain('plan.created')], 5);
    expect(() => signer.signRecords([licenseToSign()], 5)).toThrow(refusal('limit'));
  });
});

describe('a license record', () => {
  it('is not signed without its document', () => {
    const { signer } = signerWith();
    expect(() => signer.signRecords([{ ...licenseToSign(), content: null }], 5)).toThrow(
      refusal('commitment'),
    );
  });

  it('is not signed with another document, salt, or commitment than its own', () => {
    const { signer } = signerWith();
    const { record: given, content } = licenseToSign();
    const otherContent = licenseToSign({ seats: 6 }).content;
    const otherSalt = { salt: new Uint8Array(32), document: content!.document };
    expect(() => signer.signRecords([{ record: given, content: otherContent }], 5)).toThrow(
      refusal('commitment'),
    );
    expect(() => signer.signRecords([{ record: given, content: otherSalt }], 5)).toThrow(
      refusal('commitment'),
    );
    const otherRecord = { ...given, doc: new Uint8Array(32) };
    expect(() => signer.signRecords([{ record: otherRecord, content }], 5)).toThrow(refusal('commitment'));
  });

  const limits: [Limits, Partial<LicenseTerms>, boolean][] = [
    [{ termMax: 'P30D' }, { until: '2026-03-31T12:00:00.000Z' }, true],
    [{ termMax: 'P30D' }, { until: '2026-03-31T12:00:00.001Z' }, false],
    [{ termMax: 'P30D' }, { until: null }, false],
    [{ termMax: 'P30D' }, { until: '2026-02-01T00:00:00.000Z' }, true],
    [{ termMax: null }, { until: null }, true],
    [{ offlineMax: 'P7D' }, { maxAge: 'P7D' }, true],
    [{ offlineMax: 'P7D' }, { maxAge: 'PT168H' }, true],
    [{ offlineMax: 'P7D' }, { maxAge: 'PT168H', until: null }, true],
    [{ offlineMax: 'P7D' }, { maxAge: 'PT604801S' }, false],
    [{ offlineMax: 'P7D' }, { maxAge: 'P8D' }, false],
    [{ seatsMax: 5 }, { seats: 5 }, true],
    [{ seatsMax: 5 }, { seats: 6 }, false],
    [{ seatsMax: 5 }, { seats: null }, false],
    [{ seatsMax: 5 }, { model: 'none', seats: null }, true],
    [{ seatsMax: 0 }, { seats: 1 }, false],
    [{ seatsMax: 5, termMax: 'P30D', offlineMax: 'P7D' }, {}, true],
  ];
  it.each(limits)('under %j with %j: signed is %j', (limit, terms, isSigned) => {
    const { signer } = signerWith(keySpecs(limit));
    const sign = () => signer.signRecords([licenseToSign(terms)], 5);
    if (isSigned) expect(sign()[0]!.signatures).toHaveLength(1);
    else expect(sign).toThrow(refusal('limit'));
  });

  it.each(['product', 'plan', 'customer'])('alone has limits: a %s has none', (type) => {
    const specs = [
      generateKeySpec(['log'], null),
      generateKeySpec([type as 'plan'], 'acme', { ...noLimits, seatsMax: 0 }),
    ];
    expect(signerWith(specs).signer.signRecords([plain(`${type}.created`)], 5)[0]!.signatures).toHaveLength(
      1,
    );
  });
});
