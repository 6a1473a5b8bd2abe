/**
 * The built-in issuer: discovery, keys, authorization, device authorization and tokens, for the command line and
 * nobody else. The access token is a session of this server.
 */
import type { Chance, Proven, SessionStarter } from '../people.ts';
import { AuthorizationCodes } from './authorization-codes.ts';
import { type AuthorizationRequest, knownClient, onlyValue } from './authorization-request.ts';
import { DeviceCodes, type NewDeviceCode } from './device-codes.ts';
import { acrOf, type IdTokens, idTokenAlgorithm } from './id-tokens.ts';
import { OAuthError } from './oauth-error.ts';

export interface IssuerParts extends Chance {
  /** The origin of the pages, without a slash at its end. */
  origin: () => string;
  sessions: SessionStarter;
  idTokens: IdTokens;
}

/** Who asks the token endpoint. */
export interface Peer {
  address: string;
  userAgent: string;
}

export interface TokenAnswer {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
  id_token: string;
}

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

export class Issuer {
  readonly codes: AuthorizationCodes;
  readonly devices: DeviceCodes;
  readonly #parts: IssuerParts;

  constructor(parts: IssuerParts) {
    this.#parts = parts;
    this.codes = new AuthorizationCodes(parts);
    this.devices = new DeviceCodes(parts);
  }

  get name(): string {
    return `${this.#parts.origin()}/issuer`;
  }

  /** OpenID Connect Discovery 1.0 and RFC 8414. */
  discovery(): object {
    const at = (path: string): string => `${this.name}/${path}`;
    return {
      issuer: this.name,
      authorization_endpoint: at('authorize'),
      token_endpoint: at('token'),
      device_authorization_endpoint: at('device'),
      jwks_uri: at('jwks'),
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', deviceGrant],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [idTokenAlgorithm],
      token_endpoint_auth_methods_supported: ['none'],
      code_challenge_methods_supported: ['S256'],
      acr_values_supported: Object.values(acrOf),
      scopes_supported: ['openid'],
      authorization_response_iss_parameter_supported: true,
    };
  }

  jwks(): object {
    return this.#parts.idTokens.keys;
  }

  /** The address that sends the person back to the client with a code. */
  redirect(request: AuthorizationRequest, proven: Proven): string {
    return this.#answerTo(request, { code: this.codes.issue(request, proven) });
  }

  /** The same with an error. */
  redirectError(target: { redirectUri: string; state: string | null }, error: OAuthError): string {
    return this.#answerTo(target, { error: error.code, error_description: error.message });
  }

  #answerTo(
    { redirectUri, state }: { redirectUri: string; state: string | null },
    answer: Record<string, string>,
  ): string {
    const url = new URL(redirectUri);
    // RFC 9207: a client of several issuers learns which of them answers.
    const parameters = { ...answer, iss: this.name, ...(state === null ? {} : { state }) };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  }

  beginDevice(form: URLSearchParams, peer: Peer): NewDeviceCode {
    const clientId = knownClient(onlyValue(form, 'client_id'));
    return this.devices.begin({ clientId, ...peer });
  }

  /** Throws OAuthError. */
  async token(form: URLSearchParams, peer: Peer): Promise<TokenAnswer> {
    const clientId = knownClient(onlyValue(form, 'client_id'));
    const grant = onlyValue(form, 'grant_type');
    if (grant === 'authorization_code') return this.#tokenForCode(form, clientId, peer);
    if (grant !== deviceGrant)
      throw new OAuthError('unsupported_grant_type', 'take authorization_code or device_code');
    const proven = this.devices.take(onlyValue(form, 'device_code') ?? '', clientId);
    return this.#begin(proven, clientId, peer);
  }

  async #tokenForCode(form: URLSearchParams, clientId: string, peer: Peer): Promise<TokenAnswer> {
    const { sessions } = this.#parts;
    const value = (name: string): string => onlyValue(form, name) ?? '';
    const given = { clientId, redirectUri: value('redirect_uri'), verifier: value('code_verifier') };
    let replayed: string | null = null;
    try {
      const taken = this.codes.take(value('code'), given, (session) => {
        replayed = session;
      });
      return await this.#begin(taken.proven, clientId, peer, taken);
    } finally {
      if (replayed !== null) await sessions.end(replayed);
    }
  }

  async #begin(
    proven: Proven,
    clientId: string,
    peer: Peer,
    taken?: { request: AuthorizationRequest; bind: (session: string) => boolean },
  ): Promise<TokenAnswer> {
    const { sessions, idTokens, now } = this.#parts;
    const begun = await sessions.begin({ ...proven, ...peer });
    if (taken?.bind(begun.session) === false) {
      await sessions.end(begun.session);
      throw new OAuthError('invalid_grant', 'the code came a second time');
    }
    const nonce = taken === undefined ? {} : { nonce: taken.request.nonce };
    const about = { issuer: this.name, clientId, session: begun.session, ...nonce };
    return {
      access_token: begun.token,
      token_type: 'Bearer',
      expires_in: begun.expiresInSeconds,
      id_token: await idTokens.sign(proven, about, now()),
    };
  }
}
