/**
 * Who may use a system, as the log has it: principals, credentials and the policy, each verified before it gets here.
 *
 * Kept in memory and followed change by change, one copy in each thread that asks.
 */
import {
  type CredentialDocument,
  type CredentialKind,
  compareInstants,
  type PolicyDocument,
  type PrincipalDocument,
  type TallyDocument,
} from '@tallystick/license';

/** Credentials that let a person in by themselves. */
const loginKinds: ReadonlySet<CredentialKind> = new Set([
  'passkey',
  'password',
  'oidc',
  'spiffe',
  'http_signature',
  'api_key',
]);

export class Directory {
  readonly #principals = new Map<string, PrincipalDocument>();
  readonly #credentials = new Map<string, CredentialDocument>();
  readonly #byLookup = new Map<string, string>();
  readonly #ofPrincipal = new Map<string, Set<string>>();
  #policy: PolicyDocument | null = null;
  #isSealed = false;

  /** Takes in the newest revision of a subject; what is older than the one that is here, or of another kind, is passed over. */
  apply(document: TallyDocument): void {
    if (document.type === 'principal' && isNewer(document, this.#principals.get(document.id)))
      this.#principals.set(document.id, document);
    if (document.type === 'credential' && isNewer(document, this.#credentials.get(document.id)))
      this.#takeCredential(document);
    if (document.type === 'policy' && isNewer(document, this.#policy ?? undefined)) this.#policy = document;
  }

  #takeCredential(document: CredentialDocument): void {
    const { id, kind, lookup, principal, state } = document;
    this.#credentials.set(id, document);
    const name = nameOf(kind, lookup);
    if (state === 'active') this.#byLookup.set(name, id);
    else if (this.#byLookup.get(name) === id) this.#byLookup.delete(name);
    const held = this.#ofPrincipal.get(principal) ?? new Set();
    this.#ofPrincipal.set(principal, held.add(id));
  }

  principal(id: string): PrincipalDocument | undefined {
    return this.#principals.get(id);
  }

  credential(id: string): CredentialDocument | undefined {
    return this.#credentials.get(id);
  }

  /** The credential of a kind that is found by this and not revoked; it may have ended. */
  credentialBy(kind: CredentialKind, lookup: string): CredentialDocument | undefined {
    const id = this.#byLookup.get(nameOf(kind, lookup));
    return id === undefined ? undefined : this.#credentials.get(id);
  }

  /** All credentials of a principal, ended ones included, in the order in which they were made. */
  credentialsOf(principal: string): CredentialDocument[] {
    const ids = [...(this.#ofPrincipal.get(principal) ?? [])].sort();
    return ids.flatMap((id) => this.#credentials.get(id) ?? []);
  }

  /** The policy of the log; null where it has none. */
  get policy(): PolicyDocument | null {
    return this.#policy;
  }

  /** All documents, for a copy in another thread. */
  documents(): TallyDocument[] {
    const policy = this.#policy === null ? [] : [this.#policy];
    return [...this.#principals.values(), ...this.#credentials.values(), ...policy];
  }

  /** People who have come in, ever: disabled ones as well, and not those who were only invited. */
  people(): PrincipalDocument[] {
    const hasComeIn = (id: string): boolean =>
      this.credentialsOf(id).some((credential) => loginKinds.has(credential.kind));
    return [...this.#principals.values()].filter(({ id, kind }) => kind === 'person' && hasComeIn(id));
  }

  /** Principals that are active, people or not. */
  active(): PrincipalDocument[] {
    return [...this.#principals.values()].filter(({ state }) => state === 'active');
  }

  /** Whether the system has nobody yet, and so is open to who set it up. */
  isUnclaimed(at: string): boolean {
    // The policy is logged with the first administrator, and cannot be hidden as a row of a list can.
    return !this.#isSealed && this.#policy === null && !this.hasAdministrator(at);
  }

  /** What could not be read whole leaves open who is missing: until it is, nobody is let in for want of others. */
  seal(isSealed = true): void {
    this.#isSealed = isSealed;
  }

  /** Whether somebody can let others in: an active person who is administrator for good and has a way in. */
  hasAdministrator(at: string): boolean {
    return this.active().some(
      ({ id, kind, roles }) =>
        kind === 'person' &&
        roles.some(
          ({ role, products, until }) => role === 'administrator' && products === null && until === null,
        ) &&
        this.credentialsOf(id).some(
          (credential) => loginKinds.has(credential.kind) && isUsable(credential, at),
        ),
    );
  }
}

/** Whether a credential is good at an instant. */
export function isUsable({ state, notAfter }: CredentialDocument, at: string): boolean {
  return state === 'active' && (notAfter === null || compareInstants(at, notAfter) < 0);
}

function isNewer(document: { rev: number }, known: { rev: number } | undefined): boolean {
  return known === undefined || document.rev > known.rev;
}

/** No kind has a line feed in it. */
function nameOf(kind: CredentialKind, lookup: string): string {
  return `${kind}\n${lookup}`;
}
