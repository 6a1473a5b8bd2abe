import { describe, expect, it } from 'vitest';
import { scanBundle } from '../src/bundle/scan-bundle.ts';
import { parseJson } from '../src/encoding/json.ts';
import { encodeBundle, parseBundle, utf8 } from '../src/index.ts';
import { story } from './support/bundle-case.ts';
import { licenseId, strangerId } from './support/world.ts';

const { world, second } = story();
const text = encodeBundle(world.bundle(licenseId, second));
const multiline = new Set(['entry', 'proof']);

/** Texts that differ from a bundle in one place, where JSON or UTF-8 has more than one way to say something. */
function* variants(): Generator<string> {
  const others = [
    '',
    ' ',
    '"',
    '\\',
    '\\n',
    '\n',
    '\\u000a',
    '\\u2014',
    '\u0000',
    '\u007f',
    'é',
    'e\u0301',
    '0',
    '-',
    '=',
  ];
  for (let at = 0; at <= text.length; at += 13) {
    for (const other of others) {
      yield text.slice(0, at) + other + text.slice(at);
      yield text.slice(0, at) + other + text.slice(at + 1);
    }
  }
  const escapes: [string, string][] = [
    ['—', '\\u2014'],
    ['\\n', '\\u000a'],
    ['\\n', '\n'],
    ['\\n', '\\\\n'],
    ['"v":1', '"v":1.0'],
    ['"index":', '"index":0'],
    ['"index":', '"index":-'],
    ['"trust":[]', '"trust":[ ]'],
    ['"path":[', '"path":[,'],
    ['],"subjects"', ',],"subjects"'],
  ];
  for (const [from, to] of escapes) yield text.replace(from, () => to);
  yield `${text} `;
  yield `\u{feff}${text}`;
}

describe('a bundle is read without JSON', () => {
  it('as JSON reads it', () => {
    expect(scanBundle(utf8(text))).toEqual(parseJson(utf8(text), multiline));
  });

  it('and where it proves an absence, by way of JSON', () => {
    const absent = utf8(encodeBundle(world.bundle(strangerId, second)));
    expect(() => scanBundle(absent)).toThrow();
    expect(utf8(encodeBundle(parseBundle(absent)))).toEqual(absent);
  });

  it('in its one encoding alone', () => {
    const other: string[] = [];
    let parsed = 0;
    for (const variant of variants()) {
      let encoded: string;
      try {
        encoded = encodeBundle(parseBundle(utf8(variant)));
      } catch {
        continue;
      }
      parsed += 1;
      if (encoded !== variant) other.push(variant);
    }
    expect(other).toEqual([]);
    expect(parsed).toBeGreaterThan(0);
  });

  it('in UTF-8 alone', () => {
    const bytes = utf8(text);
    const dash = bytes.indexOf(0xe2);
    const changed = bytes.slice();
    changed[dash + 1] = 0x22;
    expect(() => parseBundle(changed)).toThrow('not valid UTF-8');
    changed[dash + 1] = 0xc0;
    expect(() => parseBundle(changed)).toThrow('not valid UTF-8');
  });
});
