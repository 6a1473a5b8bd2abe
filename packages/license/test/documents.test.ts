import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  type DocumentOf,
  encodeCompanion,
  encodeDocument,
  type LicenseDocument,
  ModelError,
  parseCompanion,
  parseDocument,
  type SubjectType,
} from '../src/index.ts';
import { companions, documents } from './arbitraries.ts';
import { HASH, soldWorld } from './world.ts';

const TYPES = Object.keys(documents) as SubjectType[];
const RUNS = { numRuns: 60 };

describe.each(TYPES)('a %s document', (type) => {
  const arbitrary = documents[type] as fc.Arbitrary<DocumentOf[SubjectType]>;

  it('reads back as it was written', () => {
    fc.assert(
      fc.property(arbitrary, (document) => {
        const encoded = encodeDocument(document);
        expect(parseDocument(type, JSON.parse(encoded))).toEqual(document);
        expect(encoded).toBe(JSON.stringify(parseDocument(type, document)));
        expect(JSON.stringify(JSON.parse(encoded))).toBe(encoded);
        expect(encodeDocument(parseDocument(type, JSON.parse(encoded)))).toBe(encoded);
      }),
      RUNS,
    );
  });

  it('is written in the order of the types, whatever the order of the object', () => {
    fc.assert(
      fc.property(arbitrary, (document) => {
        const turned = Object.fromEntries(Object.entries(document).reverse()) as unknown as typeof document;
        expect(encodeDocument(turned)).toBe(encodeDocument(document));
        expect(encodeDocument(document).startsWith(`{"v":1,"type":"${type}","ns":"acme","id":`)).toBe(true);
      }),
      RUNS,
    );
  });

  it('is refused as malformed without any one of its members', () => {
    fc.assert(
      fc.property(arbitrary, (document) => {
        for (const name of Object.keys(document)) {
          const { [name]: _, ...rest } = document as unknown as Record<string, unknown>;
          expect(problemOf(type, rest)).toMatchObject({ kind: 'malformed', path: `$.${name}` });
        }
      }),
      { numRuns: 5 },
    );
  });

  it('ignores unknown members unless they are critical', () => {
    fc.assert(
      fc.property(arbitrary, (document) => {
        const extended = { ...document, novelty: { deep: [1] } };
        expect(parseDocument(type, extended)).toEqual(document);
        expect(problemOf(type, { ...extended, crit: ['novelty'] }).kind).toBe('too_new');
      }),
      { numRuns: 5 },
    );
  });

  it('is never read from a value that is not one, and fails only with a ModelError', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(problemOf(type, value)).toBeInstanceOf(ModelError);
      }),
      RUNS,
    );
  });

  it('fails only with a ModelError when any one member is replaced by anything', () => {
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.jsonValue(), (document, pick, value) => {
        const names = Object.keys(document);
        const changed = { ...document, [names[pick % names.length]!]: value };
        try {
          const read = parseDocument(type, changed);
          expect(parseDocument(type, JSON.parse(encodeDocument(read)))).toEqual(read);
        } catch (error) {
          expect(error).toBeInstanceOf(ModelError);
        }
      }),
      RUNS,
    );
  });
});

