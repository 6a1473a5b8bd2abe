/** What authentication asks of the directory: the verified principals and credentials of the log. */

export type CredentialKind =
  | 'api_key'
  | 'passkey'
  | 'password'
  | 'totp'
  | 'oidc'
  | 'spiffe'
  | 'http_signature';

export interface KnownPrincipal {
  id: string;
  kind: 'person' | 'service' | 'partner';
  state: 'active' | 'disabled';
}

export interface KnownCredential {
  id: string;
  principal: string;
  kind: CredentialKind;
  state: 'active' | 'revoked';
  /** Instant; null for one that does not end by itself. */
  notAfter: string | null;
  scope: { networks: readonly string[] | null };
  material: Readonly<Record<string, string>>;
}

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
