/** The parts of a request that say who is calling. */
import { TLSSocket } from 'node:tls';
import type { RequestParts } from '@tallystick/gate';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** On the request itself: a weak map of requests costs the collector more than all the rest. */
    parts: RequestParts | null;
  }
}

const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Gives the requests of a listener the place for their parts. */
export function decorateWithParts(app: FastifyInstance): void {
  app.decorateRequest('parts', null);
}

/** Always the same of one request, so that what was found out of it is found out once. Its body is null before it was read. */
export function partsOf(request: FastifyRequest): RequestParts {
  request.parts ??= readParts(request);
  return request.parts;
}

/** Keeps the bytes of a body as they came: a signature is over those, and not over what was read of them. */
export function keepBody(request: FastifyRequest, body: Uint8Array): void {
  partsOf(request).body = body;
}

function readParts(request: FastifyRequest): RequestParts {
  const { method, raw } = request;
  const { socket } = raw;
  return {
    method,
    scheme: socket instanceof TLSSocket ? 'https' : 'http',
    target: raw.url ?? '/',
    headers: everyLine(request),
    body: null,
    socketAddress: socket.remoteAddress ?? '',
    certificate: certificateOf(socket),
    isMutation: !readingMethods.has(method),
    known: {},
  };
}

/**
 * Of these Node keeps the first line alone, and a proxy in front may have looked at the last: whoever is meant by several is
 * nobody.
 */
const decisive: ReadonlySet<string> = new Set(['authorization', 'host', 'content-type']);
const decisiveLengths: ReadonlySet<number> = new Set([...decisive].map(({ length }) => length));

function everyLine({ headers, raw: { rawHeaders } }: FastifyRequest): RequestParts['headers'] {
  const lines: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const text = rawHeaders[at] ?? '';
    if (!decisiveLengths.has(text.length)) continue;
    const name = text.toLowerCase();
    if (decisive.has(name)) lines.push([name, rawHeaders[at + 1] ?? '']);
  }
  if (new Set(lines.map(([name]) => name)).size === lines.length) return headers;
  const every = [...Map.groupBy(lines, ([name]) => name)].filter(([, { length }]) => length > 1);
  return {
    ...headers,
    ...Object.fromEntries(every.map(([name, all]) => [name, all.map(([, text]) => text)])),
  };
}

/** In DER; null where the client showed none, or one that does not chain to who is trusted. */
function certificateOf(socket: FastifyRequest['raw']['socket']): Uint8Array | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { raw } = socket.getPeerCertificate();
  return raw ?? null;
}
