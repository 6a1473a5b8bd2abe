import { base64 } from '@tallystick/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchRequest, parseRequest } from '../src/protocol/requests.ts';

const hash = base64(new Uint8Array(32).fill(5));
const nothing = new Uint8Array(0);
const at = '2026-03-01T12:00:00.000Z';
const item = { ns: 'acme', type: 'plan.created', rev: 0, at, documentLength: null };
/** Subject, document and cause of a record at revision 0. */
const hashes = new Uint8Array(3 * 32).fill(5);
const checkpoint = { origin: 'tally.example/log', size: 3, root: hash };
const statement = { origin: 'tally.example/log', index: 4, count: 2, root: hash, publishBy: at };

/** Requests with one thing wrong in each. */
const batch = (changes: object, more: object = {}) => ({
  op: 'batch',
  index: 4,
  publishBy: at,
  records: [{ ...item, ...changes }],
  ...more,
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
    expect(parseRequest(batch({}), hashes)).toMatchObject({
      batch: {
        index: 4,
        publishBy: at,
        records: [{ record: { ns: 'acme', rev: 0, prev: null }, content: null }],
      },
    });
    expect(parseRequest(promise({}), nothing)).toMatchObject({ statement: { index: 4, count: 2 } });
    expect(parseRequest(signedCheckpoint({}, [hash]), nothing)).toMatchObject({ checkpoint: { size: 3 } });
  });

  it('carries the bytes of its records behind it, each with its own, and reads what was written', () => {
    const bytes = (value: number, length = 32): Uint8Array => Buffer.alloc(length, value);
    const records = [3, null, 0, 5].map((length, nth) => ({
      record: {
        ns: 'acme',
        type: 'license.issued',
        rev: nth,
        at,
        subject: bytes(10 + nth),
        prev: nth === 0 ? null : bytes(20 + nth),
        doc: bytes(30 + nth),
        cause: bytes(40 + nth),
      },
      content: length === null ? null : { salt: bytes(50 + nth), document: bytes(60 + nth, length) },
    }));
    const { header, attachments } = batchRequest({ records, index: 7, publishBy: at });
    const parsed = parseRequest(JSON.parse(JSON.stringify(header)), Buffer.concat(attachments));
    expect(parsed).toEqual({ op: 'batch', batch: { records, index: 7, publishBy: at } });
  });

  const malformed: [string, unknown, Uint8Array?][] = [
    ['nothing', null],
    ['a list', []],
    ['text', 'hello'],
    ['a batch without a list', batch({}, { records: undefined })],
    ['a batch of nothing', batch({}, { records: [] }), nothing],
    ['a batch at index -1', batch({}, { index: -1 })],
    ['a batch without an index', batch({}, { index: undefined })],
    ['a batch until tomorrow', batch({}, { publishBy: 'tomorrow' })],
    ['an object of records', batch({}, { records: { 0: item } })],
    ['a record without content', batch({}, { records: [{}] })],
    ['null for a record', batch({}, { records: [null] })],
    [
      'more records than may be asked for',
      batch({}, { records: Array.from({ length: 4097 }, () => item) }),
      new Uint8Array(4097 * 96),
    ],
    ['another namespace syntax', batch({ ns: 'Acme' })],
    ['an empty namespace', batch({ ns: '' })],
    ['a type without a verb', batch({ type: 'license' })],
    ['a type with more after it', batch({ type: 'license.issued"' })],
    ['a type of two lines', batch({ type: 'license.issued\n' })],
    ['a negative revision', batch({ rev: -1 })],
    ['a revision in quotes', batch({ rev: '0' })],
    ['revision 0 with a predecessor', batch({}), new Uint8Array(4 * 32)],
    ['revision 1 without one', batch({ rev: 1 })],
    ['a cause of 31 bytes', batch({}), new Uint8Array(95)],
    ['no cause', batch({}), new Uint8Array(64)],
    ['a date without a time', batch({ at: '2026-03-01' })],
    ['a day that does not exist', batch({ at: '2026-02-30T12:00:00.000Z' })],
    ['a document that does not follow', batch({ documentLength: 1 })],
    ['a document of unknown length', batch({ documentLength: undefined })],
    ['a document of negative length', batch({ documentLength: -1 })],
    ['a document above 256 KiB', batch({ documentLength: 262_145 }), new Uint8Array(262_273)],
    ['a salt cut short', batch({ documentLength: 0 }), new Uint8Array(96 + 31)],
    ['bytes that nothing asked for', batch({}), new Uint8Array(97)],
    ['bytes behind the last document', batch({ documentLength: 1 }), new Uint8Array(96 + 34)],
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
  it.each(malformed)('is malformed with %s', (_what, header, attachments = hashes) => {
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
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(hash, at, 'acme', 0, 1, null, [item], statement));
    const header = fc.record({
      op: fc.constantFrom('hello', 'batch', 'promise', 'checkpoint', 'sign'),
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
