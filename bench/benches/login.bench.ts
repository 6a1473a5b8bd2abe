/** Logins per second: what a password's hash costs, and what is left of it for a passkey. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { Directory, newSecretToken } from '@tallystick/gate';
import {
  createLogin,
  HighWaterMarks,
  type Login,
  LoginSecret,
  type SiteRequest,
} from '@tallystick/gate/login';
import type { CredentialDocument, CredentialKind, PrincipalDocument } from '@tallystick/license';
import { SoftwareAuthenticator } from '@tallystick/testkit/software-authenticator';
import type { Bench, BenchContext } from '../bench.ts';
import { formatRate, type Rate, rateOf } from '../rate.ts';
import { interleave, markdownTable } from '../report.ts';

const origin = 'https://tally.example';
const password = 'correct horse battery';
const head = { v: 1 as const, ns: 'acme', rev: 0, crit: [] };
/** More would wait, and be turned away beyond 34. */
const inFlight = 8;

/** People who log in once each: a code counts once. */
class People {
  readonly directory = new Directory();
  login!: Login;
  readonly #file: string;
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async open(): Promise<void> {
    this.login = await createLogin({
      now: () => Date.now(),
      random: (length) => randomBytes(length),
      directory: this.directory,
      origin: () => origin,
      passkeyDomain: 'tally.example',
      name: 'Acme',
      secret: new LoginSecret(createSecretKey(randomBytes(32)), 'acme'),
      marks: new HighWaterMarks(this.#file),
      sessions: {
        begin: async () => ({ token: 'token', session: 'ses_1', expiresInSeconds: 1 }),
        end: async () => undefined,
      },
      sessionCookies: () => [],
      store: {
        lookupOf: (secret) => secret,
        create: async ({ principal }, { kind, lookup, material }) =>
          this.#add(principal, kind, lookup, material).id,
      },
      issuers: [],
      codesStepUp: false,
    });
  }

  #add(
    principal: string,
    kind: CredentialKind,
    lookup: string,
    material: Record<string, string> = {},
  ): CredentialDocument {
    const credential: CredentialDocument = {
      ...head,
      type: 'credential',
      id: `crd_${++this.#count}`,
      principal,
      kind,
      name: kind,
      state: 'active',
      notAfter: null,
      scope: { actions: null, products: null, networks: null },
      lookup,
      material,
      replaces: null,
    };
    this.directory.apply(credential);
    return credential;
  }

  /** Somebody new, and the secret of an invitation. */
  invited(): { id: string; invitation: string } {
    const id = `prn_${++this.#count}`;
    const person = { ...head, type: 'principal', id, kind: 'person', name: id, email: null } as const;
    const document: PrincipalDocument = { ...person, state: 'active', roles: [], metadata: {} };
    this.directory.apply(document);
    const invitation = newSecretToken('invite', (length) => randomBytes(length));
    this.#add(id, 'invitation', invitation);
    return { id, invitation };
  }

  /** A login that enrolls, which hashes once as any other does. */
  async withPassword(): Promise<void> {
    const { invitation } = this.invited();
    const code = codeOf(this.login.enrollment.seed(invitation).secret);
    await this.login.enrollment.withPassword(invitation, { password, code, address: '192.0.2.1' });
  }

  async unknown(): Promise<void> {
    const account = `${++this.#count}@example.com`;
    const address = `2001:db8:${(this.#count & 0xffff).toString(16)}:1::1`;
    const refused = await this.login.accounts.logIn(account, { password, code: '000000', address }).then(
      () => false,
      () => true,
    );
    if (!refused) throw new Error('somebody unknown was let in');
  }

  /** The page, the challenge, and the assertion. */
  async withPasskey(authenticator: SoftwareAuthenticator): Promise<void> {
    const browser = new InProcessBrowser(this.login);
    await browser.visit('GET', '/login');
    await browser.visit('GET', '/login');
    const { challenge } = JSON.parse(await browser.visit('POST', '/login/passkey/options', {})) as {
      challenge: string;
    };
    await browser.visit(
      'POST',
      '/login/passkey',
      authenticator.assert({ origin, rpId: 'tally.example', challenge }),
    );
  }

