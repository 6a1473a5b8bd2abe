/** One request and its reply over HTTP, on connections that are kept. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ClientTls } from '@tallystick/witness';
import type { Message } from './client.ts';

export interface Reply {
  status: number;
  mediaType: string;
  /** Seconds or a date, as the server said it; null where it did not. */
  retryAfter: string | null;
  text: string;
}

class ReplyTooLarge extends Error {
  override readonly name: string = 'ReplyTooLarge';
}

const REPLY_BYTES_MAX = 64 * 1024 * 1024;

export function agentFor(url: URL, tls: ClientTls): HttpAgent {
  return url.protocol === 'https:'
    ? new HttpsAgent({ keepAlive: true, ...tls })
    : new HttpAgent({ keepAlive: true });
}

/**
 * Throws what Node throws for a connection that fails, ReplyTooLarge, or a TimeoutError. Redirects are not followed: a
 * token goes nowhere else.
 */
export async function exchange(
  { url, token, signal }: { url: URL; token: string | null; signal: AbortSignal },
  agent: HttpAgent,
  message: Message,
  timeoutMs: number,
): Promise<Reply> {
  const target = new URL(url.pathname.replace(/\/$/, '') + message.path, url);
  for (const [name, value] of Object.entries(message.query)) target.searchParams.set(name, value);
  const timeout = AbortSignal.timeout(timeoutMs);
  const body = message.body === null ? null : JSON.stringify(message.body);
  const headers = {
    accept: '*/*',
    'user-agent': 'tally',
    ...message.headers,
    ...(body === null
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const both = AbortSignal.any([signal, timeout]);
  try {
    const response = await send(target, { agent, method: message.method, headers, signal: both }, body);
    return {
      status: response.statusCode ?? 0,
      mediaType: (response.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '',
      retryAfter: response.headers['retry-after'] ?? null,
      text: await boundedText(response),
    };
  } catch (error) {
    // Node tells of every signal with the same error.
    throw timeout.aborted && !signal.aborted ? timeout.reason : error;
  }
}

interface SendOptions {
  agent: HttpAgent;
  method: string;
  headers: Record<string, string | number>;
  signal: AbortSignal;
}

function send(target: URL, options: SendOptions, body: string | null): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const start = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = start(target, options, resolve);
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

async function boundedText(response: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > REPLY_BYTES_MAX)
      throw new ReplyTooLarge(`the reply is larger than ${REPLY_BYTES_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
