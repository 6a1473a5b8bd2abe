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

function readParts({ method, headers, raw }: FastifyRequest): RequestParts {
  const { socket } = raw;
  return {
    method,
    scheme: socket instanceof TLSSocket ? 'https' : 'http',
    target: raw.url ?? '/',
    headers,
    body: null,
    socketAddress: socket.remoteAddress ?? '',
    certificate: certificateOf(socket),
    isMutation: !readingMethods.has(method),
    known: {},
  };
}

/** In DER; null where the client showed none, or one that does not chain to who is trusted. */
function certificateOf(socket: FastifyRequest['raw']['socket']): Uint8Array | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { raw } = socket.getPeerCertificate();
  return raw ?? null;
}
