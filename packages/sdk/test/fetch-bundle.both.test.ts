import { bundleLimits, bundleMediaType, utf8 } from '@tallystick/core';
import { describe, expect, it } from 'vitest';
import { type FetchOptions, fetchBundle } from '../src/index.ts';

const url = 'https://licenses.example/base/';

function answering(
  answer: (request: Request) => Response | Promise<Response>,
  change: Partial<FetchOptions> = {},
): FetchOptions {
  const fake: typeof fetch = async (input, init) => answer(new Request(input, init));
  return { url, licenseKey: 'KEY-1234', fetch: fake, ...change };
}

const bundle = (body: BodyInit, headers: Record<string, string> = {}): Response =>
  new Response(body, { headers: { 'content-type': bundleMediaType, ...headers } });

/** A body without an end. */
function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
}

describe('fetchBundle', () => {
  it('posts the license key to one address and returns the bytes', async () => {
    let seen: unknown;
    const options = answering(async (request) => {
      seen = [request.method, request.url, request.credentials, request.redirect, await request.json()];
      return bundle('{"v":1}');
    });
    expect(await fetchBundle(options)).toEqual(utf8('{"v":1}'));
    expect(seen).toEqual([
      'POST',
      'https://licenses.example/base/v1/bundles',
      'omit',
      'manual',
      { licenseKey: 'KEY-1234' },
    ]);
  });

  it.each<[string, () => Response]>([
    [
      'redirected',
      () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.example/' } }),
    ],
    ['unexpected_answer', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
    ['unexpected_answer', () => new Response('{}', { status: 500 })],
    ['too_large', () => bundle('x'.repeat(bundleLimits.bytes + 1))],
    ['too_large', () => bundle(endless())],
    [
      'too_large',
      () => new Response(endless(), { status: 503, headers: { 'content-type': 'application/problem+json' } }),
    ],
  ])('throws %s', async (code, answer) => {
    await expect(fetchBundle(answering(answer))).rejects.toMatchObject({ name: 'FetchError', code });
  });

  it('passes on what the server says when it refuses', async () => {
    const problem = JSON.stringify({ code: 'rate_limited', detail: 'Too often.', status: 429 });
    const headers = { 'content-type': 'application/problem+json; charset=utf-8', 'retry-after': '7' };
    await expect(
      fetchBundle(answering(() => new Response(problem, { status: 429, headers }))),
    ).rejects.toMatchObject({
      code: 'refused',
      problem: { status: 429, code: 'rate_limited', detail: 'Too often.', retryAfterSeconds: 7 },
    });
    await expect(
      fetchBundle(answering(() => new Response('<', { status: 503, headers }))),
    ).rejects.toMatchObject({
      problem: { code: 'unknown', detail: null },
    });
  });

  it('ends in time, also when only the body hangs, and when the caller gives up', async () => {
    const hanging = answering(() => bundle(new ReadableStream()), { timeoutMs: 50 });
    const honoring: typeof fetch = (_, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
      });
    await expect(fetchBundle({ ...hanging, fetch: honoring })).rejects.toMatchObject({ code: 'timeout' });
    await expect(fetchBundle(hanging)).rejects.toMatchObject({ code: 'timeout' });
    const controller = new AbortController();
    const given = fetchBundle({ ...hanging, timeoutMs: 60_000, fetch: honoring, signal: controller.signal });
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: 'aborted' });
  });

  it('says that a server is unreachable', async () => {
    const options = answering(() => Promise.reject(new TypeError('failed')));
    await expect(fetchBundle(options)).rejects.toMatchObject({ code: 'unreachable' });
  });

  it.each([
    'http://licenses.example/',
    'ftp://licenses.example',
    'licenses.example',
    'http://localhost.evil.example',
  ])('does not send a license key to %s', async (address) => {
    await expect(fetchBundle(answering(() => bundle(''), { url: address }))).rejects.toThrow(TypeError);
  });

  it.each(['http://localhost:8443', 'http://127.0.0.1/', 'http://[::1]:80/'])(
    'may ask %s',
    async (address) => {
      expect(await fetchBundle(answering(() => bundle('x'), { url: address }))).toEqual(utf8('x'));
    },
  );
});
