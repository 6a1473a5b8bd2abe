/** A person at a running server: enrolled with an invitation, logged in with password and one-time codes. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { newSecretToken } from '@tallystick/gate';
import type { Answer, RealSystem } from './real-system.ts';

/** An administrator's way to make somebody: by the token of `tally init`, or by a session. */
export type Inviting = (method: string, path: string, body?: unknown) => Promise<Answer>;

export interface Invited {
  principal: string;
  invitation: string;
}

export async function invite(
  ask: Inviting,
  person: { name: string; email: string; roles?: string[] },
): Promise<Invited> {
  const { roles = [], ...named } = person;
  const made = await must(
    ask('POST', '/v1/principals', { kind: 'person', ...named, roles: roles.map((role) => ({ role })) }),
  );
  const principal = (made.json as { document: { id: string } }).document.id;
  return { principal, invitation: await inviteAgain(ask, principal) };
}

export async function inviteAgain(ask: Inviting, principal: string): Promise<string> {
  const invitation = newSecretToken('invite', (length) => randomBytes(length));
  const lookup = createHash('sha256').update(invitation).digest('base64');
  const notAfter = new Date(Date.now() + 3_600_000).toISOString();
  const body = { principal, kind: 'invitation', name: 'Invitation', lookup, notAfter };
  await must(ask('POST', '/v1/credentials', body));
  return invitation;
}

export async function must(answer: Promise<Answer>): Promise<Answer> {
  const { status, text, ...rest } = await answer;
  if (status >= 300) throw new Error(`${status} ${text}`);
  return { status, text, ...rest };
}

export interface LoggedIn {
  token: string;
  session: string;
  strength: number;
  steppedUpAt: string | null;
}

export class Person {
  readonly principal: string;
  readonly password: string;
  readonly #system: RealSystem;
  readonly #seed: Buffer;
  #usedPeriod = 0;

  private constructor(system: RealSystem, principal: string, password: string, seed: Buffer) {
    this.#system = system;
    this.principal = principal;
    this.password = password;
    this.#seed = seed;
  }

  /** Somebody whose authenticator app has this key, in base32. */
  static ofSeed(system: RealSystem, principal: string, password: string, seed: string): Person {
    return new Person(system, principal, password, fromBase32(seed));
  }

  /** From the invitation to the first session. */
  static async enroll(
    system: RealSystem,
    { principal, invitation }: Invited,
    password: string,
  ): Promise<{ person: Person; session: LoggedIn }> {
    const offer = (await must(system.admin('POST', '/v1/enrollment', { invitation }))).json as {
      secret: string;
    };
    const person = Person.ofSeed(system, principal, password, offer.secret);
    const body = { invitation, password, code: await person.code() };
    const session = (await must(system.admin('POST', '/v1/enrollment/password', body))).json as LoggedIn;
    return { person, session };
  }

  async logIn(): Promise<LoggedIn> {
    const body = { account: this.principal, password: this.password, code: await this.code() };
    return (await must(this.#system.admin('POST', '/v1/login', body))).json as LoggedIn;
  }

  /** One that was not used before. Those of the periods before and after count as well, so that three are there at once. */
  async code(): Promise<string> {
    const periods = (): number => Date.now() / 30_000;
    // The one before ends with this period, which must not happen on the way.
    const isEnding = periods() % 1 > 0.8;
    const period = Math.max(Math.floor(periods()) - (isEnding ? 0 : 1), this.#usedPeriod + 1);
    while (periods() < period - 1) await after(100);
    this.#usedPeriod = period;
    return codeOf(this.#seed, period);
  }
}

/** RFC 6238. */
function codeOf(seed: Buffer, period: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(period));
  const mac = createHmac('sha1', seed).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

function fromBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = '';
  for (const letter of text) bits += alphabet.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}
