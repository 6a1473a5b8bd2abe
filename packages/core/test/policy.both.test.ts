import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatVerifierKey,
  isQuorum,
  makeVerifierKey,
  type NoteSignatureType,
  noteSignatureType,
  parsePolicy,
  quorumTime,
  sha256,
  utf8,
} from '../src/index.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const { ed25519, ed25519Cosignature, mlDsa44Cosignature } = noteSignatureType;

function vkey(name: string, type: NoteSignatureType = ed25519Cosignature, seed = name): string {
  const key = type === mlDsa44Cosignature ? new Uint8Array(1312).fill(seed.length) : sha256(utf8(seed));
  return formatVerifierKey(makeVerifierKey(name, type, key));
}

const witness = (name: string): string => `witness ${name} ${vkey(name)}\n`;
const three = ['a', 'b', 'c'].map(witness).join('');

describe('a policy', () => {
  it('may have comments, tabs, blank lines, urls and no final line feed', () => {
    const text = `# comment\n\n \t# another\nlog ${vkey('log', ed25519)} https://log.example/\n\twitness\ta  ${vkey('a')} https://w.example/ \nquorum a`;
    const policy = parsePolicy(text);
    expect(policy.logs.length).toBe(1);
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([['a', 'https://w.example/']]);
    expect(policy.quorum).toBe('a');
  });

  it('may be the example of the standard: two of X and any of Y', () => {
    const names = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'];
    const policy = parsePolicy(
      `${names.map(witness).join('')}group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n`,
    );
    expect(isQuorum(policy, new Set(['X1', 'X3', 'Y2']))).toBe(true);
    expect(isQuorum(policy, new Set(['X1', 'Y1', 'Y2', 'Y3']))).toBe(false);
    expect(isQuorum(policy, new Set(['X1', 'X2', 'X3']))).toBe(false);
  });

  it('may ask for nobody', () => {
    expect(isQuorum(parsePolicy('quorum none\n'), new Set())).toBe(true);
  });

  it('may list ML-DSA-44 cosigners and log keys', () => {
    const text = `log ${vkey('log', mlDsa44Cosignature, 'xy')}\nwitness a ${vkey('a', mlDsa44Cosignature)}\nquorum a\n`;
    expect(parsePolicy(text).witnesses[0]?.vkey.alg).toBe('ml-dsa-44');
  });

  it.each([
    ['nothing', ''],
    ['no quorum', three],
    ['two quorums', `${three}quorum a\nquorum a\n`],
    ['a quorum of an unknown name', `${three}quorum d\n`],
    ['a quorum before its witness', `quorum a\n${three}`],
    ['a quorum of two names', `${three}quorum a b\n`],
    ['a quorum without a name', `${three}quorum\n`],
    ['an unknown line', `${three}quorum a\nmirror a\n`],
    ['a keyword in upper case', `${three}QUORUM a\n`],
    ['a witness without a key', 'witness a\nquorum a\n'],
    ['a witness with four words', `witness a ${vkey('a')} url more\nquorum a\n`],
    ['a witness with a log key', `witness a ${vkey('a', ed25519)}\nquorum a\n`],
    ['a log with a witness key', `log ${vkey('l')}\nquorum none\n`],
    ['a log without a key', 'log\nquorum none\n'],
    ['a log with three words', `log ${vkey('l', ed25519)} url more\nquorum none\n`],
    ['a witness named none', `witness none ${vkey('a')}\nquorum none\n`],
    ['a group named none', `${three}group none any a\nquorum none\n`],
    ['a name taken by a witness', `${three}witness a ${vkey('d')}\nquorum a\n`],
    ['a group with the name of a witness', `${three}group a any b\nquorum a\n`],
    ['a group with the name of a group', `${three}group g any a\ngroup g any b\nquorum g\n`],
    [
      'one key under two names',
      `witness a ${vkey('a')}\nwitness b ${vkey('b', ed25519Cosignature, 'a')}\nquorum a\n`,
    ],
    ['one key as log and witness', `log ${vkey('l', ed25519, 'a')}\nwitness a ${vkey('a')}\nquorum a\n`],
    ['one log key twice', `log ${vkey('l', ed25519)}\nlog ${vkey('m', ed25519, 'l')}\nquorum none\n`],
    ['a witness in two groups', `${three}group g any a b\ngroup h any a\nquorum g\n`],
    ['a witness twice in a group', `${three}group g 2 a a\nquorum g\n`],
    ['a group in two groups', `${three}group g any a\ngroup h any g\ngroup i any g\nquorum h\n`],
    ['a group in itself', `${three}group g any g\nquorum g\n`],
    ['a forward reference', `${three}group g any h\ngroup h any a\nquorum g\n`],
    ['none as a member', `${three}group g any none\nquorum g\n`],
    ['a group without members', `${three}group g any\nquorum g\n`],
    ['a group without a rule', `${three}group g\nquorum a\n`],
    ['threshold 0', `${three}group g 0 a b\nquorum g\n`],
    ['a threshold above the members', `${three}group g 3 a b\nquorum g\n`],
    ['a threshold with a zero in front', `${three}group g 01 a b\nquorum g\n`],
    ['a negative threshold', `${three}group g -1 a b\nquorum g\n`],
    ['a threshold in words', `${three}group g most a b\nquorum g\n`],
    ['a carriage return', `${three}quorum a\r\n`],
    ['NUL', `${three}quorum a\n#\0\n`],
    ['a vertical tab', `${three}quorum\va\n`],
    ['a no-break space for white space', `${three}quorum\u00a0a\n`],
    ['257 lines', `${three}${'\n'.repeat(257)}quorum a\n`],
    [
      '65 members',
      `${Array.from({ length: 65 }, (_, at) => witness(`w${at}`)).join('')}group g any ${Array.from({ length: 65 }, (_, at) => `w${at}`).join(' ')}\nquorum g\n`,
    ],
  ])('is refused with %s', (_, text) => {
    expect(() => parsePolicy(text)).toThrow(malformed);
  });

  it.each([
    [`${three}group g 3 a b\nquorum g\n`, 'policy, line 4: the threshold of group g is not from 1 to 2'],
    [`${three}witness d foo+12+abc\nquorum a\n`, 'policy, line 4: not strict base64'],
    [`${three}\n# note\nquorum a b\n`, 'policy, line 6: a quorum line has one name'],
    [`${three}quorum a\nquorum a\n`, 'policy, line 5: there is a quorum line before'],
    [`${three}qourum a\n`, 'policy, line 4: qourum begins no line of a policy'],
  ])('is refused with the line that is wrong: %#', (text, message) => {
    expect(() => parsePolicy(text)).toThrow(message);
  });
});

