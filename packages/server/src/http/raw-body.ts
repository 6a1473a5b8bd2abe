/** The bytes of a body as they came: a signature is over those, and not over what was read of them. */
import type { FastifyRequest } from 'fastify';

const bodies = new WeakMap<FastifyRequest, Uint8Array>();

export function keepRawBody(request: FastifyRequest, body: Uint8Array): void {
  bodies.set(request, body);
}

/** null for a request without a body. */
export function rawBodyOf(request: FastifyRequest): Uint8Array | null {
  return bodies.get(request) ?? null;
}
