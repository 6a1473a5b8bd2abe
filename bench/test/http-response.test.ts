import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HttpResponse, ResponseReader } from '../http-response.ts';

const BODY = '{"id":"lic_1","token":"abc"}';
const SIZED = `HTTP/1.1 201 Created\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
const EMPTY = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n';
const FAILED = 'HTTP/1.1 422 Unprocessable\r\ncontent-length:  2\r\n\r\nno';

const EXPECTED: readonly (readonly [string, HttpResponse])[] = [
  [SIZED, { status: 201, body: '', close: false }],
  [CHUNKED, { status: 200, body: '', close: false }],
  [EMPTY, { status: 204, body: '', close: true }],
  [FAILED, { status: 422, body: 'no', close: false }],
];

test.each(EXPECTED)(
  'a response is complete at its last byte and not before, however it is cut',
  (text, expected) => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 })), (cuts) => {
        const reader = new ResponseReader();
        const edges = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        for (const [index, from] of edges.slice(0, -1).entries()) {
          const to = edges[index + 1] as number;
          const response = reader.push(Buffer.from(text.slice(from, to)));
          expect(response).toEqual(to === text.length ? expected : undefined);
        }
      }),
    );
  },
);

test('a connection carries one response after another', () => {
  const reader = new ResponseReader();
  for (const [text, expected] of [...EXPECTED, ...EXPECTED])
    expect(reader.push(Buffer.from(text))).toEqual(expected);
});

test.each([
  ['another protocol', 'SSH-2.0-x\r\n\r\n'],
  ['no length', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['bytes after the response', `${SIZED}x`],
  ['an endless head', 'x'.repeat(70_000)],
])('%s is an error', (_, text) => {
  expect(() => new ResponseReader().push(Buffer.from(text))).toThrow();
});
