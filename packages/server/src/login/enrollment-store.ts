/** Invitations and what people make of them, in the log. */
import { problems } from '@tallystick/contract';
import { formatInstant } from '@tallystick/core';
import { type Asked, enrollAction, type GateSecrets, secretTokenLookup } from '@tallystick/gate';
import { type Enrolling, type EnrollmentStore, LoginError, type NewCredential } from '@tallystick/gate/login';
import type { CredentialCreate } from '@tallystick/license';
import type { Input, LedgerClient } from '../ledger-thread/ledger-client.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';

export function enrollmentStore(ledger: LedgerClient, { apiKeys }: GateSecrets): EnrollmentStore {
  return {
    lookupOf: (secret) => secretTokenLookup(apiKeys, secret),
    create: async (enrolling, credential) => {
      try {
        const { body } = await ledger.ask('mutate', inputOf(enrolling, credential), askedBy(enrolling));
        return (JSON.parse(body) as { document: { id: string } }).document.id;
      } catch (error) {
        if (!(error instanceof ServiceProblem)) throw error;
        // The invitation is what was shown: it has ended since.
        if (error.code === 'unauthorized') return null;
        throw loginError(error);
      }
    },
  };
}

function inputOf(
  { principal, invitation }: Enrolling,
  { replaces, ...credential }: NewCredential,
): Input<'mutate'> {
  const command: CredentialCreate = { type: 'credential.create', principal, ...credential };
  return {
    command: replaces === null ? command : { ...command, replaces },
    why: `invitation ${invitation}`,
    request: null,
    dryRun: false,
    wait: 'durable',
    waitMs: 0,
  };
}

/** The invited person asks, with the invitation as its credential. */
function askedBy({ principal, invitation, address }: Enrolling): string {
  const asked: Asked = {
    caller: {
      principal,
      kind: 'person',
      credential: invitation,
      session: null,
      strength: 1,
      authenticatedAt: formatInstant(Date.now()),
      steppedUpAt: null,
      address,
      networks: [],
      device: null,
      signed: null,
      purpose: null,
    },
    action: enrollAction,
    zone: 'admin',
  };
  return JSON.stringify(asked);
}

function loginError({ code, detail }: ServiceProblem): LoginError {
  const { retryable, title } = problems[code];
  return new LoginError(retryable ? 'overloaded' : 'forbidden', detail ?? title);
}
