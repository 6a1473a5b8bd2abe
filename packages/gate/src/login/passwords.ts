/** Passwords: scrypt (RFC 7914) under a key of the server. */
import { type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { LoginError } from './login-error.ts';
import type { LoginSecret } from './login-secret.ts';

export interface PasswordCost {
  n: number;
  r: number;
  p: number;
}

/** What OWASP's cheat sheet on password storage asks for: 128 MiB and a third of a second on the machines of 2026. */
export const passwordCost: PasswordCost = { n: 2 ** 17, r: 8, p: 1 };

/** Hashing takes 128 MiB each time: strangers must not make it take more than the machine has. */
const hashingMax = 2;
const waitingMax = 32;

const saltLength = 16;
const hashLength = 32;
const lengthMin = 12;
const lengthMax = 256;

export interface PasswordParts {
  secret: LoginSecret;
  random: (length: number) => Uint8Array;
  /** Of new hashes; each hash says its own. */
  cost?: PasswordCost;
}

export class Passwords {
  readonly #parts: Required<PasswordParts>;
  readonly #waiting: (() => void)[] = [];
  #hashing = 0;

  constructor(parts: PasswordParts) {
    this.#parts = { cost: passwordCost, ...parts };
  }

  /** What verifies the password, for the log. Throws LoginError where the password is too short, too long or the account's name. */
  async hash(password: string, names: readonly string[]): Promise<Record<string, string>> {
    checkPassword(password, names);
    const { cost, random } = this.#parts;
    const salt = random(saltLength);
    const hash = await this.#keyedHash(password, salt, cost);
    const { n, r, p } = cost;
    const numbers = { n: String(n), r: String(r), p: String(p) };
    return {
      scheme: 'scrypt',
      ...numbers,
      salt: Buffer.from(salt).toString('base64'),
      hash: hash.toString('base64'),
    };
  }

  /** False where there is no such password, after as long a time as where it is wrong. */
  async verify(password: string, material: Readonly<Record<string, string>> | null): Promise<boolean> {
    const known = material === null ? this.#nobodys() : readMaterial(material);
    const hash = await this.#keyedHash(password, known.salt, known.cost);
    return timingSafeEqual(hash, known.hash) && material !== null;
  }

  #nobodys(): { cost: PasswordCost; salt: Uint8Array; hash: Buffer } {
    return { cost: this.#parts.cost, salt: new Uint8Array(saltLength), hash: Buffer.alloc(hashLength) };
  }

  async #keyedHash(password: string, salt: Uint8Array, { n, r, p }: PasswordCost): Promise<Buffer> {
    await this.#turn();
    try {
      const options = { N: n, r, p, maxmem: 128 * n * r + 1024 * 1024 };
      return this.#parts.secret.keyed(await scryptOf(normalized(password), salt, options));
    } finally {
      this.#hashing -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#hashing >= hashingMax) {
      if (this.#waiting.length >= waitingMax)
        throw new LoginError(
          'overloaded',
          'too many people log in at this moment: try again in a few seconds',
        );
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#hashing += 1;
  }
}

function checkPassword(password: string, names: readonly string[]): void {
  const text = normalized(password);
  const { length } = text;
  const folded = text.toLowerCase();
  if (length < lengthMin || length > lengthMax)
    throw new LoginError('input_invalid', `a password has ${lengthMin} to ${lengthMax} characters`);
  if (names.some((name) => name.length > 3 && folded.includes(name.toLowerCase())))
    throw new LoginError('input_invalid', 'a password must not contain the name of its account');
  if (new Set(folded).size < 5)
    throw new LoginError('input_invalid', 'a password has at least five different characters');
}

/** The same password typed on another keyboard gives the same bytes. */
function normalized(password: string): string {
  return password.normalize('NFKC');
}

const numberOf = (text: string | undefined, max: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error('the hash of a password has a cost that this version does not take');
};

function readMaterial(material: Readonly<Record<string, string>>): {
  cost: PasswordCost;
  salt: Uint8Array;
  hash: Buffer;
} {
  const { scheme, n, r, p, salt = '', hash = '' } = material;
  const bytes = Buffer.from(hash, 'base64');
  if (scheme !== 'scrypt' || bytes.length !== hashLength)
    throw new Error('the hash of a password is of a kind that this version does not know');
  const cost = { n: numberOf(n, 2 ** 20), r: numberOf(r, 32), p: numberOf(p, 16) };
  return { cost, salt: Buffer.from(salt, 'base64'), hash: bytes };
}

function scryptOf(password: string, salt: Uint8Array, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hashLength, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
