/** An OpenID Connect provider of somebody else, which can be told to lie. */
import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { localhostCertificate } from '@tallystick/testkit/localhost-certificate';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';

const clientId = 'tallystick';

/** What makes an ID token, given the claims that would be right. */
export type TokenMaker = (issuer: ForeignIssuer, claims: Record<string, unknown>) => Promise<string>;

export class ForeignIssuer implements AsyncDisposable {
  readonly #server: Server;
  readonly #codes = new Map<string, { nonce: string; challenge: string }>();
  key!: CryptoKey;
  publicKey!: CryptoKey;
  #jwk!: JWK;
  /** Claims beside the usual ones. */
  more: Record<string, unknown> = {};
  make: TokenMaker = honest;
  /** What the token endpoint was asked the last time. */
  asked: URLSearchParams = new URLSearchParams();

  private constructor() {
    this.#server = createServer(localhostCertificate, (request, response) => {
      void this.#serve(request).then((answer) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
  }

  static async start(): Promise<ForeignIssuer> {
    const issuer = new ForeignIssuer();
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    issuer.key = privateKey;
    issuer.publicKey = publicKey;
    issuer.#jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' };
    await new Promise<void>((resolve) => issuer.#server.listen(0, 'localhost', resolve));
    return issuer;
  }

  get issuer(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  get config(): { issuer: string; name: string; clientId: string; clientSecret: string } {
    return { issuer: this.issuer, name: 'Example', clientId, clientSecret: 'secret' };
  }

  /** What a person's browser comes back with from there. */
  agree(authorization: URL): URLSearchParams {
    const { searchParams } = authorization;
    const code = Buffer.from(String(this.#codes.size)).toString('hex').padStart(32, '0');
    const value = (name: string): string => searchParams.get(name) ?? '';
    this.#codes.set(code, { nonce: value('nonce'), challenge: value('code_challenge') });
    return new URLSearchParams({ code, state: value('state') });
  }

  async #serve(request: IncomingMessage): Promise<object> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    return this.#answer(new URL(request.url ?? '/', this.issuer), form);
  }

  async #answer(url: URL, form: URLSearchParams): Promise<object> {
    const at = (path: string): string => `${this.issuer}/${path}`;
    if (url.pathname === '/jwks') return { keys: [this.#jwk] };
    if (url.pathname === '/token') return this.#token(form);
    return {
      issuer: this.issuer,
      authorization_endpoint: at('authorize'),
      token_endpoint: at('token'),
      jwks_uri: at('jwks'),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
      code_challenge_methods_supported: ['S256'],
    };
  }

  async #token(form: URLSearchParams): Promise<object> {
    this.asked = form;
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.issuer,
      sub: 'ada',
      aud: clientId,
      iat: now,
      exp: now + 300,
      nonce: this.#codes.get(form.get('code') ?? '')?.nonce,
      ...this.more,
    };
    return { access_token: 'unused', token_type: 'Bearer', id_token: await this.make(this, claims) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const honest: TokenMaker = ({ key }, claims) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(key);

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export const lies: Readonly<Record<string, TokenMaker>> = {
  'signed by nobody (alg none)': async (_, claims) => `${part({ alg: 'none' })}.${part(claims)}.`,
  'signed with the public key as a secret (HS256)': async ({ publicKey }, claims) => {
    const signed = `${part({ alg: 'HS256', kid: 'one' })}.${part(claims)}`;
    const mac = createHmac('sha256', await exportSPKI(publicKey))
      .update(signed)
      .digest('base64url');
    return `${signed}.${mac}`;
  },
  'signed with the client secret (HS256)': async (_, claims) => {
    const signed = `${part({ alg: 'HS256' })}.${part(claims)}`;
    return `${signed}.${createHmac('sha256', 'secret').update(signed).digest('base64url')}`;
  },
  'signed by a key that it brings along': async (_, claims) => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const jwk = await exportJWK(publicKey);
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one', jwk }).sign(privateKey);
  },
  'with another algorithm of the same key': ({ key }, claims) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS512', kid: 'one' })
      .sign(key)
      .catch(() => 'a.b.c'),
  'altered after it was signed': async (issuer, claims) => {
    const [head, , signature] = (await honest(issuer, claims)).split('.');
    return `${head}.${part({ ...claims, sub: 'bob' })}.${signature}`;
  },
  'of another issuer': (issuer, claims) => honest(issuer, { ...claims, iss: 'https://other.example' }),
  'for another audience': (issuer, claims) => honest(issuer, { ...claims, aud: 'another-client' }),
  'for several audiences, given to another': (issuer, claims) =>
    honest(issuer, { ...claims, aud: ['tallystick', 'another-client'], azp: 'another-client' }),
  'that has ended': (issuer, claims) => honest(issuer, { ...claims, iat: 1, exp: 2 }),
  'without an end': (issuer, claims) => honest(issuer, { ...claims, exp: undefined }),
  'of another login (nonce)': (issuer, claims) => honest(issuer, { ...claims, nonce: 'x'.repeat(43) }),
  'of no login (no nonce)': (issuer, claims) => honest(issuer, { ...claims, nonce: undefined }),
  'of nobody': (issuer, claims) => honest(issuer, { ...claims, sub: undefined }),
};