describe('a license document', () => {
  const good = aLicense();

  test.each<[string, string, object]>([
    ['a version above 1', 'too_new', { v: 2 }],
    ['version 0', 'malformed', { v: 0 }],
    ['a version in text', 'malformed', { v: '1' }],
    ['a type that nobody knows', 'too_new', { type: 'coupon' }],
    ['another type', 'malformed', { type: 'plan' }],
    ['an id of another type', 'malformed', { id: `pln_${good.id.slice(4)}` }],
    ['a negative revision', 'malformed', { rev: -1 }],
    ['a fraction', 'malformed', { rev: 1.5 }],
    ['minus zero', 'malformed', { rev: -0 }],
    ['an unsafe integer', 'malformed', { generation: 2 ** 53 }],
    ['a critical member that nobody knows', 'too_new', { crit: ['licensee', 'quantum'] }],
    ['a critical member named twice', 'malformed', { crit: ['licensee', 'licensee'] }],
    ['a control character', 'malformed', { licensee: 'a\u0000b' }],
    ['an empty text', 'malformed', { licensee: '' }],
    ['text that is not NFC', 'malformed', { licensee: 'e\u0301' }],
    ['an unknown purpose', 'malformed', { purpose: 'fun' }],
    [
      'a calendar duration where verifiers look',
      'malformed',
      { offline: { ...good.offline, maxAge: 'P1M' } },
    ],
    [
      'an instant without milliseconds',
      'malformed',
      { term: { ...good.term, until: '2027-01-01T00:00:00Z' } },
    ],
    ['an entitlement with value and limit', 'malformed', { entitlements: { a: { value: 1, limit: 1 } } }],
    ['an entitlement code in capitals', 'malformed', { entitlements: { A: good.entitlements['pdf'] } }],
    ['a hash in base64 without padding', 'malformed', { private: HASH.slice(0, -1) }],
    ['a hash whose last bits are not zero', 'malformed', { private: HASH.replace('A=', 'B=') }],
    ['too many add-ons', 'malformed', { addons: Array.from({ length: 21 }, () => good.addons[0]) }],
    ['too much metadata', 'malformed', { metadata: many(51, 'x') }],
    ['a long metadata value', 'malformed', { metadata: { a: 'x'.repeat(501) } }],
    ['metadata that is not text', 'malformed', { metadata: { a: 1 } }],
    ['too many entitlements', 'malformed', { entitlements: many(201, good.entitlements['pdf']) }],
    ['more than 16 KB', 'malformed', { metadata: many(50, 'x'.repeat(400)) }],
  ])('with %s is %s', (_, kind, members) => {
    expect(problemOf('license', { ...good, ...members }).kind).toBe(kind);
  });

  it('may be exactly 16 KB long and no longer, counted in UTF-8 and without unknown members', () => {
    const lengthOf = (metadata: Record<string, string>): number =>
      new TextEncoder().encode(encodeDocument({ ...good, metadata })).length;
    let entries = 0;
    while (lengthOf(many(entries, 'ü'.repeat(200))) < 16_384 - 500) entries += 1;
    const metadata = { ...many(entries, 'ü'.repeat(200)), fill: '' };
    const filled = { ...metadata, fill: 'x'.repeat(16_384 - lengthOf(metadata)) };
    const encoded = encodeDocument({ ...good, metadata: filled });
    expect(new TextEncoder().encode(encoded).length).toBe(16_384);
    expect(parseDocument('license', { ...good, metadata: filled, novelty: 'x'.repeat(99) }).metadata).toEqual(
      filled,
    );
    const over = { ...good, metadata: { ...filled, fill: `${filled.fill}x` } };
    expect(problemOf('license', over).kind).toBe('malformed');
    expect(() => encodeDocument(over)).toThrow(ModelError);
  });

  it('says where it is wrong', () => {
    const addons = [good.addons[0], { ...good.addons[0], quantity: 'two' }];
    expect(problemOf('license', { ...good, addons }).message).toBe(
      '$.addons[1].quantity: must be an integer',
    );
    const metadata = { 'crm.id': 7 };
    expect(problemOf('license', { ...good, metadata }).path).toBe('$.metadata["crm.id"]');
  });

  it('keeps codes that every object inherits', () => {
    const entitlements = { constructor: { value: true, until: null, via: 'plan' } };
    const read = parseDocument('license', JSON.parse(encodeDocument({ ...good, entitlements })));
    expect(Object.hasOwn(read.entitlements, 'constructor')).toBe(true);
    expect(problemOf('license', JSON.parse('{"__proto__":{"v":1}}')).path).toBe('$.v');
  });
});

describe('a companion', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(companions, (companion) => {
        expect(parseCompanion(JSON.parse(encodeCompanion(companion)))).toEqual(companion);
      }),
      RUNS,
    );
  });

  it('is refused with a key that is too short or a price below zero', () => {
    const good = fc.sample(companions, 1)[0]!;
    expect(() => parseCompanion({ ...good, key: 'short' })).toThrow(ModelError);
    expect(() => parseCompanion({ ...good, price: -1 })).toThrow(ModelError);
  });
});

function aLicense(): LicenseDocument {
  return soldWorld().license({
    type: 'license.issue',
    plan: 'pro',
    addons: [{ plan: 'more', quantity: 2 }],
    customer: 'contoso',
    licensee: 'Contoso GmbH',
  });
}

function many<T>(count: number, value: T): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
}

function problemOf(type: SubjectType, value: unknown): ModelError {
  try {
    parseDocument(type, value);
  } catch (error) {
    if (error instanceof ModelError) return error;
    throw error;
  }
  throw new Error('was read without a problem');
}
