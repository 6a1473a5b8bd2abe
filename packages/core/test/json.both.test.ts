import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closedMembers, concatBytes, type JsonValue, parseJson, parseJsonText, utf8 } from '../src/index.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

const multiline = new Set(['quorum', 'entry', 'proof']);

describe('the JSON profile accepts', () => {
  it.each([
    'null',
    'true',
    '0',
    '-1',
    '9007199254740991',
    '-9007199254740991',
    '""',
    '"\u00e9\u20ac\u{1f600}"',
    '"\u2028\u2029"',
    String.raw`"\"\\"`,
    '[]',
    '{}',
    '{"a":{"b":[1,"x",null,false]}}',
    '{"A9_.:-z":1}',
    `{"${'a'.repeat(64)}":1}`,
    String.raw`{"quorum":"a\nb","entry":"\n","proof":"x\ny"}`,
    '[100,-2000,9007199254740900]',
    '{"proof":"\\n\u2014 \\"\\\\\\n"}',
    nested(16),
    `${'{"a":'.repeat(16)}1${'}'.repeat(16)}`,
  ])('%s', (text) => {
    expect(JSON.stringify(parseJsonText(text, multiline))).toBe(text);
  });
});

it('lets line feeds stand only where the caller says so', () => {
  expect(() => parseJsonText(String.raw`{"quorum":"a\nb"}`)).toThrow(malformed);
});

