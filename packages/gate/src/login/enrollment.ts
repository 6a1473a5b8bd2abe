/**
 * How a person comes to a credential: by an invitation that an administrator has given to it, once. The log ends the
 * invitation together with making the credential.
 *
 * Password and one-time codes are one credential: neither lets anybody in without the other.
 */
import { formatInstant } from '@tallystick/core';
import type { CredentialDocument, PrincipalDocument } from '@tallystick/license';
import { secretTokenKind } from '../authenticate/secret-token.ts';
import { provenByCode } from './account-login.ts';
import type { HighWaterMarks } from './high-water-marks.ts';
import { LoginError } from './login-error.ts';
import type { LoginSecret } from './login-secret.ts';
import { periodOfCode, type ShownSeed, sealSeed, showSeed } from './one-time-codes.ts';
import type { NewPasskey } from './passkeys.ts';
import type { Passwords } from './passwords.ts';
import type { Chance, People, Proven } from './people.ts';

export interface NewCredential {
  kind: 'passkey' | 'password';
  name: string;
  lookup: string;
  material: Record<string, string>;
  /** The one that it takes the place of. */
  replaces: string | null;
}

/** Who may make a credential, and from where. */
export interface Enrolling {
  /** The invitation, `crd_…`. */
  invitation: string;
  principal: string;
  /** IP address. */
  address: string;
}

/** Where invitations and credentials are kept: the log. */
export interface EnrollmentStore {
  /** What an invitation with this secret is found by. */
  lookupOf(secret: string): string;
  /**
   * Makes a credential of who was invited and ends the invitation, together or not at all. Resolves to the credential's
   * id; null where the invitation was used meanwhile.
   */
  create(enrolling: Enrolling, credential: NewCredential): Promise<string | null>;
}

export interface EnrollmentParts extends Chance {
  people: People;
  store: EnrollmentStore;
  secret: LoginSecret;
  passwords: Passwords;
  marks: HighWaterMarks;
  /** What authenticator apps show. */
  issuerName: string;
  /** As of `AccountLogin`. */
  codesStepUp: boolean;
}

export class Enrollment {
  readonly #parts: EnrollmentParts;

  constructor(parts: EnrollmentParts) {
    this.#parts = parts;
  }

  /** Who was invited. Throws LoginError where the invitation was used, has ended, or never was. */
  invited(secret: string): PrincipalDocument {
    return this.#find(secret).person;
  }

  /** The seed to be taken into an authenticator app: the same each time, so that a page may be loaded again. */
  seed(secret: string): ShownSeed {
    const { email, name } = this.invited(secret);
    return showSeed(this.#seedOf(secret), { issuer: this.#parts.issuerName, account: email ?? name });
  }

  /** Makes password and one-time codes. Throws LoginError. */
  async withPassword(
    secret: string,
    given: { password: string; code: string; address: string },
  ): Promise<Proven> {
    const { people, secret: key, passwords, marks, now, random } = this.#parts;
    const { invitation, person } = this.#find(secret);
    const seed = this.#seedOf(secret);
    const period = periodOfCode(seed, given.code, now());
    if (period === null)
      throw new LoginError(
        'input_invalid',
        'the code does not fit: take the one that the app shows now, and check the clock of its device',
      );
    const names = [person.name, person.email?.split('@')[0] ?? ''];
    const credential = {
      kind: 'password',
      name: 'Password and one-time codes',
      lookup: person.id,
      material: {
        ...(await passwords.hash(given.password, names)),
        ...sealSeed(seed, person.id, { secret: key, random }),
      },
      replaces: people.credential('password', person.id)?.id ?? null,
    } as const;
    const id = await this.#create(invitation, person, given.address, credential);
    marks.raise(`code ${id}`, period);
    return provenByCode(this.#parts, { principal: person.id, credential: id });
  }

  /** Makes a passkey that was registered for this invitation. Throws LoginError. */
  async withPasskey(secret: string, passkey: NewPasskey, address: string): Promise<Proven> {
    const { invitation, person } = this.#find(secret);
    if (this.#parts.people.credential('passkey', passkey.lookup) !== undefined)
      throw new LoginError('input_invalid', 'this passkey is registered already: use another one');
    const credential = { kind: 'passkey', name: 'Passkey', ...passkey, replaces: null } as const;
    const id = await this.#create(invitation, person, address, credential);
    const authenticatedAt = formatInstant(this.#parts.now());
    // Registering proves possession; the assertion that a step-up asks for is another ceremony.
    const shown = { strength: 3, authenticatedAt, steppedUpAt: null, device: null } as const;
    return { principal: person.id, credential: id, ...shown };
  }

  #find(secret: string): { invitation: CredentialDocument; person: PrincipalDocument } {
    const { store, people } = this.#parts;
    const text = secret.trim();
    const isOne = secretTokenKind(text) === 'invite';
    const invitation = isOne ? people.credential('invitation', store.lookupOf(text)) : undefined;
    const person = invitation && people.person(invitation.principal);
    if (invitation === undefined || person === undefined) throw notInvited();
    return { invitation, person };
  }

  async #create(
    invitation: CredentialDocument,
    person: PrincipalDocument,
    address: string,
    credential: NewCredential,
  ): Promise<string> {
    const enrolling = { invitation: invitation.id, principal: person.id, address };
    const id = await this.#parts.store.create(enrolling, credential);
    if (id === null) throw notInvited();
    return id;
  }

  #seedOf(invitation: string): Uint8Array {
    return this.#parts.secret.seedOf(invitation.trim());
  }
}

function notInvited(): LoginError {
  return new LoginError(
    'unauthorized',
    'the invitation was used, has ended, or never was: ask an administrator for a new one',
  );
}
