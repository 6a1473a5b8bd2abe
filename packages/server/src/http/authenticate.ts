/** Who is calling: proven by what the request carries, and by what the log says of that. */
import { formatInstant } from '@tallystick/core';
import type { Caller, Directory } from '@tallystick/gate';
import type { FastifyRequest } from 'fastify';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import { type TokenHashes, tokenOf } from './tokens.ts';

export interface AuthenticatorParts {
  hashes: TokenHashes;
  directory: Directory;
  /** Milliseconds. */
  now: () => number;
}

export class Authenticator {
  readonly #parts: AuthenticatorParts;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /** The caller of a request; null for one that shows nothing. Throws ServiceProblem where what it shows is not good. */
  authenticate(request: FastifyRequest): Caller | null {
    const { authorization } = request.headers;
    if (authorization === undefined) return null;
    const { hashes, directory, now } = this.#parts;
    const at = formatInstant(now());
    const kind = tokenOf(authorization, hashes);
    if (kind === null) throw new ServiceProblem('unauthorized');
    if (kind === 'bootstrap' && !directory.isUnclaimed(at))
      throw new ServiceProblem(
        'unauthorized',
        'the token of tally init ended when the first administrator came: log in as somebody (tally login)',
      );
    return {
      principal: kind,
      kind,
      credential: kind,
      session: null,
      strength: 1,
      authenticatedAt: at,
      steppedUpAt: null,
      address: request.ip,
      networks: [],
      device: null,
      signed: null,
      purpose: null,
    };
  }
}
