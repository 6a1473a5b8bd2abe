/** The login pages and the built-in issuer on a real socket, over people and credentials that are kept in memory. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setDefaultCACertificates } from 'node:tls';
import { localhostCertificate } from '@tallystick/testkit/localhost-certificate';
import { Secret, TOTP } from 'otpauth';
import {
  AccountLogin,
  Enrollment,
  type ExternalIssuer,
  Federation,
  HighWaterMarks,
  IdTokens,
  type Invitation,
  Issuer,
  invitationPrefix,
  type LoginCredential,
  type LoginDirectory,
  type LoginKind,
  LoginSecret,
  Passkeys,
  Passwords,
  type Person,
  type SessionRequest,
  Site,
  Throttle,
} from '../../src/login/index.ts';

/** Cheap, because tests are about what happens around the hash; one of them measures the real cost. */
export const testCost = { n: 1024, r: 8, p: 1 };

export const ada: Person = { id: 'prn_ada', name: 'Ada Byron', email: 'ada@example.com' };
export const bob: Person = { id: 'prn_bob', name: 'Bob Stone', email: 'bob@example.com' };

type Kept = LoginCredential & { kind: LoginKind };

export class LoginRig implements AsyncDisposable {
  /** Milliseconds that the rig's clock is ahead of the real one. */
  aheadMs = 0;
  readonly people: Person[] = [ada, bob];
  readonly credentials: Kept[] = [];
  readonly invitations: Map<string, Invitation> = new Map();
  readonly sessions: Map<string, SessionRequest & { token: string; ended: boolean }> = new Map();
  readonly secret: LoginSecret = new LoginSecret(randomBytes(32));
  readonly marks: HighWaterMarks = new HighWaterMarks(':memory:');
  readonly passwords: Passwords = new Passwords({ secret: this.secret, random: randomBytes, cost: testCost });
  accounts!: AccountLogin;
  passkeys!: Passkeys;
  enrollment!: Enrollment;
  throttle!: Throttle;
  issuer!: Issuer;
  site!: Site;
  readonly #server: Server;
  readonly #isTls: boolean;
  #count = 0;

  private constructor(isTls: boolean) {
    this.#isTls = isTls;
    const listener: RequestListener = (request, response) => {
      void this.#serve(request).then(({ status, headers, cookies, body }) => {
        response
          .writeHead(status, { ...headers, ...(cookies.length > 0 && { 'set-cookie': cookies }) })
          .end(body);
      });
    };
    this.#server = isTls ? createTlsServer(localhostCertificate, listener) : createServer(listener);
  }

  /** With TLS, but for browsers that would not trust its certificate. */
  static async start(issuers: readonly ExternalIssuer[] = [], isTls: boolean = true): Promise<LoginRig> {
    const rig = new LoginRig(isTls);
    setDefaultCACertificates([localhostCertificate.cert]);
    const chance = { now: () => rig.now(), random: randomBytes };
    const { directory, secret, marks, passwords, sessionStarter: sessions } = rig;
    const origin = (): string => rig.origin;
    rig.throttle = new Throttle(chance.now);
    const { throttle } = rig;
    rig.accounts = new AccountLogin({ ...chance, directory, secret, passwords, marks, throttle });
    const rp = () => ({ id: 'localhost', name: 'Acme', origin: rig.origin });
    rig.passkeys = new Passkeys({ ...chance, rp, directory, marks });
    const { store } = rig;
    const issuerName = 'Acme';
    rig.enrollment = new Enrollment({ ...chance, directory, store, secret, passwords, marks, issuerName });
    rig.issuer = new Issuer({ ...chance, origin, sessions, idTokens: await IdTokens.create('test') });
    rig.site = new Site({
      ...chance,
      origin,
      directory,
      sessions,
      issuer: rig.issuer,
      accounts: rig.accounts,
      passkeys: rig.passkeys,
      enrollment: rig.enrollment,
      federation: new Federation(issuers, { ...chance, directory }),
      sessionCookies: ({ token }) => [`tally_session=${token}; Path=/; HttpOnly; SameSite=Strict`],
    });
    await new Promise<void>((resolve) => rig.#server.listen(0, 'localhost', resolve));
    return rig;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  get origin(): string {
    return `http${this.#isTls ? 's' : ''}://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get directory(): LoginDirectory {
    const { people, credentials } = this;
    return {
      person: (id) => people.find((person) => person.id === id),
      personByEmail: (email) => people.find((person) => person.email === email.toLowerCase()),
      credential: (kind, lookup) => credentials.find((each) => each.kind === kind && each.lookup === lookup),
      credentialsOf: (principal, kind) =>
        credentials.filter((each) => each.kind === kind && each.principal === principal),
    };
  }

  get store(): ConstructorParameters<typeof Enrollment>[0]['store'] {
    return {
      invitation: (secret) => this.invitations.get(secret),
      redeem: async ({ id }) => {
        const found = [...this.invitations].find(([, invitation]) => invitation.id === id);
        return found !== undefined && this.invitations.delete(found[0]);
      },
      create: async ({ principal }, { kind, lookup, material }) =>
        this.add(kind, principal, lookup, material).id,
    };
  }

  get sessionStarter(): ConstructorParameters<typeof Site>[0]['sessions'] {
    return {
      begin: async (request) => {
        const session = `ses_${++this.#count}`;
        const token = `tally_session_${randomBytes(16).toString('hex')}`;
        this.sessions.set(session, { ...request, token, ended: false });
        return { token, session, expiresInSeconds: 3600 };
      },
      end: async (session) => {
        const known = this.sessions.get(session);
        if (known !== undefined) known.ended = true;
      },
    };
  }

  add(kind: LoginKind, principal: string, lookup: string, material: Record<string, string>): Kept {
    const credential = { id: `crd_${++this.#count}`, kind, principal, lookup, material };
    const earlier = this.credentials.findIndex((each) => each.kind === kind && each.lookup === lookup);
    if (earlier >= 0) this.credentials.splice(earlier, 1);
    this.credentials.push(credential);
    return credential;
  }

  invite(person: Person): string {
    const secret = `${invitationPrefix}${randomBytes(32).toString('base64url')}`;
    this.invitations.set(secret, { id: `crd_${++this.#count}`, principal: person.id });
    return secret;
  }

  /** Enrolls with a password; the result gives codes. */
  async enroll(person: Person, password: string): Promise<{ code: () => string }> {
    const invitation = this.invite(person);
    const { secret } = this.enrollment.seed(invitation);
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    const code = (): string => totp.generate({ timestamp: this.now() });
    await this.enrollment.withPassword(invitation, { password, code: code() });
    return { code };
  }

  /** The next period of one-time codes, so that a code of this one is not the same. */
  nextPeriod(): void {
    this.aheadMs += 30_000;
  }

  async #serve(message: IncomingMessage): ReturnType<Site['handle']> {
    const url = new URL(message.url ?? '/', this.origin);
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const isJson = message.headers['content-type'] === 'application/json';
    return this.site.handle({
      method: message.method === 'POST' ? 'POST' : 'GET',
      path: url.pathname,
      query: url.searchParams,
      form: new URLSearchParams(isJson ? '' : body),
      json: isJson ? JSON.parse(body) : null,
      headers: message.headers as Record<string, string | undefined>,
      address: '127.0.0.1',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.marks[Symbol.dispose]();
  }
}