describe('the JSON profile refuses', () => {
  it.each([
    ['a duplicate name', '{"a":1,"a":1}'],
    ['a duplicate name behind an escape', String.raw`{"a":1,"\u0061":1}`],
    ['a float', '1.5'],
    ['a float that is whole', '1.0'],
    ['an exponent', '1e3'],
    ['an exponent alone', '1e2'],
    ['an exponent as short as the number', '[1e2]'],
    ['an exponent before a comma', '[1E2,0]'],
    ['an exponent in an object', '{"a":-1e2}'],
    ['an exponent before a line feed', '[1e3\n]'],
    ['an exponent with a sign that white space makes up for', '[1e+4 ]'],
    ['an exponent that white space makes up for', '[1e3 ]'],
    ['an exponent that an escape makes up for', String.raw`[-1e7,"\u0061"]`],
    ['an exponent that a duplicate name makes up for', '{"a":1,"a":1e8}'],
    ['minus zero', '-0'],
    ['minus zero inside', '{"a":[-0]}'],
    ['2^53', '9007199254740992'],
    ['-2^53', '-9007199254740992'],
    ['a number without end', '1'.repeat(400)],
    ['a number that overflows', '1e999'],
    ['a leading zero', '01'],
    ['a plus', '+1'],
    ['white space', '{"a": 1}'],
    ['white space around', ' 1'],
    ['a line feed at the end', '1\n'],
    ['bytes at the end', '{}x'],
    ['two values', '{}{}'],
    ['a byte order mark', '\ufeff{}'],
    ['an escape that is not needed', String.raw`"\u0061"`],
    ['an escaped slash', String.raw`"\/"`],
    ['an escape in upper case', String.raw`"\u001F"`],
    ['an escaped lone surrogate', String.raw`"\ud800"`],
    ['a lone surrogate', '"\ud800"'],
    ['surrogates the wrong way around', String.raw`"\udc00\ud800"`],
    ['text that is not NFC', '"e\u0301"'],
    ['an Angstrom sign', '"\u212b"'],
    ['a tab', String.raw`"\t"`],
    ['a line feed elsewhere', String.raw`{"a":"\n"}`],
    ['a line feed in a list of quorums', String.raw`{"quorum":["\n"]}`],
    ['a carriage return in a proof', String.raw`{"proof":"\r\n"}`],
    ['NUL', String.raw`"\u0000"`],
    ['DEL', '"\u007f"'],
    ['a C1 control', '"\u0085"'],
    ['the last C1 control in a proof', '{"proof":"\u009f"}'],
    ['an empty name', '{"":1}'],
    ['a name that begins with a digit', '{"1":1}'],
    ['a name that begins with a line', '{"_a":1}'],
    ['__proto__', '{"__proto__":{"a":1}}'],
    ['a name with a space', '{"a b":1}'],
    ['a name of 65 characters', `{"${'a'.repeat(65)}":1}`],
    ['a name that is not ASCII', '{"\u00e9":1}'],
    ['depth 17', nested(17)],
    ['depth 17 of objects', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`],
    ['depth 100,000', nested(100_000)],
    ['nothing', ''],
    ['a comment', '{}//'],
    ['NaN', 'NaN'],
    ['single quotes', "'a'"],
    ['a trailing comma', '[1,]'],
  ])('%s', (_, text) => {
    expect(() => parseJsonText(text, multiline)).toThrow(malformed);
  });

  it.each([
    ['UTF-8 cut short', [0x22, 0xc3, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['an encoded surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x31, 0x00]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x31]],
  ])('%s', (_, bytes) => {
    expect(() => parseJson(Uint8Array.from(bytes))).toThrow(malformed);
  });
});

/** The rules again, in other words than the parser's. */
function obeys(value: unknown, member = '', depth = 1): boolean {
  if (typeof value === 'number')
    return (
      Math.abs(value) <= 2 ** 53 - 1 && /^(0|-?[1-9]\d*)$/.test(String(value)) && 1 / value !== -Infinity
    );
  if (typeof value === 'string') {
    const isMultiline = ['quorum', 'entry', 'proof'].includes(member);
    return (
      Array.from(value).every((character) => {
        const code = character.codePointAt(0) ?? 0;
        if (code >= 0xd800 && code <= 0xdfff) return false;
        return (code === 10 && isMultiline) || (code >= 32 && (code < 127 || code > 159));
      }) && value.normalize() === value
    );
  }
  if (value === null || typeof value !== 'object') return true;
  if (depth > 16) return false;
  if (Array.isArray(value)) return value.every((item) => obeys(item, '', depth + 1));
  return Object.entries(value).every(
    ([name, item]) =>
      /^[a-z]/i.test(name) && name.length <= 64 && !/[^\w.:-]/.test(name) && obeys(item, name, depth + 1),
  );
}

function isCanonical(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text && obeys(value);
  } catch {
    return false;
  }
}

function isAccepted(text: string): boolean {
  try {
    parseJsonText(text, multiline);
    return true;
  } catch (error) {
    expect(error).toEqual(malformed);
    return false;
  }
}

const character = fc.oneof(
  fc.constantFrom(
    'a',
    '"',
    '\\',
    '/',
    '\n',
    '\t',
    '\u007f',
    '\u0080',
    '\u009f',
    '\u00a0',
    '\ud800',
    '\udfff',
    'e\u0301',
    '\u00e9',
    '\ufeff',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);
const text = fc.array(character, { maxLength: 6 }).map((parts) => parts.join(''));
const name = fc.oneof(fc.constantFrom('a', 'quorum', 'entry', 'proof', 'v', 'x:y', '__proto__', ''), text);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 0, 1e21, 2 ** 53),
    fc.integer(),
    fc.maxSafeInteger(),
    text,
    fc.double(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((members) => Object.fromEntries(members)),
  ),
}));

describe('every text', () => {
  it('is accepted exactly where it is its own re-encoding and obeys the rules', () => {
    fc.assert(
      fc.property(value, (any) => {
        const encoded = JSON.stringify(any);
        expect(isAccepted(encoded)).toBe(isCanonical(encoded));
      }),
      { numRuns: 1000 },
    );
  });

  it('is accepted exactly then also after one change', () => {
    const splice = fc.tuple(
      value,
      fc.nat(),
      fc.nat(2),
      fc.constantFrom('', '0', '-', '"', ' ', ',', '{', '\\', 'e1', '\u0000'),
    );
    fc.assert(
      fc.property(splice, ([any, at, cut, put]) => {
        const encoded = JSON.stringify(any);
        const from = at % (encoded.length + 1);
        const changed = encoded.slice(0, from) + put + encoded.slice(from + cut);
        expect(isAccepted(changed)).toBe(isCanonical(changed));
      }),
      { numRuns: 1000 },
    );
  });
});

/** A text of one value in one of its many spellings: several at once, which can make up for each other's length. */
const spelling = fc.letrec<{ value: string; name: string }>((tie) => {
  const space = fc.constantFrom('', '', '', ' ', '  ');
  const between = (open: string, items: fc.Arbitrary<string>, close: string): fc.Arbitrary<string> =>
    fc
      .tuple(space, fc.array(items, { maxLength: 3 }), space)
      .map(([before, all, after]) => open + before + all.join(',') + after + close);
  return {
    name: fc.constantFrom('"a"', '"b"', String.raw`"\u0061"`),
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('100', '1e2', '1000', '1e3', '-1e3', '10e2', '1e7', '10000000', '1.5e3', '1e0', '7'),
      fc.constantFrom('""', '"a"', String.raw`"\u0061"`, String.raw`"\/"`, String.raw`"\""`, '"/"'),
      between('[', tie('value'), ']'),
      between(
        '{',
        fc.tuple(tie('name'), space, tie('value')).map(([label, gap, item]) => `${label}:${gap}${item}`),
        '}',
      ),
    ),
  };
}).value;

it('a value is accepted in one spelling alone', () => {
  fc.assert(
    fc.property(spelling, (spelled) => {
      expect(isAccepted(spelled)).toBe(isCanonical(spelled));
    }),
    { numRuns: 3000 },
  );
});

describe('closed members', () => {
  const read = (json: JsonValue): unknown => closedMembers(json, ['a', 'b'], 'thing');

  it('are read where all are there in order', () => {
    expect(read({ a: 1, b: 2 })).toEqual({ a: 1, b: 2 });
  });

  it.each([[{ b: 2, a: 1 }], [{ a: 1 }], [[]], [null], ['a'], [1]])('refuse %j', (json) => {
    expect(() => read(json as JsonValue)).toThrow(malformed);
  });

  it('ask for an update where a member is unknown', () => {
    expect(() => read({ a: 1, b: 2, c: 3 })).toThrow(expect.objectContaining({ code: 'TOO_NEW' }));
  });
});

it('bytes after the value are refused', () => {
  expect(() => parseJson(concatBytes(utf8('{}'), Uint8Array.of(0)))).toThrow(malformed);
});
