/** Who is calling: proven by what the request carries, and by what the log says of that. */
import { formatInstant } from '@tallystick/core';
import type { Authenticator, Caller, Directory, Refusal } from '@tallystick/gate';
import type { FastifyRequest } from 'fastify';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import { partsOf } from './request-parts.ts';

/** The caller of a request; null for one that shows nothing. Throws ServiceProblem where what it shows is not good. */
export async function authenticate(
  request: FastifyRequest,
  authenticator: Authenticator,
  directory: Directory,
): Promise<Caller | null> {
  const found = await authenticator.authenticate(partsOf(request));
  if (!found.ok) {
    const { why, credential } = found.refusal;
    // Of what strangers make up nothing is written down: that would let them fill a disk.
    if (credential !== null) request.log.warn({ credential, why }, 'a credential was refused');
    throw problemOf(found.refusal);
  }
  if (found.caller?.kind === 'bootstrap' && !directory.isUnclaimed(formatInstant(Date.now())))
    throw new ServiceProblem(
      'unauthorized',
      'the token of tally init ended when the first administrator came: log in as somebody (tally login)',
    );
  return found.caller;
}

function problemOf({ code, detail }: Refusal): ServiceProblem {
  return new ServiceProblem(code, detail ?? undefined);
}
