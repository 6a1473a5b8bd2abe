import type { NamespaceRevisionBody } from '@tallystick/contract';
import { parseCause, type SignedRevision } from '@tallystick/ledger';
import { ServiceProblem } from './service-problem.ts';

/** A namespace revision as the ledger takes it, from base64. */
export function signedRevision({ entry, document, cause }: NamespaceRevisionBody): SignedRevision {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
  const { salt } = cause;
  return {
    entry: bytes(entry),
    document: bytes(document),
    cause: { salt: bytes(salt), document: bytes(cause.document) },
  };
}

/**
 * Throws ServiceProblem (`namespace_refused`) for a revision that lets somebody in: who that is has to be let in with it, and
 * everybody told. What cannot be read is refused by who logs it.
 */
export function refuseRecovery({ cause }: SignedRevision): void {
  if (isRecovery(cause))
    throw new ServiceProblem(
      'namespace_refused',
      'it lets somebody in: hand it in with tally recover submit',
    );
}

function isRecovery(cause: SignedRevision['cause']): boolean {
  try {
    const told = parseCause(cause);
    return told.v === 1 && told.recovery !== undefined;
  } catch {
    return false;
  }
}
