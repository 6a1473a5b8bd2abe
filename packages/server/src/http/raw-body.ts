/** The bytes of a body as they came: a signature is over those, and not over what was read of them. */
import type { FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** On the request itself: a weak map of requests costs the collector more than all the rest. */
    rawBody: Uint8Array | undefined;
  }
}

export function keepRawBody(request: FastifyRequest, body: Uint8Array): void {
  request.rawBody = body;
}

/** null for a request without a body. */
export function rawBodyOf(request: FastifyRequest): Uint8Array | null {
  return request.rawBody ?? null;
}
