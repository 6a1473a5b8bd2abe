/** What logging in needs to know of people and their credentials, and what it says about who has logged in. */
import { formatInstant } from '@tallystick/core';
import type { CredentialDocument, CredentialKind, PrincipalDocument } from '@tallystick/license';
import type { Caller } from '../caller.ts';
import { type Directory, isUsable } from '../directory/directory.ts';
import type { SessionStart } from '../sessions/session.ts';

export type LoginKind = Extract<CredentialKind, 'passkey' | 'password' | 'oidc' | 'invitation'>;

/** The people of a directory: those who are active, and their credentials that are neither revoked nor at their end. */
export class People {
  readonly #directory: Directory;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(directory: Directory, now: () => number) {
    this.#directory = directory;
    this.#now = now;
  }

  person(id: string): PrincipalDocument | undefined {
    const found = this.#directory.principal(id);
    return found?.kind === 'person' && found.state === 'active' ? found : undefined;
  }

  /** Emails are compared without regard to case; undefined where two people have it. */
  personByEmail(email: string): PrincipalDocument | undefined {
    const folded = email.toLowerCase();
    const found = this.#directory.active().filter(({ kind, email: known }) => {
      return kind === 'person' && known?.toLowerCase() === folded;
    });
    return found.length === 1 ? found[0] : undefined;
  }

  /** Of somebody who is active. */
  credential(kind: LoginKind, lookup: string): CredentialDocument | undefined {
    const found = this.#directory.credentialBy(kind, lookup);
    const isGood = found !== undefined && isUsable(found, formatInstant(this.#now()));
    return isGood && this.person(found.principal) !== undefined ? found : undefined;
  }

  credentialsOf(principal: string, kind: LoginKind): CredentialDocument[] {
    const at = formatInstant(this.#now());
    return this.#directory
      .credentialsOf(principal)
      .filter((credential) => credential.kind === kind && isUsable(credential, at));
  }
}

/** Somebody who has just shown who it is. */
export interface Proven {
  principal: string;
  /** What was shown. */
  credential: string;
  /** 1 one factor; 2 two factors; 3 a passkey. */
  strength: 1 | 2 | 3;
  /** Instant. */
  authenticatedAt: string;
  /** When a WebAuthn assertion was shown; null where none was. Instant. */
  steppedUpAt: string | null;
  /** null where nothing trustworthy speaks of the device. */
  device: Caller['device'];
}

/** Where sessions are kept. */
export interface SessionStarter {
  /** `token` is the bearer secret of the session that has the id `session`. */
  begin(start: SessionStart): Promise<{ token: string; session: string; expiresInSeconds: number }>;
  /** Ends a session whose way here turned out to be a thief's. */
  end(session: string): Promise<void>;
}

/** Random bytes, and milliseconds since 1970. */
export interface Chance {
  now: () => number;
  random: (length: number) => Uint8Array;
}

export function newSecret({ random }: Chance): string {
  return Buffer.from(random(32)).toString('base64url');
}
