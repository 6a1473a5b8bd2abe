import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64,
  checkSubjectId,
  encodeEnvelope,
  encodeRecord,
  IntegrityError,
  isSubjectId,
  type LogRecord,
  parseEnvelope,
  parseRecord,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  recordMessageMax,
  sha256,
  subjectTypeOf,
  utf8,
} from '../src/index.ts';

const malformed: unknown = expect.objectContaining({ code: 'MALFORMED' });
const tooNew: unknown = expect.objectContaining({ code: 'TOO_NEW' });
const hash = (text: string): Uint8Array => new Uint8Array(sha256(utf8(text)));
const record: LogRecord = {
  ns: 'acme',
  type: 'license.issued',
  subject: hash('subject'),
  rev: 0,
  prev: null,
  doc: hash('doc'),
  cause: hash('cause'),
  at: '2026-11-23T10:15:30.123Z',
};
const text = new TextDecoder().decode(encodeRecord(record));
const b64 = base64(hash('x'));

describe('a record', () => {
  it('comes back, in the order of the specification', () => {
    expect(parseRecord(encodeRecord(record))).toEqual(record);
    const later = { ...record, rev: 1, prev: hash('prev') };
    expect(parseRecord(encodeRecord(later))).toEqual(later);
    expect(Object.keys(JSON.parse(text) as object)).toEqual([
      'v',
      'ns',
      'type',
      'subject',
      'rev',
      'prev',
      'doc',
      'cause',
      'at',
    ]);
  });

  it.each([
    ['rev 0 with a prev', text.replace('"prev":null', `"prev":"${b64}"`)],
    ['rev 1 without a prev', text.replace('"rev":0', '"rev":1')],
    ['a negative rev', text.replace('"rev":0', '"rev":-1')],
    ['rev as text', text.replace('"rev":0', '"rev":"0"')],
    ['members in another order', text.replace('"v":1,"ns":"acme"', '"ns":"acme","v":1')],
    ['a member missing', text.replace(/,"at":"[^"]*"/, '')],
    ['version null', text.replace('"v":1', '"v":null')],
    ['a namespace in upper case', text.replace('acme', 'Acme')],
    ['a namespace of 32 characters', text.replace('acme', 'a'.repeat(32))],
    ['an empty namespace', text.replace('acme', '')],
    ['a type without a dot', text.replace('license.issued', 'license')],
    ['a type with two dots', text.replace('license.issued', 'license.issued.now')],
    ['a type in upper case', text.replace('license.issued', 'License.issued')],
    ['a type with a line feed', text.replace('license.issued', String.raw`license.issued\n`)],
    ['a subject of 31 bytes', text.replace(base64(record.subject), base64(hash('x').slice(1)))],
    ['a loose subject', text.replace(base64(record.subject), base64(record.subject).slice(0, -1))],
    ['an instant without milliseconds', text.replace('.123Z', 'Z')],
    ['an instant that does not exist', text.replace('11-23', '11-31')],
    ['white space', text.replace('"v":1,', '"v":1, ')],
    ['a list', '[]'],
  ])('is refused with %s', (_, bad) => {
    expect(() => parseRecord(utf8(bad))).toThrow(malformed);
  });

  it.each([
    ['version 2', text.replace('"v":1', '"v":2')],
    ['an unknown member', text.replace('{"v":1', '{"v":1,"w":1')],
    ['an unknown member at the end', text.replace(/\}$/, ',"x":null}')],
  ])('asks for an update with %s', (_, newer) => {
    expect(() => parseRecord(utf8(newer))).toThrow(tooNew);
  });

  it('is of the type in front of the dot', () => {
    expect(subjectTypeOf('license.issued')).toBe('license');
  });

  it.each([
    ['4,095 bytes are signed', recordMessageMax, true],
    ['4,096 bytes are not', recordMessageMax + 1, false],
  ])('%s', (_, length, fits) => {
    // The length has one digit more when it is above 999.
    const base = 1 + preAuthEncoding(payloadTypes.record, utf8(text)).length;
    const long = encodeEnvelope({
      payload: utf8(text.replace('"ns"', `"x":"${'a'.repeat(length - base - 7)}","ns"`)),
      payloadType: payloadTypes.record,
      signatures: [],
    });
    // Nothing in a record can be that long but an unknown member, so the longest one asks for an update.
    expect(() => parseRecordEntry(long)).toThrow(fits ? tooNew : /too long/);
  });
});

const payload = utf8('{"a":1}');
const envelope = {
  payload,
  payloadType: payloadTypes.record,
  signatures: [{ keyid: '0123456789abcdef', sig: new Uint8Array(64).fill(255) }],
};
const dsse = new TextDecoder().decode(encodeEnvelope(envelope));

