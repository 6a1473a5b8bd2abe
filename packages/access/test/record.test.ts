import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAccessRecord, parseAccessRecord } from '../src/record.ts';
import { encodeLeaf, leafOf, openSegment, packLines, parseLeaf } from '../src/segment.ts';
import { record } from './support/records.ts';

/** Text as somebody would choose it who wants to be misread. */
const hostile = fc.string({ unit: 'binary', maxLength: 300 });

describe('a record of the access log', () => {
  it('is one line that shows as what it is, whatever strangers put into it', () => {
    const property = fc.property(hostile, hostile, hostile, (requestId, id, why) => {
      const line = encodeAccessRecord(record({ requestId, resource: { type: 'license', id }, why }));
      expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      expect(encodeAccessRecord(parseAccessRecord(line))).toBe(line);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('cannot be made to look like two', () => {
    const forged = `lic_1"},"status":200}\n${encodeAccessRecord(record({ status: 200 }))}`;
    const line = encodeAccessRecord(record({ status: 403, resource: { type: 'license', id: forged } }));
    expect(line.split('\n')).toHaveLength(1);
    expect(parseAccessRecord(line)).toMatchObject({ status: 403, resource: { type: 'license' } });
  });

  it('is cut where it is long, and never longer than a reader takes', () => {
    const long = '\u0001'.repeat(100_000);
    const reasons = Array.from({ length: 500 }, () => long);
    const who = { kind: long, id: long, credential: long, session: long };
    const decision = { effect: 'deny', policy: long, reasons, entities: long } as const;
    const resource = { type: long, id: long };
    const line = encodeAccessRecord(record({ requestId: long, who, decision, resource, why: long }));
    expect(line.length).toBeLessThan(64 * 1024);
    expect(parseAccessRecord(line).requestId).toHaveLength(256);
  });

  it.each([
    ['no JSON', '{'],
    ['another member', encodeAccessRecord(record()).replace('{', '{"more":1,')],
    ['a member missing', encodeAccessRecord(record()).replace('"why":null', '"y":null')],
    ['white space', `${encodeAccessRecord(record())} `],
    ['no time', encodeAccessRecord(record()).replace('2026', 'then')],
    ['null', 'null'],
  ])('is refused with %s', (_, line) => {
    expect(() => parseAccessRecord(line)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});

describe('a leaf', () => {
  const salt = new Uint8Array(32).fill(7);
  const lines = ['2026-11-26T10:00:01.000Z', '2026-11-26T10:00:00.000Z'].map((at) =>
    encodeAccessRecord(record({ at })),
  );
  const bytes = packLines(lines);
  const leaf = leafOf(5, lines, salt, bytes);

  it('names its records, their span of time and their commitment, in one encoding', () => {
    expect(leaf).toMatchObject({
      first: 5,
      count: 2,
      from: '2026-11-26T10:00:00.000Z',
      to: '2026-11-26T10:00:01.000Z',
    });
    expect(parseLeaf(encodeLeaf(leaf))).toEqual({ ...leaf, segment: new Uint8Array(leaf.segment) });
    expect(openSegment(leaf, salt, bytes)).toEqual(lines);
  });

  it('refuses any byte of its segment changed, and says nothing about it without the salt', () => {
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] as number) ^ 1;
      expect(() => openSegment(leaf, salt, flipped)).toThrow(expect.objectContaining({ code: 'ALTERED' }));
    }
    expect(() => openSegment(leaf, new Uint8Array(32), bytes)).toThrow(
      expect.objectContaining({ code: 'ALTERED' }),
    );
  });

  it('refuses a segment that would open to more than any segment holds', () => {
    const bomb = packLines(['x'.repeat(40_000_000)]);
    const committed = leafOf(0, [encodeAccessRecord(record())], salt, bomb);
    expect(() => openSegment(committed, salt, bomb)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});
