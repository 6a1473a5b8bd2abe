/** Getting the newest license file of a license key. What comes back proves itself; the transport is not trusted. */
import { bundleLimits, bundleMediaType, decodeUtf8 } from '@tallystick/core';
import { FetchError, type ServerProblem } from './errors.ts';

export interface FetchOptions {
  /** Where the server's public listener is; the path `/v1/bundles` is added. */
  url: string;
  /** A secret: whoever holds it gets the license file. */
  licenseKey: string;
  /** Until the whole answer is there; milliseconds, 15,000 where left out. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** The platform's own where left out. */
  fetch?: typeof fetch;
}

const timeoutMsDefault = 15_000;
const problemBytesMax = 65_536;
const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * Fetches the license file as bytes, unverified. Sends the license key to that address alone: over TLS unless it
 * is this machine, without cookies, and not to where a redirect points. Throws FetchError, and TypeError for
 * an address that is none or not secure.
 */
export async function fetchBundle(options: FetchOptions): Promise<Uint8Array> {
  const address = bundleAddress(options.url);
  const deadline = AbortSignal.timeout(options.timeoutMs ?? timeoutMsDefault);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    const response = await post(address, options, signal);
    await refuseUnlessBundle(response, signal);
    return await readAtMost(response, bundleLimits.bytes, signal);
  } catch (error) {
    if (error instanceof FetchError) throw error;
    throw transportError(error, deadline, signal);
  }
}

function bundleAddress(url: string): URL {
  const address = new URL(url);
  const isLocal = address.protocol === 'http:' && loopback.test(address.hostname);
  if (address.protocol !== 'https:' && !isLocal) throw new TypeError('a license key is sent over https only');
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/v1/bundles`;
  return address;
}

function post(address: URL, options: FetchOptions, signal: AbortSignal): Promise<Response> {
  // Called as a plain function: a browser's own refuses to be called as a member of anything else.
  const send = options.fetch ?? fetch;
  return send(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: `${bundleMediaType}, application/problem+json` },
    body: JSON.stringify({ licenseKey: options.licenseKey }),
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    signal,
  });
}

async function refuseUnlessBundle(response: Response, signal: AbortSignal): Promise<void> {
  const { status } = response;
  const mediaType = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (status === 200 && mediaType === bundleMediaType) return;
  if (mediaType === 'application/problem+json') throw await refusal(response, signal);
  await response.body?.cancel();
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    throw new FetchError('redirected', 'the server redirects; use the address that it points to');
  }
  throw new FetchError('unexpected_answer', `status ${status} and ${mediaType || 'no media type'}`);
}

async function refusal(response: Response, signal: AbortSignal): Promise<FetchError> {
  const body = parseProblem(await readAtMost(response, problemBytesMax, signal));
  const after = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  const problem: ServerProblem = {
    status: response.status,
    code: typeof body.code === 'string' ? body.code : 'unknown',
    detail: typeof body.detail === 'string' ? body.detail : null,
    retryAfterSeconds: after >= 0 ? after : null,
  };
  return new FetchError('refused', `the server refuses: ${problem.code}`, problem);
}

function parseProblem(bytes: Uint8Array): { code?: unknown; detail?: unknown } {
  try {
    const json: unknown = JSON.parse(decodeUtf8(bytes));
    return typeof json === 'object' && json !== null ? json : {};
  } catch {
    return {};
  }
}

/** Reads a body that may not end: stops at the first byte too many, whatever its headers say. */
async function readAtMost(response: Response, bytesMax: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  // A cancelled body ends like a whole one, so the signal is asked again at the end.
  signal.addEventListener('abort', () => void reader?.cancel().catch(() => undefined), { once: true });
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    length += part.value.length;
    if (length > bytesMax) {
      await reader?.cancel();
      throw new FetchError('too_large', `an answer of more than ${bytesMax} bytes`);
    }
    chunks.push(part.value);
  }
  signal.throwIfAborted();
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function transportError(error: unknown, deadline: AbortSignal, signal: AbortSignal): FetchError {
  const options = { cause: error };
  if (deadline.aborted) return new FetchError('timeout', 'no answer in time', null, options);
  if (signal.aborted) return new FetchError('aborted', 'given up by the caller', null, options);
  return new FetchError('unreachable', 'the server cannot be reached', null, options);
}
