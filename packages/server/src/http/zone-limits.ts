/** How many requests a zone takes from one caller. */
import rateLimit from '@fastify/rate-limit';
import { hostOf } from '@tallystick/gate';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZoneLimits } from '../config.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';

/**
 * Counts each credential by itself, and everybody else by address: whoever shows a wrong or no credential draws on the
 * allowance of its address, so that guessing is counted and made-up tokens open no fresh allowance. Unknown paths count.
 *
 * @param credentialOf id of the credential that a request shows, null for none that is known
 * @param addressOf IP address of the caller
 */
export async function limitRequests(
  app: FastifyInstance,
  { strangersPerMinute, credentialPerMinute }: ZoneLimits,
  credentialOf: (request: FastifyRequest) => string | null,
  addressOf: (request: FastifyRequest) => string,
): Promise<void> {
  await app.register(rateLimit, {
    timeWindow: '1 minute',
    // Whoever is let through need not be told each time by how much.
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
    keyGenerator: (request) => {
      const credential = credentialOf(request);
      return credential === null ? `a ${hostOf(addressOf(request))}` : `c ${credential}`;
    },
    max: (_request, key) => (key.startsWith('c ') ? credentialPerMinute : strangersPerMinute),
    errorResponseBuilder: () => new ServiceProblem('rate_limited'),
  });
}
