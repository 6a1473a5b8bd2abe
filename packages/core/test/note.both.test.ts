import { describe, expect, it } from 'vitest';
import {
  decodeHex,
  formatVerifierKey,
  isSignedBy,
  makeVerifierKey,
  noteSignatureType,
  parseNote,
  parseVerifierKey,
  signaturesBy,
  utf8,
} from '../src/index.ts';

/** The example of golang.org/x/mod/sumdb/note. */
const peterText = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const signed = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

describe('the signed-note example', () => {
  const peter = parseVerifierKey(peterText);

  it('verifies', async () => {
    const note = parseNote(utf8(signed));
    const [line] = signaturesBy(note, peter);
    expect(await isSignedBy(peter, utf8(note.text), line?.signature ?? new Uint8Array())).toBe(true);
  });

  it('fails with any change of its text', async () => {
    const note = parseNote(utf8(signed.replace('answer', 'Answer')));
    const [line] = signaturesBy(note, peter);
    expect(await isSignedBy(peter, utf8(note.text), line?.signature ?? new Uint8Array())).toBe(false);
  });

  it('formats back to the same key', () => {
    expect(formatVerifierKey(peter)).toBe(peterText);
  });
});

describe('verifier keys', () => {
  it('name the deterministic cosigner of the vector', () => {
    const vkey = parseVerifierKey(
      'example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5Q',
    );
    expect(vkey.type).toBe(noteSignatureType.ed25519Cosignature);
  });

  it.each([
    ['another key id', 'PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
    ['an unknown type', 'PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
    ['missing padding', 'example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5'],
    ['a space in the name', 'Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
    ['nothing', ''],
  ])('are refused with %s', (_, text) => {
    expect(() => parseVerifierKey(text)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it.each([
    `01${'00'.repeat(31)}`,
    `01${'00'.repeat(30)}80`,
    '00'.repeat(32),
    `${'00'.repeat(31)}80`,
    `ec${'ff'.repeat(30)}7f`,
    `ec${'ff'.repeat(31)}`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
    `ff${'ff'.repeat(31)}`,
  ])('are refused with the weak point %s', (point) => {
    const make = () => makeVerifierKey('weak', noteSignatureType.ed25519, decodeHex(point));
    expect(make).toThrow(/small order|canonical/);
  });
});

describe('notes', () => {
  it('are split at the last blank line', () => {
    expect(parseNote(utf8('a\n\nb\n\n— x AAAAAAA=\n')).text).toBe('a\n\nb\n');
  });

  it.each([
    ['no signature', 'text\n'],
    ['no final line feed', 'text\n\n— x AAAAAAA='],
    ['a carriage return', 'text\r\n\n— x AAAAAAA=\n'],
    ['a hyphen for the dash', 'text\n\n- x AAAAAAA=\n'],
    ['loose base64', 'text\n\n— x AAAAAAB=\n'],
    ['an empty signature', 'text\n\n— x AAAAAA==\n'],
    ['65 signatures', `text\n\n${'— x AAAAAAA=\n'.repeat(65)}`],
  ])('are refused with %s', (_, text) => {
    expect(() => parseNote(utf8(text))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});
