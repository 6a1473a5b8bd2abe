import { formatInstant } from '@tallystick/core';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { AccessClient } from './access-client.ts';

/** Somebody who was let in. */
export interface LetIn {
  kind: string;
  principal: string;
  credential: string;
  session: string;
  /** IP address. */
  address: string;
}

/**
 * Records that a session began, whatever led there: in the browser, at the command line, or for another program. Rejects with
 * ServiceProblem where that is not on disk: then it must not begin.
 */
export async function recordLogin(
  access: AccessClient | null,
  { kind, principal, credential, session, address }: LetIn,
): Promise<void> {
  if (access === null) return;
  const record = {
    at: formatInstant(Date.now()),
    requestId: '',
    zone: 'admin',
    route: 'session.begin',
    method: 'POST',
    status: 200,
    code: null,
    who: { kind, id: principal, credential, session },
    address,
    resource: { type: 'session', id: session },
    decision: null,
    why: null,
  };
  try {
    await access.record(record, { durable: true });
  } catch (error) {
    throw new ServiceProblem(
      'access_log_unavailable',
      error instanceof Error ? error.message : String(error),
    );
  }
}
