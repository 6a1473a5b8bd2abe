/** The login pages and the built-in issuer on a real socket, over people and credentials that are kept in memory. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setDefaultCACertificates } from 'node:tls';
import type { CredentialDocument, PrincipalDocument } from '@tallystick/license';
import { localhostCertificate } from '@tallystick/testkit/localhost-certificate';
import { Secret, TOTP } from 'otpauth';
import { Directory, newSecretToken, type SessionStart, sessionCookies } from '../../src/index.ts';
import {
  createLogin,
  type EnrollmentStore,
  type ExternalIssuer,
  HighWaterMarks,
  type Login,
  type LoginKind,
  LoginSecret,
  type SessionStarter,
} from '../../src/login/index.ts';

/** Cheap, because tests are about what happens around the hash; one of them measures the real cost. */
export const testCost = { n: 1024, r: 8, p: 1 };

const cookieKey = createSecretKey(randomBytes(32));
const head = { v: 1 as const, ns: 'acme', rev: 0, crit: [] };

function personOf(id: string, name: string, email: string | null): PrincipalDocument {
  return {
    ...head,
    type: 'principal',
    id,
    kind: 'person',
    name,
    email,
    state: 'active',
    roles: [],
    metadata: {},
  };
}

export const ada: PrincipalDocument = personOf('prn_ada', 'Ada Byron', 'ada@example.com');
export const bob: PrincipalDocument = personOf('prn_bob', 'Bob Stone', 'bob@example.com');
export const eve: PrincipalDocument = personOf('prn_eve', '<script>alert(1)</script>', 'eve@example.com');

export function newLoginSecret(): LoginSecret {
  return new LoginSecret(createSecretKey(randomBytes(32)), 'acme');
}

export class LoginRig implements AsyncDisposable {
  /** Milliseconds that the rig's clock is ahead of the real one. */
  aheadMs = 0;
  readonly directory: Directory = new Directory();
  readonly sessions: Map<string, SessionStart & { token: string; ended: boolean }> = new Map();
  readonly marks: HighWaterMarks = new HighWaterMarks(':memory:');
  login!: Login;
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
  static async start(
    issuers: readonly ExternalIssuer[] = [],
    { isTls = true, codesStepUp = false }: { isTls?: boolean; codesStepUp?: boolean } = {},
  ): Promise<LoginRig> {
    const rig = new LoginRig(isTls);
    setDefaultCACertificates([localhostCertificate.cert]);
    for (const person of [ada, bob, eve]) rig.directory.apply(person);
    rig.login = await createLogin({
      now: () => rig.now(),
      random: randomBytes,
      directory: rig.directory,
      origin: () => rig.origin,
      passkeyDomain: 'localhost',
      name: 'Acme',
      secret: newLoginSecret(),
      marks: rig.marks,
      sessions: rig.sessionStarter,
      sessionCookies: ({ token, expiresInSeconds }) => sessionCookies(token, cookieKey, expiresInSeconds),
      store: rig.store,
      issuers,
      codesStepUp,
      passwordCost: testCost,
    });
    await new Promise<void>((resolve) => rig.#server.listen(0, 'localhost', resolve));
    return rig;
  }

  get accounts(): Login['accounts'] {
    return this.login.accounts;
  }

  get enrollment(): Login['enrollment'] {
    return this.login.enrollment;
  }

  get issuer(): Login['issuer'] {
    return this.login.issuer;
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  get origin(): string {
    return `http${this.#isTls ? 's' : ''}://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** As the log does it: the credential is made and the invitation ends, or neither. */
  get store(): EnrollmentStore {
    return {
      lookupOf: (secret) => secret,
      create: async ({ invitation: id, principal }, { kind, lookup, material }) => {
        const invitation = this.directory.credential(id);
        if (invitation?.state !== 'active') return null;
        this.directory.apply({ ...invitation, rev: 1, state: 'revoked' });
        return this.add(kind, principal, lookup, material).id;
      },
    };
  }

  get sessionStarter(): SessionStarter {
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

  add(
    kind: LoginKind,
    principal: string,
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

  /** Active ones, whatever they are of. */
  count(kind: LoginKind): number {
    const all = [ada, bob, eve].flatMap(({ id }) => this.directory.credentialsOf(id));
    return all.filter((each) => each.kind === kind && each.state === 'active').length;
  }

  invite(person: PrincipalDocument): string {
    const secret = newSecretToken('invite', randomBytes);
    this.add('invitation', person.id, secret);
    return secret;
  }

  /** Enrolls with a password; the result gives codes. */
  async enroll(person: PrincipalDocument, password: string): Promise<{ code: () => string }> {
    const invitation = this.invite(person);
    const { secret } = this.enrollment.seed(invitation);
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    const code = (): string => totp.generate({ timestamp: this.now() });
    await this.enrollment.withPassword(invitation, { password, code: code(), address: '::1' });
    return { code };
  }

  /** The next period of one-time codes, so that a code of this one is not the same. */
  nextPeriod(): void {
    this.aheadMs += 30_000;
  }

  async #serve(message: IncomingMessage): ReturnType<Login['site']['handle']> {
    const url = new URL(message.url ?? '/', this.origin);
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const isJson = message.headers['content-type'] === 'application/json';
    return this.login.site.handle({
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
