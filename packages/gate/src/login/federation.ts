/** People of other issuers (OpenID Connect Core 1.0): authorization code with PKCE, state and nonce, and nothing else. */
import { formatInstant } from '@tallystick/core';
import type { Configuration, IDToken } from 'openid-client';
import { deviceOfClaims, type PostureClaims } from '../authenticate/posture.ts';
import { LoginError } from './login-error.ts';
import { type Chance, newSecret, type People, type Proven } from './people.ts';

export interface ExternalIssuer {
  /** Its identifier, an https address. */
  issuer: string;
  /** What the login page calls it. */
  name: string;
  clientId: string;
  /** null for a public client. */
  clientSecret: string | null;
  /** What values of `acr` and `amr` are worth; the best of those in a token counts. */
  strengths: Readonly<Record<string, 1 | 2 | 3>>;
  /** Claims that speak of the device. */
  posture: PostureClaims;
}

/** Values of OpenID Connect's EAP profile and RFC 8176 that leave no doubt. */
export const defaultStrengths: Readonly<Record<string, 1 | 2 | 3>> = { phr: 3, phrh: 3, mfa: 2 };

/** What a login that is under way at an issuer has to come back with. */
export interface PendingLogin {
  issuer: string;
  state: string;
  nonce: string;
  verifier: string;
  /** Whether the person had to show itself anew. */
  fresh: boolean;
}

const configurationMs = 60 * 60_000;
const answerSeconds = 10;

export class Federation {
  readonly #issuers: ReadonlyMap<string, ExternalIssuer>;
  readonly #parts: Chance & { people: People };
  readonly #configurations = new Map<string, { until: number; value: Promise<Configuration> }>();

  constructor(issuers: readonly ExternalIssuer[], parts: Chance & { people: People }) {
    this.#issuers = new Map(issuers.map((each) => [each.issuer, each]));
    this.#parts = parts;
  }

  get issuers(): readonly ExternalIssuer[] {
    return [...this.#issuers.values()];
  }

  /** Where to send the browser. `fresh` has the person show itself anew. Throws LoginError. */
  async begin(
    issuer: string,
    { redirectUri, fresh }: { redirectUri: string; fresh: boolean },
  ): Promise<{ url: URL; pending: PendingLogin }> {
    const configuration = await this.#configuration(issuer);
    const secrets = { state: newSecret(this.#parts), nonce: newSecret(this.#parts) };
    const verifier = newSecret(this.#parts);
    const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await client();
    const url = buildAuthorizationUrl(configuration, {
      ...secrets,
      redirect_uri: redirectUri,
      scope: 'openid',
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(fresh ? { max_age: '0', prompt: 'login' } : {}),
    });
    return { url, pending: { issuer, ...secrets, verifier, fresh } };
  }

  /** `returned` is the address that the browser came back to. Throws LoginError. */
  async complete(returned: URL, pending: PendingLogin): Promise<Proven> {
    const configuration = await this.#configuration(pending.issuer);
    const { authorizationCodeGrant } = await client();
    const claims = await authorizationCodeGrant(configuration, returned, {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      idTokenExpected: true,
      ...(pending.fresh ? { maxAge: 60 } : {}),
    }).then(
      (tokens) => tokens.claims(),
      (error: unknown) => {
        throw refused(error);
      },
    );
    if (claims === undefined) throw refused(new Error('no ID token'));
    return this.#proven(claims, pending.issuer);
  }

  #proven(claims: IDToken, issuer: string): Proven {
    const known = this.#parts.people.credential('oidc', `${issuer} ${claims.sub}`);
    const config = this.#issuers.get(issuer);
    if (known === undefined || config === undefined)
      throw new LoginError(
        'forbidden',
        `the issuer vouches for you, and nobody here is linked to that: ask an administrator to link ${issuer} ${claims.sub}`,
      );
    const strength = strengthOf(claims, config.strengths);
    const shownAt = claims.auth_time === undefined ? null : formatInstant(claims.auth_time * 1000);
    return {
      principal: known.principal,
      credential: known.id,
      strength,
      authenticatedAt: shownAt ?? formatInstant(this.#parts.now()),
      // Without auth_time the passkey may have been shown hours ago.
      steppedUpAt: strength === 3 ? shownAt : null,
      device: deviceOfClaims(claims, config.posture),
    };
  }

  #configuration(issuer: string): Promise<Configuration> {
    const config = this.#issuers.get(issuer);
    if (config === undefined) throw new LoginError('not_found', 'there is no such issuer here');
    const known = this.#configurations.get(issuer);
    if (known !== undefined && known.until > this.#parts.now()) return known.value;
    const value = discover(config).catch((error: unknown) => {
      this.#configurations.delete(issuer);
      const problem = new LoginError('overloaded', `${config.name} does not answer: try again later`);
      problem.cause = error;
      throw problem;
    });
    this.#configurations.set(issuer, { until: this.#parts.now() + configurationMs, value });
    return value;
  }
}

/** Loaded where people come from another issuer, and nowhere else. */
function client(): Promise<typeof import('openid-client')> {
  return import('openid-client');
}

async function discover({ issuer, clientId, clientSecret }: ExternalIssuer): Promise<Configuration> {
  const { ClientSecretPost, discovery, enableNonRepudiationChecks, None } = await client();
  const authentication = clientSecret === null ? None() : ClientSecretPost(clientSecret);
  return discovery(new URL(issuer), clientId, {}, authentication, {
    timeout: answerSeconds,
    // TLS vouches for the token endpoint as well; the signature is what an issuer's key vouches for.
    execute: [enableNonRepudiationChecks],
  });
}

function strengthOf(claims: IDToken, strengths: Readonly<Record<string, 1 | 2 | 3>>): 1 | 2 | 3 {
  const { acr, amr } = claims;
  const names = [acr, ...(Array.isArray(amr) ? amr : [])].filter((name) => typeof name === 'string');
  const found = names.flatMap((name) => (Object.hasOwn(strengths, name) ? [strengths[name] ?? 1] : []));
  return found.includes(3) ? 3 : found.includes(2) ? 2 : 1;
}

function refused(cause: unknown): LoginError {
  const error = new LoginError(
    'unauthorized',
    'what the issuer sent back does not prove who you are: begin the login again',
  );
  error.cause = cause;
  return error;
}
