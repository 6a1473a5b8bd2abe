/** What authentication asks of the directory: the verified principals and credentials of the log. */
import type { CredentialDocument, CredentialKind, PrincipalDocument } from '@tallystick/license';

export type KnownPrincipal = Pick<PrincipalDocument, 'id' | 'kind' | 'state'>;
export type KnownCredential = Pick<
  CredentialDocument,
  'id' | 'principal' | 'kind' | 'state' | 'notAfter' | 'scope' | 'material'
>;

export interface DirectoryView {
  principal(id: string): KnownPrincipal | undefined;
  credential(id: string): KnownCredential | undefined;
  credentialByLookup(kind: CredentialKind, lookup: string): KnownCredential | undefined;
}

/** A credential that counts at a time, with its owner. */
export interface UsableCredential {
  credential: KnownCredential;
  principal: KnownPrincipal;
}

/** null where it was revoked or has expired, or where its owner is disabled. `now` is an instant. */
export function usableCredential(
  directory: DirectoryView,
  credential: KnownCredential | undefined,
  now: string,
): UsableCredential | null {
  if (credential?.state !== 'active') return null;
  if (credential.notAfter !== null && credential.notAfter <= now) return null;
  const principal = directory.principal(credential.principal);
  return principal?.state === 'active' ? { credential, principal } : null;
}
