/** One request and its reply over HTTP. The built-in fetch keeps connections alive between them. */
import { randomUUID } from 'node:crypto';
import { signRequest } from '@tallystick/gate/http-signature';
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

/** Throws what fetch throws, ReplyTooLarge, or a TimeoutError. Redirects are not followed: a token goes nowhere else. */
export async function exchange(
  url: URL,
  credential: Credential | null,
  message: Message,
  limits: { timeoutMs: number; signal: AbortSignal },
): Promise<Reply> {
  const target = new URL(url.pathname.replace(/\/$/, '') + message.path, url);
  for (const [name, value] of Object.entries(message.query)) target.searchParams.set(name, value);
  const body = message.body === null ? null : JSON.stringify(message.body);
  const headers = {
    ...message.headers,
    ...(body === null ? {} : { 'content-type': 'application/json' }),
  };
  const response = await fetch(target, {
    method: message.method,
    headers: {
      accept: '*/*',
      'user-agent': 'tally',
      ...headers,
      ...(credential === null ? {} : shown(credential, { ...message, headers }, target, body)),
    },
    body,
    redirect: 'manual',
    signal: AbortSignal.any([limits.signal, AbortSignal.timeout(limits.timeoutMs)]),
  });
  return {
    status: response.status,
    mediaType: (response.headers.get('content-type') ?? '').split(';', 1)[0]?.trim() ?? '',
    retryAfter: response.headers.get('retry-after'),
    text: await boundedText(response),
  };
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

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > REPLY_BYTES_MAX)
      throw new ReplyTooLarge(`the reply is larger than ${REPLY_BYTES_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
