import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Frame, FrameReader, frameLengthMax } from '../src/protocol/frames.ts';

function prefixed(length: number, headerLength: number, body: Buffer): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(length, 0);
  prefix.writeUInt32BE(headerLength, 4);
  return Buffer.concat([prefix, body]);
}

describe('a frame reader', () => {
  it('finds the same frames however the bytes arrive', () => {
    const frame = fc.record({
      header: fc.jsonValue().filter((value) => !Object.is(value, -0)),
      parts: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
    });
    const cuts = fc.array(fc.nat(200), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), cuts, (frames, lengths) => {
        let rest = Buffer.concat(frames.map(({ header, parts }) => encodeFrame(header, parts)));
        const reader = new FrameReader();
        const found: Frame[] = [];
        for (const length of lengths) {
          found.push(...reader.push(rest.subarray(0, length)));
          rest = rest.subarray(length);
        }
        found.push(...reader.push(rest));
        const asJson = (value: unknown): string => JSON.stringify(value);
        expect(found.map(({ header }) => asJson(header))).toEqual(frames.map(({ header }) => asJson(header)));
        const bytes = frames.map(({ parts }) => Buffer.concat(parts).toString('hex'));
        expect(found.map(({ attachments }) => attachments.toString('hex'))).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('finds a frame that arrives byte by byte', () => {
    const reader = new FrameReader();
    const bytes = encodeFrame({ op: 'hello' }, [Buffer.from('attached')]);
    const found = [...bytes].flatMap((byte) => reader.push(Buffer.from([byte])));
    expect(found).toHaveLength(1);
    expect(found[0]?.attachments.toString()).toBe('attached');
  });

  it('takes a frame of the greatest length and none above it', () => {
    const header = { id: 1 };
    const room = frameLengthMax - 4 - JSON.stringify(header).length;
    const [frame] = new FrameReader().push(encodeFrame(header, [Buffer.alloc(room)]));
    expect(frame?.attachments.length).toBe(room);
    expect(() => encodeFrame(header, [Buffer.alloc(room + 1)])).toThrow(/too long/);
  });

  const broken: [string, Buffer, RegExp][] = [
    ['is announced as too long', prefixed(frameLengthMax + 1, 2, Buffer.from('{}')), /out of range/],
    ['is announced as 4 GiB', prefixed(0xffff_ffff, 2, Buffer.from('{}')), /out of range/],
    ['has no room for its header length', prefixed(3, 0, Buffer.alloc(0)), /out of range/],
    ['has a header longer than itself', prefixed(6, 3, Buffer.from('{}')), /longer than its frame/],
    ['has an endless header', prefixed(6, 0xffff_ffff, Buffer.from('{}')), /longer than its frame/],
    ['has no header', prefixed(4, 0, Buffer.alloc(0)), /JSON/],
    ['has a header that is not JSON', prefixed(6, 2, Buffer.from('{"')), /JSON/],
    ['is text of another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: signer\r\n\r\n'), /out of range/],
  ];
  it.each(broken)('throws where a frame %s', (_what, bytes, message) => {
    expect(() => new FrameReader().push(bytes)).toThrow(message);
  });

  it('refuses by the announced length alone, before it has buffered anything', () => {
    expect(() => new FrameReader().push(prefixed(frameLengthMax + 1, 0, Buffer.alloc(0)))).toThrow(/range/);
  });

  it('gives frames or throws, whatever comes in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          for (const { attachments } of new FrameReader().push(Buffer.from(bytes)))
            expect(attachments.length).toBeLessThan(64);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 500 },
    );
  });
});
