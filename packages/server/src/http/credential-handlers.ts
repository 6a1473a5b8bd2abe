/** What this thread adds to commands and answers about credentials: the secrets and the last uses are here. */
import { CredentialError, type GateSecrets, storedCredential } from '@tallystick/gate';
import { type Command, type CredentialCreate, ModelError, parseCommand } from '@tallystick/license';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { Handlers } from './handlers.ts';

/** A command as it is decided on, also where it waits inside a request for approval. Throws ServiceProblem. */
export function preparedCommand(command: Command, secrets: GateSecrets): Command {
  if (command.type === 'credential.create') return prepared(command, secrets, '$');
  if (command.type !== 'approval.request') return command;
  const inner = credentialIn(command.command);
  if (inner === null) return command;
  const stored = prepared(inner, secrets, '$.command');
  return { ...command, command: { ...stored } };
}

/** null for another command, and for what is none: whoever decides on it says what is wrong. */
function credentialIn(command: Record<string, unknown>): CredentialCreate | null {
  if (command['type'] !== 'credential.create') return null;
  try {
    return parseCommand(command) as CredentialCreate;
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

function prepared(command: CredentialCreate, secrets: GateSecrets, at: string): CredentialCreate {
  try {
    return storedCredential(command, secrets);
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    throw new ServiceProblem('input_invalid', error.message, error.path.replace('$', at));
  }
}

interface Shown {
  document: { id: string };
}

/** Adds to items of credentials when each was last used at this server. */
export function withLastUse(
  reads: Pick<Handlers, 'credential.get' | 'credential.list'>,
): Pick<Handlers, 'credential.get' | 'credential.list'> {
  return {
    'credential.get': async (request, context) => {
      const item = JSON.parse((await reads['credential.get'](request, context)) as string) as Shown;
      return JSON.stringify({ ...item, lastUse: context.gate.sessions.lastUseOf(item.document.id) ?? null });
    },
    'credential.list': async (request, context) => {
      const page = JSON.parse((await reads['credential.list'](request, context)) as string) as {
        items: Shown[];
      };
      const items = page.items.map((item) => ({
        ...item,
        lastUse: context.gate.sessions.lastUseOf(item.document.id) ?? null,
      }));
      return JSON.stringify({ ...page, items });
    },
  };
}
