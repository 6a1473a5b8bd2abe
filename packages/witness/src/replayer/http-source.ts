/** Where a replayer gets its material: bounded, timed requests to the log's server. */
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { messageOf } from '../errors.ts';
import type { ClientTlsAgent } from '../tls-files.ts';
import { Unavailable } from './violation.ts';

export interface HttpSource {
  /** Without a slash at its end. */
  baseUrl: string;
  /** Sent as a bearer token. */
  token?: string | undefined;
  /** For https: whom to believe, and what to show. */
  agent?: ClientTlsAgent | undefined;
  /** Limit for one whole request. */
  timeoutMs: number;
  /** Ends every request under way. */
  signal: AbortSignal;
}

/** The body at `path` below the base; null for 404. Throws Unavailable for everything else but 200. */
export async function fetchBytes(
  source: HttpSource,
  path: string,
  lengthMax: number,
): Promise<Uint8Array | null> {
  const url = `${source.baseUrl}/${path}`;
  const timeout = AbortSignal.timeout(source.timeoutMs);
  const signal = AbortSignal.any([source.signal, timeout]);
  try {
    // A redirect is not followed: it would carry the token to wherever it points.
    const response = await ask(new URL(url), { ...source, signal });
    if (response.statusCode !== 200) {
      // Read to its end, which the time limit bounds, so that the connection can be used again.
      response.resume();
      if (response.statusCode === 404) return null;
      throw new Unavailable(`${url} answered ${response.statusCode}`);
    }
    return await readBounded(response, lengthMax, url);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const isLate = timeout.aborted && !source.signal.aborted;
    const why = isLate ? `no whole answer within ${source.timeoutMs / 1000} seconds` : messageOf(error);
    throw new Unavailable(`${url}: ${why}`, { cause: error });
  }
}

function ask(
  url: URL,
  source: Pick<HttpSource, 'token' | 'agent' | 'signal'>,
  isRetry = false,
): Promise<IncomingMessage> {
  const { token, agent, signal } = source;
  const isSecure = url.protocol === 'https:';
  const options = {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    signal,
    ...(isSecure && agent !== undefined && { agent }),
  };
  return new Promise((resolve, reject) => {
    const request = (isSecure ? httpsGet : httpGet)(url, options, resolve);
    request.on('error', (error) => {
      // A kept connection may have gone stale, which says nothing about the server.
      if (request.reusedSocket && !isRetry && !signal.aborted) resolve(ask(url, source, true));
      else reject(error);
    });
  });
}

async function readBounded(response: IncomingMessage, lengthMax: number, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > lengthMax) throw new Unavailable(`${url} is longer than ${lengthMax} bytes`);
    parts.push(part);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : new Uint8Array(Buffer.concat(parts, length));
}