  async passkey(): Promise<SoftwareAuthenticator> {
    const authenticator = new SoftwareAuthenticator();
    const browser = new InProcessBrowser(this.login);
    await browser.visit('GET', '/login');
    await browser.visit('GET', '/login/invitation');
    await browser.visit(
      'POST',
      '/login/invitation',
      new URLSearchParams({ invitation: this.invited().invitation }),
    );
    const options = await browser.visit('POST', '/login/enroll/passkey/options', {});
    const { challenge } = JSON.parse(options) as { challenge: string };
    const made = authenticator.register({ origin, rpId: 'tally.example', challenge });
    await browser.visit('POST', '/login/enroll/passkey', made);
    return authenticator;
  }
}

/** Requests to the pages, without a socket: the login is what is measured. */
class InProcessBrowser {
  readonly #login: Login;
  #cookie = '';
  #csrf = '';

  constructor(login: Login) {
    this.#login = login;
  }

  async visit(method: 'GET' | 'POST', path: string, body: object = {}): Promise<string> {
    const form = body instanceof URLSearchParams ? body : new URLSearchParams();
    form.set('csrf', this.#csrf);
    const headers: SiteRequest['headers'] = {
      host: 'tally.example',
      cookie: this.#cookie,
      origin,
      'x-tally-csrf': this.#csrf,
    };
    const request = {
      method,
      path,
      query: new URLSearchParams(),
      form,
      json: body,
      headers,
      address: '192.0.2.1',
    };
    const answer = await this.#login.site.handle(request);
    if (answer.status >= 400) throw new Error(`${path}: ${answer.status} ${answer.body}`);
    this.#cookie = answer.cookies[0]?.split(';')[0] ?? this.#cookie;
    this.#csrf = /name="csrf" content="([^"]+)"/.exec(answer.body)?.[1] ?? this.#csrf;
    return answer.body;
  }
}

/** RFC 6238, of a seed in base32. */
function codeOf(base32: string): string {
  let bits = '';
  for (const letter of base32)
    bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0');
  const seed = Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac('sha1', seed).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}

function measure(work: () => Promise<void>, atOnce: number, seconds: number): Promise<Rate> {
  const until = performance.now() + seconds * 1000;
  return rateOf(async () => {
    let count = 0;
    const worker = async (): Promise<void> => {
      while (performance.now() < until) {
        await work();
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return count;
  });
}

async function run({ directory, rounds, seconds, log }: BenchContext): Promise<string[]> {
  const people = new People(`${directory}/login.db`);
  await people.open();
  const authenticator = await people.passkey();
  const variants = {
    'password and code': { atOnce: inFlight, work: () => people.withPassword() },
    'an unknown account': { atOnce: inFlight, work: () => people.unknown() },
    'a passkey, with its page and challenge': { atOnce: 1, work: () => people.withPasskey(authenticator) },
  };
  const named = Object.entries(variants);
  const works = Object.fromEntries(
    named.map(([name, { work, atOnce }]) => [name, () => measure(work, atOnce, seconds)]),
  );
  log('hashing');
  const results = await interleave(rounds, works);
  return [
    `Logins in one process, without HTTP; medians of ${rounds} rounds of ${seconds} s. In brackets the processor time of each. A ` +
      'password is hashed with scrypt (N = 2^17, r = 8, p = 1: 128 MiB), two at a time, whether the account is known or not. ' +
      'The first row enrolls, which hashes as often.',
    markdownTable(
      ['what is shown', 'at the same time', 'logins/s'],
      named.map(([name, { atOnce }]) => [name, String(atOnce), formatRate(results[name] ?? [])]),
    ),
  ];
}

export const bench: Bench = { name: 'login', title: 'Logins of people', run };
