import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64,
  decodeBase64,
  emptyRoot,
  hex,
  LogTree,
  leafHash,
  rootOfInclusion,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from '../src/index.ts';

const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(
  ' ',
);

function treeOf(leaves: readonly string[]): LogTree {
  const tree = new LogTree();
  for (const leaf of leaves) tree.append(leafHash(utf8(leaf)));
  return tree;
}

describe('the 15-leaf vector log', () => {
  const tree = treeOf(words);

  it.each([
    [1, '0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek='],
    [3, 'Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk='],
    [8, 'bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY='],
    [15, 'rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs='],
  ])('has the published root at size %i', (size, root) => {
    expect(base64(tree.root(size))).toBe(root);
  });

  const from3To15 = [
    'Zx8UbF5HHooag6PCFM5LqQe486WIjRTMjNPOdbsS75Q=',
    '9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=',
    'T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=',
    'g0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=',
    '5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=',
  ];

  it('has the published consistency proofs', () => {
    expect(tree.consistencyProof(8, 15).map(base64)).toEqual([
      '5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=',
    ]);
    expect(tree.consistencyProof(3, 15).map(base64)).toEqual(from3To15);
  });

  it('has the published inclusion proof', () => {
    expect(tree.inclusionProof(2, 15).map(base64)).toEqual(from3To15.slice(1));
    const path = from3To15.slice(1).map((hash) => decodeBase64(hash));
    verifyInclusion(leafHash(utf8('three')), 2, 15, path, tree.root());
  });
});

it('gives the empty tree the hash of nothing', () => {
  expect(hex(new LogTree().root())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

const sizes = fc.integer({ min: 1, max: 300 });

describe('every tree', () => {
  it('proves each leaf under each size, and no other leaf or index', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, a, b) => {
        const tree = treeOf(Array.from({ length: size }, (_, at) => `leaf ${at}`));
        const under = 1 + (a % size);
        const index = b % under;
        const path = tree.inclusionProof(index, under);
        verifyInclusion(tree.leaf(index), index, under, path, tree.root(under));
        if (under > 1) {
          const other = (index + 1) % under;
          expect(() => verifyInclusion(tree.leaf(other), index, under, path, tree.root(under))).toThrow();
          expect(() => verifyInclusion(tree.leaf(index), other, under, path, tree.root(under))).toThrow();
          expect(() => rootOfInclusion(tree.leaf(index), index, under, path.slice(1))).toThrow(/too short/);
        }
        expect(() => rootOfInclusion(tree.leaf(index), index, under, [...path, emptyRoot])).toThrow(
          /too long/,
        );
      }),
    );
  });

  it('proves its growth, and no other history', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, a, b) => {
        const tree = treeOf(Array.from({ length: size }, (_, at) => `leaf ${at}`));
        const newSize = 1 + (a % size);
        const oldSize = b % (newSize + 1);
        const newRoot = tree.root(newSize);
        const proof = tree.consistencyProof(oldSize, newSize);
        verifyConsistency(oldSize, tree.root(oldSize), newSize, newRoot, proof);
        const fork = newRoot.slice();
        fork[0] = (fork[0] as number) ^ 1;
        if (oldSize > 0) {
          expect(() => verifyConsistency(oldSize, tree.root(oldSize), newSize, fork, proof)).toThrow();
        }
        const longer = [...proof, emptyRoot];
        expect(() => verifyConsistency(oldSize, tree.root(oldSize), newSize, newRoot, longer)).toThrow();
      }),
    );
  });

  it('is the same after leaves were taken back and appended again', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, cut) => {
        const leaves = Array.from({ length: size }, (_, at) => `leaf ${at}`);
        const tree = treeOf([...leaves, 'abandoned', 'also abandoned']);
        tree.truncate(cut % size);
        for (const leaf of leaves.slice(cut % size)) tree.append(leafHash(utf8(leaf)));
        expect(tree.root()).toEqual(treeOf(leaves).root());
      }),
    );
  });
});
