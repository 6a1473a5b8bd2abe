/**
 * How a person comes to credentials: by an invitation that an administrator has given to it, once.
 *
 * The invitation is used up before anything is made, because two at once must not both succeed. If making the
 * credentials then fails, the person needs another one.
 */
import type { HighWaterMarks } from './high-water-marks.ts';
import { LoginError } from './login-error.ts';
import type { LoginSecret } from './login-secret.ts';
import { periodOfCode, type ShownSeed, sealSeed, showSeed } from './one-time-codes.ts';
import type { NewPasskey } from './passkeys.ts';
import type { Passwords } from './passwords.ts';
import { type Chance, instantOf, type LoginDirectory, type Person, type Proven } from './people.ts';

export const invitationPrefix = 'tally_invite_';

export interface Invitation {
  /** The credential that it is, `crd_…`. */
  id: string;
  principal: string;
}

export interface NewCredential {
  kind: 'passkey' | 'password' | 'totp';
  name: string;
  lookup: string;
  material: Record<string, string>;
}

/** Where invitations and credentials are kept: the log. */
export interface EnrollmentStore {
  /** The invitation with this secret, where it still holds. */
  invitation(secret: string): Invitation | undefined;
  /** Uses it up. False where somebody else has. */
  redeem(invitation: Invitation): Promise<boolean>;
  /** Makes a credential of the invited person; earlier ones of the same kind and lookup are replaced. Resolves to its id. */
  create(invitation: Invitation, credential: NewCredential): Promise<string>;
}

export interface EnrollmentParts extends Chance {
  directory: LoginDirectory;
  store: EnrollmentStore;
  secret: LoginSecret;
  passwords: Passwords;
  marks: HighWaterMarks;
  /** What authenticator apps show. */
  issuerName: string;
}

export interface Invited {
  invitation: Invitation;
  person: Person;
}

export class Enrollment {
  readonly #parts: EnrollmentParts;

  constructor(parts: EnrollmentParts) {
    this.#parts = parts;
  }

  /** Throws LoginError where the invitation was used, has ended, or never was. */
  invited(secret: string): Invited {
    const { store, directory } = this.#parts;
    const text = secret.trim();
    const invitation = text.startsWith(invitationPrefix) ? store.invitation(text) : undefined;
    const person = invitation && directory.person(invitation.principal);
    if (invitation === undefined || person === undefined) throw notInvited();
    return { invitation, person };
  }

  /** The seed to be taken into an authenticator app. */
  seed(secret: string): ShownSeed {
    const { person } = this.invited(secret);
    const account = person.email ?? person.name;
    return showSeed(this.#seedOf(secret), { issuer: this.#parts.issuerName, account });
  }

  /** Makes password and one-time codes. Throws LoginError. */
  async withPassword(secret: string, given: { password: string; code: string }): Promise<Proven> {
    const { store, secret: key, passwords, marks, now, random } = this.#parts;
    const { invitation, person } = this.invited(secret);
    const seed = this.#seedOf(secret);
    const period = periodOfCode(seed, given.code, now());
    if (period === null)
      throw new LoginError(
        'input_invalid',
        'the code does not fit: take the one that the app shows now, and check the clock of its device',
      );
    const names = [person.name, person.email?.split('@')[0] ?? ''];
    const material = await passwords.hash(given.password, names);
    await this.#redeem(invitation);
    await store.create(invitation, { kind: 'password', name: 'Password', lookup: person.id, material });
    const codes = { kind: 'totp', name: 'One-time codes', lookup: person.id } as const;
    const sealed = sealSeed(seed, person.id, { secret: key, random });
    const credential = await store.create(invitation, { ...codes, material: sealed });
    marks.raise(`totp ${credential}`, period);
    return this.#proven(person, credential, 2);
  }

  /** Makes a passkey that was registered for this invitation. Throws LoginError. */
  async withPasskey(secret: string, passkey: NewPasskey): Promise<Proven> {
    const { invitation, person } = this.invited(secret);
    if (this.#parts.directory.credential('passkey', passkey.lookup) !== undefined)
      throw new LoginError('input_invalid', 'this passkey is registered already: use another one');
    await this.#redeem(invitation);
    const made = { kind: 'passkey', name: 'Passkey', ...passkey } as const;
    return this.#proven(person, await this.#parts.store.create(invitation, made), 3);
  }

  #seedOf(invitation: string): Uint8Array {
    return this.#parts.secret.seedOf(invitation.trim());
  }

  async #redeem(invitation: Invitation): Promise<void> {
    if (!(await this.#parts.store.redeem(invitation))) throw notInvited();
  }

  /** Registering proves possession; an assertion, which a step-up asks for, is another ceremony. */
  #proven(person: Person, credential: string, strength: 2 | 3): Proven {
    const authenticatedAt = instantOf(this.#parts.now());
    return { principal: person.id, credential, strength, authenticatedAt, steppedUpAt: null, device: null };
  }
}

function notInvited(): LoginError {
  return new LoginError(
    'unauthorized',
    'the invitation was used, has ended, or never was: ask an administrator for a new one',
  );
}