describe('an envelope', () => {
  it('comes back', () => {
    expect(parseEnvelope(utf8(dsse), payloadTypes.record)).toEqual(envelope);
  });

  it('is signed as DSSE says', () => {
    const found = new TextDecoder().decode(
      preAuthEncoding('http://example.com/HelloWorld', utf8('hello world')),
    );
    expect(found).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });

  it.each([
    ['another payload type', dsse.replace('record', 'lease')],
    ['the payload behind its type', dsse.replace(/("payload":"[^"]*"),("payloadType":"[^"]*")/, '$2,$1')],
    ['sig before keyid', dsse.replace(/("keyid":"[^"]*"),("sig":"[^"]*")/, '$2,$1')],
    ['url-safe base64 in sig', dsse.replaceAll('////', '____')],
    ['base64 without padding', dsse.replace('==', '')],
    ['a signature that is null', dsse.replace(/\[.*\]/, '[null]')],
    ['no signatures member', dsse.replace(/,"signatures".*\]/, '')],
    [
      '65 signatures',
      dsse.replace(/\[(.*)\]/, (_, one: string) => `[${Array.from({ length: 65 }, () => one).join()}]`),
    ],
    ['a duplicate payload', dsse.replace('{"payload"', '{"payload":"","payload"')],
    ['white space', `${dsse} `],
  ])('is refused with %s', (_, bad) => {
    expect(() => parseEnvelope(utf8(bad), payloadTypes.record)).toThrow(malformed);
  });

  it.each([
    ['an unknown member', dsse.replace('{"payload"', '{"x":1,"payload"')],
    ['an unknown member of a signature', dsse.replace('"keyid"', '"cert":"","keyid"')],
  ])('asks for an update with %s', (_, newer) => {
    expect(() => parseEnvelope(utf8(newer), payloadTypes.record)).toThrow(tooNew);
  });
});

describe('an entry', () => {
  const entry = new TextDecoder().decode(
    encodeEnvelope({ ...envelope, payload: encodeRecord({ ...record, rev: 7, prev: hash('prev') }) }),
  );
  const inPayload = (change: (before: string) => string): string => {
    const found = parseEnvelope(utf8(entry), payloadTypes.record);
    const changed = utf8(change(new TextDecoder().decode(found.payload)));
    return new TextDecoder().decode(encodeEnvelope({ ...found, payload: changed }));
  };
  const digits = fc.constantFrom(...'AQgw09azZ+/=-_"\\ {}[],:.\n\u0000\u00e9\ud800'.split(''));
  const edit = fc.record({ at: fc.nat(), removed: fc.nat(2), added: fc.array(digits, { maxLength: 2 }) });

  /** What is accepted is the one encoding of what it says: nothing is read over. */
  function isOneEncoding(bytes: Uint8Array): void {
    try {
      const found = parseRecordEntry(bytes);
      expect(found.envelope.payload).toEqual(encodeRecord(found.record));
      expect(encodeEnvelope(found.envelope)).toEqual(bytes);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
    }
  }

  it.each([
    ['in the envelope', (change: (text: string) => string) => change(entry)],
    ['in the record', inPayload],
  ])('with a few digits changed %s is refused, or still the one encoding of what it says', (_, changed) => {
    fc.assert(
      fc.property(edit, ({ at, removed, added }) => {
        const change = (before: string): string => {
          const place = at % before.length;
          return before.slice(0, place) + added.join('') + before.slice(place + removed);
        };
        isOneEncoding(utf8(changed(change)));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['signed twice', entry.replace(/\[(.*)\]/, (_, one: string) => `[${one},${one}]`), 2],
    ['signed by nobody', entry.replace(/\[.*\]/, '[]'), 0],
    ['signed under a key id of another form', entry.replace('0123456789abcdef', 'mine'), 1],
  ])('%s says what any other does', (_, bytes, count) => {
    const found = parseRecordEntry(utf8(bytes));
    expect(found.envelope.signatures).toHaveLength(count);
    expect(found.record).toEqual(parseRecordEntry(utf8(entry)).record);
  });

  it.each([
    ['a revision with a leading zero', (whole: string) => whole.replace('"rev":7', '"rev":07')],
    ['a revision above 2^53', (whole: string) => whole.replace('"rev":7', '"rev":9007199254740993')],
    [
      'a commitment with bits behind its end',
      (whole: string) => whole.replace(/"doc":"(.{42})[^"]*"/, '"doc":"$1B="'),
    ],
    ['a second that does not exist', (whole: string) => whole.replace('15:30', '15:61')],
  ])('with %s is refused', (_, change) => {
    expect(() => parseRecordEntry(utf8(inPayload(change)))).toThrow(malformed);
  });
});

describe('subject ids', () => {
  it.each(['namespace', 'brake', 'journal', 'lic_01jd8x5q0xe8zrk3v7m2n9p4wt'])('%s', (id) => {
    expect(isSubjectId(id)).toBe(true);
  });

  it.each([
    '',
    'lic_',
    'lic_01jd8x5q0xe8zrk3v7m2n9p4w',
    'lic_01jd8x5q0xe8zrk3v7m2n9p4wtt',
    'lic_01jd8x5q0xe8zrk3v7m2n9p4wi',
    'LIC_01jd8x5q0xe8zrk3v7m2n9p4wt',
    'a b',
    'lic_01jd8x5q0xe8zrk3v7m2n9p4wt\n',
    '\0',
  ])('refuse %j', (id) => {
    expect(isSubjectId(id)).toBe(false);
    expect(() => checkSubjectId('acme', id)).toThrow(malformed);
  });
});
