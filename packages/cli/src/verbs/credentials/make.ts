/** Makes a credential: the secret first, kept where it is wanted, and then the record that it counts. */
import { existsSync } from 'node:fs';
import type { CredentialCreateBody, MutationResult } from '@tallystick/contract';
import { readClientFile } from '../../client/connection.ts';
import { systemOf } from '../../client/credential.ts';
import { usageError } from '../../errors.ts';
import { describeResult } from '../../output/results.ts';
import type { Session } from '../../session.ts';
import { type CommonFlags, sendCommand } from '../mutations.ts';
import {
  type Naming,
  newApiKey,
  newSigningKey,
  publicKeyNaming,
  removeSecret,
  writeSecret,
} from './new-secret.ts';

export interface MakeFlags extends CommonFlags {
  publicKey?: string;
  spiffeId?: string;
  issuer?: string;
  subject?: string;
  secretOut?: string;
}

type Wanted = Omit<CredentialCreateBody, 'lookup' | 'material'>;

export async function makeCredential(session: Session, wanted: Wanted, flags: MakeFlags): Promise<void> {
  const { secret = null, ...naming } = await named(session, wanted, flags);
  const { secretOut, dryRun = false } = flags;
  if (secret === null && secretOut !== undefined) {
    throw usageError('There is no secret to write.', 'Leave out --secret-out.');
  }
  const isKept = secret !== null && secretOut !== undefined && !dryRun;
  // Before it counts: a key that counts and that nobody has would have to be found and revoked.
  if (isKept) await writeSecret(secretOut, secret);
  const body = { ...wanted, ...naming };
  const result = await sendCommand(session, 'credential.create', { id: null, body, flags }).catch(
    async (error: unknown) => {
      if (isKept && isSurelyRefused(error)) await removeSecret(secretOut);
      throw error;
    },
  );
  const system = wanted.kind === 'http_signature' ? knownSystem(session) : null;
  answer(session, result, secret !== null && !dryRun ? { secret, path: secretOut ?? null } : null, system);
}

async function named(
  session: Session,
  { kind, principal }: Wanted,
  { publicKey, spiffeId, issuer, subject }: MakeFlags,
): Promise<Naming & { secret?: string }> {
  const isGiven = publicKey !== undefined || spiffeId !== undefined;
  switch (kind) {
    case 'api_key': {
      if (isGiven) throw usageError('An API key is made here.', 'Leave out --public-key and --spiffe-id.');
      const { value } = await session.admin().call('principal.get', { params: { id: principal } });
      return newApiKey(value.document.kind === 'partner' ? 'partner' : 'api');
    }
    case 'http_signature':
      return publicKey === undefined ? newSigningKey() : publicKeyNaming(publicKey);
    case 'spiffe':
      if (spiffeId === undefined)
        throw usageError('A workload is named by its SPIFFE id.', 'Give --spiffe-id.');
      return { lookup: spiffeId };
    case 'oidc':
      if (issuer === undefined || subject === undefined)
        throw usageError('A person is named by issuer and subject.', 'Give --issuer and --subject.');
      return { lookup: `${issuer} ${subject}` };
    default:
      throw usageError(
        `Credentials of the kind ${kind} are not made here.`,
        'See tally login and tally enroll.',
      );
  }
}

/** What may have been carried out keeps its secret: it is needed then, and does no harm otherwise. */
function isSurelyRefused(error: unknown): boolean {
  const { options } = error as { options?: { exitCode?: number } };
  return options?.exitCode === 1 || options?.exitCode === 3;
}

/** For who signs elsewhere; null where no trust root is pinned here. */
function knownSystem({ dataFolder }: Session): string | null {
  const file = readClientFile(dataFolder)?.trustRootFile;
  return file === undefined || !existsSync(file) ? null : systemOf(file);
}

function answer(
  session: Session,
  result: MutationResult,
  made: { secret: string; path: string | null } | null,
  system: string | null,
): void {
  const shown = made === null ? {} : made.path === null ? { secret: made.secret } : { secretFile: made.path };
  const said = system === null ? {} : { system };
  session.print.answer({ ...result, ...shown, ...said }, () => [
    ...describeResult(result, session.print),
    ...(made === null
      ? []
      : made.path === null
        ? ['This is the secret. It is shown only now, and is nowhere on the server:', made.secret.trimEnd()]
        : [`The secret is in ${made.path}, and nowhere on the server.`]),
    ...(system === null ? [] : [`What it signs says for which system it is: Tally-System: ${system}`]),
  ]);
}
