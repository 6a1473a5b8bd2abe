/** One request and its reply over HTTP, on connections that are kept. */
import { randomUUID } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { signRequest } from '@tallystick/gate/http-signature';
import type { ClientTls } from '@tallystick/witness/tls';
import type { Message } from './client.ts';
import type { Credential } from './credential.ts';

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
  { url, credential, signal }: { url: URL; credential: Credential | null; signal: AbortSignal },
  agent: HttpAgent,
  message: Message,
  timeoutMs: number,
): Promise<Reply> {
  const target = new URL(url.pathname.replace(/\/$/, '') + message.path, url);
  for (const [name, value] of Object.entries(message.query)) target.searchParams.set(name, value);
  const timeout = AbortSignal.timeout(timeoutMs);
  const { body, mediaType } = encodedBody(message);
  const said = {
    ...message.headers,
    ...(body === null ? {} : { 'content-type': mediaType }),
  };
  const headers = {
    accept: '*/*',
    'user-agent': 'tally',
    ...said,
    ...(body === null ? {} : { 'content-length': Buffer.byteLength(body) }),
    ...(credential === null ? {} : shown(credential, { ...message, headers: said }, target, body)),
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

function encodedBody({ body }: Message): { body: string | null; mediaType: string } {
  if (body instanceof URLSearchParams)
    return { body: body.toString(), mediaType: 'application/x-www-form-urlencoded' };
  return { body: body === null ? null : JSON.stringify(body), mediaType: 'application/json' };
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

/** The headers that show a credential. A signature is made anew for every try: the server takes none twice. */
function shown(
  credential: Credential,
  { method, headers }: Message,
  target: URL,
  body: string | null,
): Record<string, string> {
  if ('token' in credential) return { authorization: `Bearer ${credential.token}` };
  const scheme = target.protocol === 'https:' ? 'https' : 'http';
  const message = {
    method,
    scheme,
    authority: target.host,
    target: target.pathname + target.search,
    headers,
  } as const;
  const content = body === null ? null : Buffer.from(body);
  return signRequest(message, content, credential.signingKey, { nowMs: Date.now(), nonce: randomUUID() });
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
