import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64,
  encodeEnvelope,
  encodeRecord,
  type LogRecord,
  parseEnvelope,
  parseJson,
  parseRecord,
  payloadTypes,
  utf8,
} from '../src/index.ts';

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const record: fc.Arbitrary<LogRecord> = fc
  .record({
    ns: fc.constantFrom('acme', 'b-2'),
    type: fc.constantFrom('license.issued', 'plan.plan_changed'),
    subject: hash,
    rev: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    prev: hash,
    doc: hash,
    cause: hash,
    at: fc.constantFrom('2026-11-23T10:15:30.123Z', '2026-02-28T00:00:00.000Z'),
  })
  .map((fields) => ({ ...fields, prev: fields.rev === 0 ? null : fields.prev }));

/** Bytes with some of them replaced by what JSON gives a meaning, or by anything. */
function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const meaningful = [...utf8('"\\{}[]:,0-+eE. \n/u=\u007f')];
  const change = fc.tuple(fc.nat(bytes.length - 1), fc.oneof(fc.constantFrom(...meaningful), fc.nat(255)));
  return fc.array(change, { maxLength: 2 }).map((changes) => {
    const copy = Uint8Array.from(bytes);
    for (const [at, byte] of changes) copy[at] = byte;
    return copy;
  });
}

function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return 'refused';
  }
}

/** Whatever is read is canonical JSON of the profile: encoding it again gives the same bytes. */
describe('entries that are read without encoding them again', () => {
  it('are records that would be written so', () => {
    fc.assert(
      fc.property(
        record.chain((each) => damaged(encodeRecord(each))),
        (bytes) => {
          const read = outcome(() => parseRecord(bytes));
          if (read === 'refused') return;
          expect(base64(encodeRecord(read as LogRecord))).toBe(base64(bytes));
          parseJson(bytes);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('are envelopes that would be written so', () => {
    const envelope = fc.tuple(fc.uint8Array({ maxLength: 40 }), hash).map(([payload, sig]) =>
      encodeEnvelope({
        payload,
        payloadType: payloadTypes.record,
        signatures: [{ keyid: '0123456789abcdef', sig }],
      }),
    );
    fc.assert(
      fc.property(envelope.chain(damaged), (bytes) => {
        const read = outcome(() => parseEnvelope(bytes, payloadTypes.record));
        if (read === 'refused') return;
        expect(base64(encodeEnvelope(read as ReturnType<typeof parseEnvelope>))).toBe(base64(bytes));
        parseJson(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('include every record and envelope that is written', () => {
    fc.assert(
      fc.property(record, (each) => {
        const payload = encodeRecord(each);
        const signatures = [{ keyid: 'ab', sig: each.doc }];
        const bytes = encodeEnvelope({ payload, payloadType: payloadTypes.record, signatures });
        const { payload: read } = parseEnvelope(bytes, payloadTypes.record);
        expect(base64(read)).toBe(base64(payload));
        expect(base64(encodeRecord(parseRecord(read)))).toBe(base64(payload));
        expect(() => parseRecord(utf8(`${new TextDecoder().decode(payload)} `))).toThrow();
      }),
    );
  });
});
