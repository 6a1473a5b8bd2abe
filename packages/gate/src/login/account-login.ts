/** Logging in with password and one-time code together: neither tells on its own whether it was right. */
import type { HighWaterMarks } from './high-water-marks.ts';
import { notLoggedIn } from './login-error.ts';
import type { LoginSecret } from './login-secret.ts';
import { openSeed, periodOfCode } from './one-time-codes.ts';
import type { Passwords } from './passwords.ts';
import { type Chance, instantOf, type LoginDirectory, type Person, type Proven } from './people.ts';
import type { Throttle } from './throttle.ts';

export interface AccountLoginParts extends Chance {
  directory: LoginDirectory;
  secret: LoginSecret;
  passwords: Passwords;
  marks: HighWaterMarks;
  throttle: Throttle;
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

  #find(account: string): Person | undefined {
    const { directory } = this.#parts;
    const name = account.trim();
    return name.startsWith('prn_') ? directory.person(name) : directory.personByEmail(name);
  }

  async #check(person: Person | undefined, { password, code }: PasswordAndCode): Promise<Proven | null> {
    const { directory, passwords, marks, now } = this.#parts;
    const known = person && directory.credential('password', person.id);
    const isRight = await passwords.verify(password, known?.material ?? null);
    const totp = person && directory.credential('totp', person.id);
    if (person === undefined || totp === undefined || !isRight) return null;
    const period = this.#period(totp.material, person.id, code);
    // Last: a code is used up only by who also has the password.
    if (period === null || !marks.raise(`totp ${totp.id}`, period)) return null;
    return {
      principal: person.id,
      credential: totp.id,
      strength: 2,
      authenticatedAt: instantOf(now()),
      steppedUpAt: null,
      device: null,
    };
  }

  #period(material: Readonly<Record<string, string>>, principal: string, code: string): number | null {
    const { secret, now } = this.#parts;
    return periodOfCode(openSeed(material, principal, secret), code, now());
  }
}
