import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countedTwice,
  formatVerifierKey,
  isQuorum,
  makeVerifierKey,
  noteSignatureType,
  operatorsMax,
  type Policy,
  parsePolicy,
  policyOfGroup,
  sha256,
  toleranceOf,
  utf8,
} from '../src/index.ts';

/** A witness line; the operator is what stands before the slash of the key's name. */
function witness(name: string, keyName = name): string {
  const key = sha256(utf8(name));
  return `witness ${name} ${formatVerifierKey(makeVerifierKey(keyName, noteSignatureType.ed25519Cosignature, key))}\n`;
}

/** k of n, each with two keys, of n operators. */
function kOf(k: number, names: readonly string[]): string {
  const lines = names.map(
    (name) =>
      `${witness(`${name}/1`, name)}${witness(`${name}/2`, name)}group ${name} all ${name}/1 ${name}/2\n`,
  );
  return `${lines.join('')}group of ${k} ${names.join(' ')}\nquorum of\n`;
}

const letters = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => String.fromCharCode(97 + at));

describe('what a policy tolerates', () => {
  it.each([
    // k, n, colluding without a quorum of their own, away, who has to cheat for two histories
    [1, 1, 0, 0, 1],
    [1, 2, 0, 1, 0],
    [2, 3, 1, 1, 1],
    [3, 4, 2, 1, 2],
    [3, 5, 2, 2, 1],
    [5, 7, 4, 2, 3],
    [8, 16, 7, 8, 0],
  ])('of %i of %i operators', (k, n, colluding, absent, split) => {
    const found = toleranceOf(parsePolicy(kOf(k, letters(n))));
    expect(found).toMatchObject({ quorumMin: colluding + 1, absentMax: absent, splitMin: split });
    expect(found?.operators).toEqual(letters(n));
  });

  it('counts people, not keys', () => {
    const keys = ['a/1', 'a/2', 'b/1'];
    const policy = parsePolicy(
      `${keys.map((name) => witness(name)).join('')}group g 2 ${keys.join(' ')}\nquorum g\n`,
    );
    expect(toleranceOf(policy)).toEqual({
      operators: ['a', 'b'],
      quorumMin: 1,
      absentMax: 0,
      splitMin: 1,
      sufficient: ['a'],
      necessary: ['a'],
    });
    expect(countedTwice(policy)).toEqual([{ operator: 'a', group: 'g', members: ['a/1', 'a/2'] }]);
    const own = (name: string): string => (name === 'a/2' ? 'c' : name);
    expect(toleranceOf(policy, own)).toMatchObject({ quorumMin: 2, absentMax: 1, sufficient: [] });
    expect(countedTwice(policy, own)).toEqual([]);
  });

  it('takes names of hosts for the same in upper and lower case', () => {
    const found = toleranceOf(
      parsePolicy(`${witness('a', 'w.example/a')}${witness('b', 'W.Example/b')}group g all a b\nquorum g\n`),
    );
    expect([found?.operators, found?.quorumMin]).toEqual([['w.example'], 1]);
  });

  it('does not call a cosigner with two keys one that counts twice', () => {
    expect(countedTwice(parsePolicy(kOf(2, ['a', 'b', 'c'])))).toEqual([]);
  });

  it('leaves out those whom the quorum does not reach', () => {
    const policy = parsePolicy(`${witness('a')}${witness('b')}group all all a b\nquorum a\n`);
    expect(toleranceOf(policy)?.operators).toEqual(['a']);
    expect(toleranceOf(policyOfGroup(policy, 'all'))?.operators).toEqual(['a', 'b']);
    expect(() => policyOfGroup(policy, 'c')).toThrow(RangeError);
  });

  it('is nothing where a policy asks for nobody', () => {
    expect(toleranceOf(parsePolicy('quorum none\n'))).toMatchObject({
      operators: [],
      quorumMin: 0,
      splitMin: 0,
    });
  });

  it('is not guessed for more operators than can be looked at', () => {
    expect(toleranceOf(parsePolicy(kOf(2, letters(operatorsMax))))).not.toBeNull();
    expect(toleranceOf(parsePolicy(kOf(2, letters(operatorsMax + 1))))).toBeNull();
  });

  it('is what trying every choice of liars and absentees finds, for groups in groups', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const found = toleranceOf(policy);
        const { operators = [] } = found ?? {};
        const subsets = subsetsOf(operators);
        const enough = subsets.filter((set) => isMet(policy, set));
        expect(found?.quorumMin).toBe(Math.min(...enough.map((set) => set.length)));
        const missed = subsets.filter((away) => !isMet(policy, without(operators, away)));
        expect(found?.absentMax).toBe(Math.min(...missed.map((away) => away.length)) - 1);
        // Liars sign both histories, and each honest operator the one that it sees.
        const splits = subsets.filter((liars) => {
          const honest = without(operators, liars);
          return subsetsOf(honest).some(
            (first) =>
              isMet(policy, [...liars, ...first]) && isMet(policy, [...liars, ...without(honest, first)]),
          );
        });
        expect(found?.splitMin).toBe(Math.min(...splits.map((liars) => liars.length)));
      }),
      { numRuns: 60 },
    );
  });
});

/** Two groups of up to three members below a third, over up to five operators of one or two cosigners. */
const policies: fc.Arbitrary<Policy> = fc
  .tuple(
    fc.array(fc.nat(4), { minLength: 2, maxLength: 7 }),
    fc.nat(2),
    fc.nat(2),
    fc.constantFrom(1, 2),
    fc.nat(6),
  )
  .map(([owners, k1, k2, k, cut]) => {
    const names = owners.map((owner, at) => `${'abcde'[owner]}/${at}`);
    const at = 1 + (cut % (names.length - 1));
    const groups = [names.slice(0, at), names.slice(at)].map((members, which) => {
      const threshold = 1 + ((which === 0 ? k1 : k2) % members.length);
      return `group g${which} ${threshold} ${members.join(' ')}\n`;
    });
    return parsePolicy(
      `${names.map((name) => witness(name)).join('')}${groups.join('')}group both ${k} g0 g1\nquorum both\n`,
    );
  });

function isMet(policy: Policy, operators: readonly string[]): boolean {
  const present = policy.witnesses.filter(({ vkey }) => operators.includes(vkey.name.split('/')[0] ?? ''));
  return isQuorum(policy, new Set(present.map(({ name }) => name)));
}

function subsetsOf([first, ...rest]: readonly string[]): string[][] {
  if (first === undefined) return [[]];
  const others = subsetsOf(rest);
  return [...others, ...others.map((set) => [first, ...set])];
}

function without(all: readonly string[], some: readonly string[]): string[] {
  return all.filter((each) => !some.includes(each));
}
