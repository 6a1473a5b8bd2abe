import { base64 } from '@tallystick/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRequest } from '../src/protocol/requests.ts';

const hash = base64(new Uint8Array(32).fill(5));
const nothing = new Uint8Array(0);
const at = '2026-03-01T12:00:00.000Z';
const record = {
  ns: 'acme',
  type: 'plan.created',
  subject: hash,
  rev: 0,
  prev: null,
  doc: hash,
  cause: hash,
  at,
};
const item = { record, documentLength: null };
const checkpoint = { origin: 'tally.example/log', size: 3, root: hash };
const statement = { origin: 'tally.example/log', index: 4, count: 2, root: hash, publishBy: at };

/** Requests with one thing wrong in each. */
const records = (changes: object, more: object = {}) => ({
  op: 'records',
  records: [{ ...item, record: { ...record, ...changes }, ...more }],
});
const promise = (changes: object) => ({ op: 'promise', statement: { ...statement, ...changes } });
const signedCheckpoint = (changes: object, proof: unknown = []) => ({
  op: 'checkpoint',
  checkpoint: { ...checkpoint, ...changes },
  proof,
});

describe('a request', () => {
  it('is read as what it asks for', () => {
    expect(parseRequest({ op: 'hello', id: 1 }, nothing)).toEqual({ op: 'hello' });
    expect(parseRequest({ op: 'records', records: [item] }, nothing)).toMatchObject({
      records: [{ record: { ns: 'acme', rev: 0, prev: null }, content: null }],
    });
    expect(parseRequest(promise({}), nothing)).toMatchObject({ statement: { index: 4, count: 2 } });
    expect(parseRequest(signedCheckpoint({}, [hash]), nothing)).toMatchObject({ checkpoint: { size: 3 } });
  });

  it('carries its documents behind it, each with its salt', () => {
    const lengths = [3, null, 0, 5];
    const attachments = Buffer.concat(
      lengths.flatMap((length) =>
        length === null ? [] : [Buffer.alloc(32, length), Buffer.alloc(length, length)],
      ),
    );
    const request = { op: 'records', records: lengths.map((documentLength) => ({ record, documentLength })) };
    const parsed = parseRequest(request, attachments);
    const contents = parsed.op === 'records' ? parsed.records.map(({ content }) => content) : [];
    expect(contents.map((content) => content?.document.length ?? null)).toEqual(lengths);
    expect(contents.map((content) => content?.salt[0] ?? null)).toEqual(lengths);
  });

  const malformed: [string, unknown, Uint8Array?][] = [
    ['nothing', null],
    ['a list', []],
    ['text', 'hello'],
    ['records without a list', { op: 'records' }],
    ['an object of records', { op: 'records', records: { 0: item } }],
    ['a record without content', { op: 'records', records: [{}] }],
    ['null for a record', { op: 'records', records: [null] }],
    [
      'more records than may be asked for',
      { op: 'records', records: Array.from({ length: 4097 }, () => item) },
    ],
    ['another namespace syntax', records({ ns: 'Acme' })],
    ['an empty namespace', records({ ns: '' })],
    ['a type without a verb', records({ type: 'license' })],
    ['a type with more after it', records({ type: 'license.issued"' })],
    ['a type of two lines', records({ type: 'license.issued\n' })],
    ['a subject that is not base64', records({ subject: '*' })],
    ['a subject of 31 bytes', records({ subject: base64(new Uint8Array(31)) })],
    ['base64 without padding', records({ subject: hash.replace('=', '') })],
    ['a negative revision', records({ rev: -1, prev: hash })],
    ['a revision in quotes', records({ rev: '0' })],
    ['revision 0 with a predecessor', records({ prev: hash })],
    ['revision 1 without one', records({ rev: 1 })],
    ['a number for a commitment', records({ doc: 7 })],
    ['no cause', records({ cause: undefined })],
    ['a date without a time', records({ at: '2026-03-01' })],
    ['a day that does not exist', records({ at: '2026-02-30T12:00:00.000Z' })],
    ['a document that does not follow', records({}, { documentLength: 1 })],
    ['a document of unknown length', records({}, { documentLength: undefined })],
    ['a document of negative length', records({}, { documentLength: -1 })],
    ['a document above 256 KiB', records({}, { documentLength: 262_145 }), new Uint8Array(262_177)],
    ['a salt cut short', records({}, { documentLength: 0 }), new Uint8Array(31)],
    ['bytes that nothing asked for', { op: 'records', records: [item] }, new Uint8Array(1)],
    ['bytes behind the last document', records({}, { documentLength: 1 }), new Uint8Array(34)],
    ['a promise without a statement', { op: 'promise' }],
    ['a promise of nothing', promise({ count: 0 })],
    ['a promise for index -1', promise({ index: -1 })],
    ['a promise without an end', promise({ publishBy: null })],
    ['a promise until tomorrow', promise({ publishBy: 'tomorrow' })],
    ['a promise with a short root', promise({ root: 'AAAA' })],
    ['a checkpoint without content', { op: 'checkpoint', proof: [] }],
    ['a checkpoint without a proof', { op: 'checkpoint', checkpoint }],
    ['a checkpoint with two lines for an origin', signedCheckpoint({ origin: 'a\nb' })],
    ['a checkpoint with spaces in its origin', signedCheckpoint({ origin: 'a b' })],
    ['a checkpoint of size -1', signedCheckpoint({ size: -1 })],
    ['a checkpoint with its size in quotes', signedCheckpoint({ size: '3' })],
    ['a checkpoint with a short root', signedCheckpoint({ root: 'AAAA' })],
    [
      'a proof of more than 63 hashes',
      signedCheckpoint(
        {},
        Array.from({ length: 64 }, () => hash),
      ),
    ],
    ['a proof of short hashes', signedCheckpoint({}, ['AAAA'])],
    ['a proof of numbers', signedCheckpoint({}, [1])],
  ];
  it.each(malformed)('is malformed with %s', (_what, header, attachments = nothing) => {
    expect(() => parseRequest(header, attachments)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it.each([
    'sign',
    'raw',
    'signBytes',
    'export',
    'keys',
    '',
    'HELLO',
    '__proto__',
    'constructor',
    undefined,
    7,
  ])('for %j is unknown: nothing signs given bytes or hands out keys', (op) => {
    expect(() => parseRequest({ op, message: hash, bytes: hash }, Buffer.from('bytes'))).toThrow(
      expect.objectContaining({ name: 'SignerRefusal', reason: 'unknown_request' }),
    );
  });

  it('of any shape is carried out or refused with a reason', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(hash, at, 'acme', 0, 1, null, record, [item], statement),
    );
    const header = fc.record({
      op: fc.constantFrom('hello', 'records', 'promise', 'checkpoint', 'sign'),
      records: value,
      statement: value,
      checkpoint: value,
      proof: value,
    });
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 80 }), (given, attachments) => {
        try {
          parseRequest(given, attachments);
        } catch (error) {
          expect(['IntegrityError', 'SignerRefusal']).toContain((error as Error).name);
        }
      }),
      { numRuns: 500 },
    );
  });
});