/** Rules over six cosigners, by the text that a person would write. */
const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const policies = fc
  .record({
    split: fc.integer({ min: 1, max: 5 }),
    k: fc.nat(),
    l: fc.nat(),
    top: fc.constantFrom('all', 'any'),
  })
  .map(({ split, k, l, top }) => {
    const groups = `group g ${1 + (k % split)} ${names.slice(0, split).join(' ')}\ngroup h ${1 + (l % (6 - split))} ${names.slice(split).join(' ')}\n`;
    return parsePolicy(`${names.map(witness).join('')}${groups}group top ${top} g h\nquorum top\n`);
  });
const times = fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 1, max: 8 }));

describe('the time of a quorum', () => {
  it('is the largest T whose cosignatures at T or later are a quorum, as by trying every T', () => {
    fc.assert(
      fc.property(policies, times, (policy, seen) => {
        let largest: number | undefined;
        for (let time = 0; time <= 9; time++) {
          const present = Object.keys(seen).filter((name) => (seen[name] as number) >= time);
          if (isQuorum(policy, new Set(present))) largest = time;
        }
        expect(quorumTime(policy, new Map(Object.entries(seen)))).toBe(largest);
      }),
      { numRuns: 500 },
    );
  });

  it('never comes from strangers', () => {
    const policy = parsePolicy(`${three}group g 2 a b c\nquorum g\n`);
    expect(
      quorumTime(
        policy,
        new Map([
          ['a', 5],
          ['x', 9],
          ['y', 9],
        ]),
      ),
    ).toBeUndefined();
    expect(
      quorumTime(
        policy,
        new Map([
          ['a', 5],
          ['x', 9],
          ['b', 3],
        ]),
      ),
    ).toBe(3);
  });
});
