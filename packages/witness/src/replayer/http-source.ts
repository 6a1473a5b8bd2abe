/** Where a replayer gets its material: bounded, timed requests to the log's server. */
import { messageOf } from '../errors.ts';
import { Unavailable } from './violation.ts';

export interface HttpSource {
  /** Without a slash at its end. */
  baseUrl: string;
  /** Sent as a bearer token. */
  token?: string | undefined;
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
  const headers = source.token === undefined ? {} : { authorization: `Bearer ${source.token}` };
  const signal = AbortSignal.any([source.signal, AbortSignal.timeout(source.timeoutMs)]);
  try {
    // A redirect would carry the token to wherever it points.
    const response = await fetch(url, { headers, signal, redirect: 'error' });
    if (response.status !== 200) {
      await response.body?.cancel();
      if (response.status === 404) return null;
      throw new Unavailable(`${url} answered ${response.status}`);
    }
    return await readBounded(response, lengthMax, url);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    throw new Unavailable(`${url}: ${messageOf(error)}`, { cause: error });
  }
}

async function readBounded(response: Response, lengthMax: number, url: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > lengthMax) throw new Unavailable(`${url} is longer than ${lengthMax} bytes`);
    parts.push(part);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : new Uint8Array(Buffer.concat(parts, length));
}
