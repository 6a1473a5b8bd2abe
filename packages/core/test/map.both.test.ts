import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitAt,
  bytesKey,
  emptySubtree,
  equalBytes,
  headValue,
  mapLeafHash,
  mapParentHash,
  parseMapProof,
  SubjectMap,
  sha256,
  utf8,
  verifyMapProof,
} from '../src/index.ts';

interface Head {
  key: Uint8Array;
  value: Uint8Array;
}

/** The definition, word for word: the root over a set of leaves, by recursion over the bits. */
function rootByDefinition(heads: Head[], depth = 0): Uint8Array {
  const [first] = heads;
  if (first === undefined) return emptySubtree;
  if (heads.length === 1) return mapLeafHash(first.key, first.value);
  const side = (bit: number) => heads.filter((head) => bitAt(head.key, depth) === bit);
  return mapParentHash(rootByDefinition(side(0), depth + 1), rootByDefinition(side(1), depth + 1));
}

/** Few distinct leading bytes, so that keys share long prefixes. */
const anyKey = fc
  .tuple(fc.constantFrom(0, 1, 128, 255), fc.constantFrom(0, 1, 2, 3), fc.integer({ min: 0, max: 30 }))
  .map(([a, b, c]) => {
    const bytes = sha256(utf8(`key ${c}`)).slice();
    bytes[0] = a;
    bytes[1] = b;
    return bytes;
  });
const history = fc.array(anyKey, { minLength: 0, maxLength: 80 });

function replay(keys: Uint8Array[]): { map: SubjectMap; heads: Map<string, Head>[] } {
  const map = new SubjectMap();
  const heads = [new Map<string, Head>()];
  keys.forEach((key, index) => {
    const leaf = sha256(utf8(`entry ${index}`));
    map.set({ key, leaf, index, rev: 0 });
    heads.push(
      new Map<string, Head>(heads.at(-1)).set(bytesKey(key), { key, value: headValue(index, leaf) }),
    );
  });
  return { map, heads };
}

describe('the map', () => {
  it('has the root of its definition, now and at every earlier size', () => {
    fc.assert(
      fc.property(history, (keys) => {
        const { map, heads } = replay(keys);
        expect(equalBytes(map.root(), rootByDefinition([...(heads.at(-1)?.values() ?? [])]))).toBe(true);
        heads.forEach((then, size) => {
          expect(equalBytes(map.at(size).root(), rootByDefinition([...then.values()]))).toBe(true);
        });
      }),
    );
  });

  it('proves presence and absence under every root it ever had', () => {
    fc.assert(
      fc.property(history, anyKey, fc.nat(), (keys, stranger, at) => {
        const { map, heads } = replay(keys);
        const size = at % heads.length;
        const then = heads[size] as Map<string, Head>;
        const root = map.at(size).root();
        for (const subject of [stranger, ...keys]) {
          const value = then.get(bytesKey(subject))?.value ?? null;
          const proof = map.at(size).prove(subject);
          verifyMapProof(proof, subject, value, root);
          expect(() => verifyMapProof(proof, subject, value === null ? root : null, root)).toThrow();
          if (size === keys.length) expect(equalBytes(proof, map.prove(subject))).toBe(true);
        }
      }),
    );
  });

  it('accepts no proof with any byte changed, cut or added', () => {
    fc.assert(
      fc.property(history, anyKey, fc.nat(), fc.integer({ min: 1, max: 255 }), (keys, stranger, at, flip) => {
        const { map, heads } = replay(keys);
        const value = heads.at(-1)?.get(bytesKey(stranger))?.value ?? null;
        const proof = map.prove(stranger);
        const root = map.root();
        const changed = proof.slice();
        changed[at % proof.length] = (changed[at % proof.length] as number) ^ flip;
        for (const bad of [changed, proof.slice(0, -1), new Uint8Array([...proof, 0])]) {
          expect(() => verifyMapProof(bad, stranger, value, root)).toThrow(
            expect.objectContaining({ code: 'NOT_CURRENT' }),
          );
        }
      }),
    );
  });

  it('refuses a proof for another subject', () => {
    const { map } = replay([sha256(utf8('a')), sha256(utf8('b')), sha256(utf8('c'))]);
    const value = map.value(sha256(utf8('a'))) as Uint8Array;
    expect(() =>
      verifyMapProof(map.prove(sha256(utf8('a'))), sha256(utf8('b')), value, map.root()),
    ).toThrow();
  });

  it('forgets roots only when told to', () => {
    const { map } = replay([sha256(utf8('a')), sha256(utf8('b')), sha256(utf8('c'))]);
    map.forgetBefore(2);
    expect(() => map.at(1)).toThrow(RangeError);
    expect(map.at(2).root()).toBeDefined();
  });
});

describe('map proofs', () => {
  it.each([
    ['nothing', []],
    ['an unknown type', [4, 0]],
    ['unused bitmap bits', [2, 1, 0b1100_0000, ...Array.from({ length: 32 }, () => 1)]],
    ['an all-zero sibling', [2, 1, 128, ...Array.from({ length: 32 }, () => 0)]],
    ['an empty last sibling', [2, 1, 0]],
  ])('are refused with %s', (_, bytes) => {
    expect(() => parseMapProof(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'MALFORMED' }),
    );
  });
});
