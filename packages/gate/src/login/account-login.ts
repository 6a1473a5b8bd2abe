/** Logging in with password and one-time code together: neither tells on its own whether it was right. */
import { formatInstant } from '@tallystick/core';
import type { PrincipalDocument } from '@tallystick/license';
import type { HighWaterMarks } from './high-water-marks.ts';
import { notLoggedIn } from './login-error.ts';
import type { LoginSecret } from './login-secret.ts';
import { openSeed, periodOfCode } from './one-time-codes.ts';
import type { Passwords } from './passwords.ts';
import type { Chance, People, Proven } from './people.ts';
import type { Throttle } from './throttle.ts';

export interface AccountLoginParts extends Chance {
  people: People;
  secret: LoginSecret;
  passwords: Passwords;
  marks: HighWaterMarks;
  throttle: Throttle;
  /** Whether password and code prove presence where their owner has no passkey. */
  codesStepUp: boolean;
}

export interface PasswordAndCode {
  password: string;
  /** Six digits. */
  code: string;
  /** IP address. */
  address: string;
}

export class AccountLogin {
  readonly #parts: AccountLoginParts;

  constructor(parts: AccountLoginParts) {
    this.#parts = parts;
  }

  /** `account` is an email or `prn_…`. Throws LoginError. */
  async logIn(account: string, given: PasswordAndCode): Promise<Proven> {
    const person = this.#find(account);
    const giveBack = this.#parts.throttle.take(person?.id ?? account.trim().toLowerCase(), given.address);
    const proven = await this.#check(person, given);
    if (proven === null) throw notLoggedIn();
    giveBack();
    return proven;
  }

  #find(account: string): PrincipalDocument | undefined {
    const { people } = this.#parts;
    const name = account.trim();
    return name.startsWith('prn_') ? people.person(name) : people.personByEmail(name);
  }

  async #check(
    person: PrincipalDocument | undefined,
    { password, code }: PasswordAndCode,
  ): Promise<Proven | null> {
    const { people, passwords, marks, now, secret } = this.#parts;
    const known = person && people.credential('password', person.id);
    const isRight = await passwords.verify(password, known?.material ?? null);
    if (known === undefined || !isRight) return null;
    const { id, principal, material } = known;
    const period = periodOfCode(openSeed(material, principal, secret), code, now());
    // Last: a code is used up only by who also has the password.
    if (period === null || !marks.raise(`code ${id}`, period)) return null;
    return provenByCode(this.#parts, { principal, credential: id });
  }
}

/** What password and code are worth. Whoever has a passkey steps up with that, and is not talked out of it. */
export function provenByCode(
  { people, codesStepUp, now }: Pick<AccountLoginParts, 'people' | 'codesStepUp' | 'now'>,
  who: Pick<Proven, 'principal' | 'credential'>,
): Proven {
  const at = formatInstant(now());
  const stepsUp = codesStepUp && people.credentialsOf(who.principal, 'passkey').length === 0;
  return { ...who, strength: 2, authenticatedAt: at, steppedUpAt: stepsUp ? at : null, device: null };
}
