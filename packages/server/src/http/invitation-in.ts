import type { NamespaceRevisionBody } from '@tallystick/contract';
import { readCauseStatement } from '@tallystick/core';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';

/** The hash of the invitation that a revision names, in base64. Throws ServiceProblem where it lets nobody in. */
export function invitationIn({ cause }: NamespaceRevisionBody): string {
  try {
    const { recovery } = readCauseStatement(Buffer.from(cause.document, 'base64'));
    if (recovery !== null) return recovery.invitation;
  } catch (error) {
    throw new ServiceProblem('namespace_refused', error instanceof Error ? error.message : String(error));
  }
  throw new ServiceProblem(
    'namespace_refused',
    'it lets nobody in: hand other revisions in with tally namespace submit',
  );
}
