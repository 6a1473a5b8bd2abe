import { expect, it, test } from 'vitest';
import {
  isCode,
  isId,
  isLicenseKey,
  isMetadataKey,
  isNamespaceName,
  isText,
  looksLikeId,
  utf8Length,
} from '../src/index.ts';

test.each(['', 'Contoso GmbH', 'Müller & Söhne', '株式会社', 'x'.repeat(200), '🎉'.repeat(200), '\u00a0'])(
  '%j is text',
  (text) => {
    expect(isText(text)).toBe(true);
  },
);

test.each([
  ['a tab', 'a\tb'],
  ['a line feed', 'a\nb'],
  ['delete', 'a\u007fb'],
  ['a C1 control', 'a\u0085b'],
  ['a lone surrogate', 'a\ud800b'],
  ['a decomposed letter', 'Mu\u0308ller'],
  ['201 letters', 'x'.repeat(201)],
  ['201 code points beyond the first plane', '🎉'.repeat(201)],
])('%s is refused in text', (_, text) => {
  expect(isText(text)).toBe(false);
});

test.each([
  ['a', true],
  ['acme-pro', true],
  ['a.b_c-9', true],
  ['a'.repeat(64), true],
  ['constructor', true],
  ['a'.repeat(65), false],
  ['9a', false],
  ['A', false],
  ['', false],
  ['__proto__', false],
  ['a b', false],
  ['a\n', false],
])('%j as a code: %s', (text, expected) => {
  expect(isCode(text)).toBe(expected);
});

test.each([
  ['order_id', true],
  ['crm:Account.1-x', true],
  ['a'.repeat(40), true],
  ['a'.repeat(41), false],
  ['__proto__', false],
  ['1a', false],
  ['', false],
])('%j as a metadata key: %s', (text, expected) => {
  expect(isMetadataKey(text)).toBe(expected);
});

it('tells ids from other texts', () => {
  const id = 'lic_01h455vb4pex5vsknk084sn02q';
  expect(isId('lic', id)).toBe(true);
  expect(isId('prd', id)).toBe(false);
  expect(looksLikeId(id)).toBe(true);
  for (const text of [
    'lic_1',
    `${id}0`,
    id.toUpperCase(),
    'lic_81h455vb4pex5vsknk084sn02q',
    id.replace('h', 'i'),
  ]) {
    expect(looksLikeId(text)).toBe(false);
  }
});

it('tells names of namespaces and license keys from other texts', () => {
  expect(isNamespaceName('acme-1')).toBe(true);
  expect(isNamespaceName('a'.repeat(32))).toBe(false);
  expect(isNamespaceName('Acme')).toBe(false);
  expect(isLicenseKey('ABCD-1234')).toBe(true);
  for (const text of ['short', 'with space in it', 'größer-als-7', 'x'.repeat(201)])
    expect(isLicenseKey(text)).toBe(false);
});

test.each(['', 'abc', 'Müller', '株式', 'a🎉b'])('the UTF-8 length of %j', (text) => {
  expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
});
