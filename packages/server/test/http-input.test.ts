/** What the server takes from outside before anything else looks at it: bodies and tokens. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from '../src/http/json-body.ts';
import { hashToken, tokenOf } from '../src/http/tokens.ts';

/** No member of the contract has a name that JSON would write with an escape. */
function hasEscapedName(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(
    ([name, each]) => JSON.stringify(name).includes('\\') || hasEscapedName(each),
  );
}

describe('a JSON body', () => {
  it('without duplicate members is what JSON.parse makes of it, however it is spaced', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6 }).filter((value) => !hasEscapedName(value)),
        fc.constantFrom(undefined, 1, '\t', ' : '),
        (value, space) => {
          const text = JSON.stringify(value, null, space?.toString().trim() === '' ? space : undefined);
          expect(parseJsonBody(text)).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('with a member twice anywhere in it is refused, whatever stands around it', () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('a', '__proto__', 'a:b', '"', '\\', '\u0000', '{"a":1}'),
    );
    const value = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(
        name,
        value,
        value,
        value,
        fc.array(fc.boolean(), { maxLength: 8 }),
        (key, a, b, c, nesting) => {
          const quoted = JSON.stringify(key);
          const twice = `{"first":${JSON.stringify(c)},${quoted}:${JSON.stringify(a)},${quoted}:${JSON.stringify(b)}}`;
          const nested = nesting.reduce((text, isList) => (isList ? `[1,${text}]` : `{"in":${text}}`), twice);
          if (key !== 'first') expect(() => parseJsonBody(nested)).toThrow(SyntaxError);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":1,"b":1}}',
    '{"a":{"b":1},"a":{"b":1}}',
    '{"a":"x:y","a":"x"}',
    '{"__proto__":1,"__proto__":2}',
    '[{"a":1},{"a":1,"a":1}]',
  ])('refuses %s', (text) => {
    expect(() => parseJsonBody(text)).toThrow(SyntaxError);
  });

  it.each(['', '{', '{"a":1,}', '{a:1}', "{'a':1}", '{"a":1}{"a":1}', 'NaN', '\ufeff{}', '{"a":1}\u0000'])(
    'refuses %j as no JSON',
    (text) => {
      expect(() => parseJsonBody(text)).toThrow(SyntaxError);
    },
  );

  it('nested 32 deep is read, and deeper is refused without running out of stack', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJsonBody(nested(32))).toBeDefined();
    expect(() => parseJsonBody(nested(33))).toThrow(/too deep/);
    expect(() => parseJsonBody(nested(100_000))).toThrow(SyntaxError);
    expect(() => parseJsonBody(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)).toThrow(SyntaxError);
  });

  it('does not give an object another prototype', () => {
    const parsed = parseJsonBody('{"__proto__":{"isAdmin":true}}') as { isAdmin?: boolean };
    expect(parsed.isAdmin).toBeUndefined();
  });
});

describe('a token', () => {
  const hashes = { adminTokenHash: hashToken('admin-secret'), mirrorTokenHash: hashToken('mirror-secret') };

  it.each([
    ['Bearer admin-secret', 'bootstrap'],
    ['bearer admin-secret', 'bootstrap'],
    ['BEARER mirror-secret', 'mirror'],
  ])('in %j is that of %s', (header, kind) => {
    expect(tokenOf(header, hashes)).toBe(kind);
  });

  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer  admin-secret',
    'Bearer admin-secret ',
    'Bearer admin-secret, Bearer mirror-secret',
    'Bearer admin secret',
    'Bearer admin-secret\n',
    'Basic admin-secret',
    'Token admin-secret',
    'admin-secret',
    'Bearer Admin-secret',
    'Bearer \u00e4dmin-secret',
    `Bearer ${'x'.repeat(513)}`,
    `Bearer ${hashToken('admin-secret')}`,
  ])('in %j is nobody’s', (header) => {
    expect(tokenOf(header, hashes)).toBeNull();
  });

  it('that is empty opens nothing, also where no hash was configured', () => {
    expect(tokenOf('Bearer ', { adminTokenHash: hashToken(''), mirrorTokenHash: '' })).toBeNull();
    expect(tokenOf('Bearer x', { adminTokenHash: '', mirrorTokenHash: '' })).toBeNull();
  });
});
