/** Who is calling: proven by what the request carries, and by what the log says of that. */
import { TLSSocket } from 'node:tls';
import { formatInstant } from '@tallystick/core';
import type { Authenticator, Caller, Directory, Refusal, RequestParts } from '@tallystick/gate';
import type { FastifyRequest } from 'fastify';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import { rawBodyOf } from './raw-body.ts';

const readingMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

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

/** The parts of a request that say who is calling; its body is null before it was read. */
export function partsOf(request: FastifyRequest): RequestParts {
  const { method, headers, raw } = request;
  const { socket } = raw;
  return {
    method,
    scheme: socket instanceof TLSSocket ? 'https' : 'http',
    target: raw.url ?? '/',
    headers,
    body: rawBodyOf(request),
    socketAddress: socket.remoteAddress ?? '',
    certificate: certificateOf(socket),
    isMutation: !readingMethods.has(method),
  };
}

/** In DER; null where the client showed none, or one that does not chain to who is trusted. */
function certificateOf(socket: RequestSocket): Uint8Array | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { raw } = socket.getPeerCertificate();
  return raw ?? null;
}

type RequestSocket = FastifyRequest['raw']['socket'];
