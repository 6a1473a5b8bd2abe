/** The endpoints of the built-in issuer. None of them looks at a cookie, so that none can be called in somebody's name. */
import type { Wants } from '../interactions.ts';
import { LoginError } from '../login-error.ts';
import { json, redirect, type SiteAnswer, type SiteRequest, userAgentOf } from '../site-types.ts';
import { readAuthorizationRequest, redirectOf } from './authorization-request.ts';
import type { Issuer, Peer } from './issuer.ts';
import { OAuthError, type OAuthErrorCode } from './oauth-error.ts';

type Handler = (request: SiteRequest) => SiteAnswer | Promise<SiteAnswer>;

const statusOf: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  temporarily_unavailable: 503,
};

export class IssuerEndpoints {
  readonly #issuer: Issuer;
  readonly #begin: (wants: Wants) => SiteAnswer;

  /** `begin` sends the browser to the login page. */
  constructor(issuer: Issuer, begin: (wants: Wants) => SiteAnswer) {
    this.#issuer = issuer;
    this.#begin = begin;
  }

  get handlers(): [string, Handler][] {
    return [
      ['GET /issuer/.well-known/openid-configuration', () => json(this.#issuer.discovery())],
      ['GET /issuer/jwks', () => json(this.#issuer.jwks())],
      ['GET /issuer/authorize', (request) => this.#authorize(request)],
      ['POST /issuer/token', (request) => answered(() => this.#issuer.token(request.form, peerOf(request)))],
      ['POST /issuer/device', (request) => answered(() => this.#device(request))],
    ];
  }

  #authorize({ query }: SiteRequest): SiteAnswer {
    const redirectUri = targetOf(query);
    try {
      return this.#begin({ to: 'client', request: readAuthorizationRequest(query) });
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      const [state = null] = query.getAll('state');
      return redirect(this.#issuer.redirectError({ redirectUri, state }, error));
    }
  }

  async #device(request: SiteRequest): Promise<object> {
    const begun = this.#issuer.beginDevice(request.form, peerOf(request));
    return {
      device_code: begun.deviceCode,
      user_code: begun.userCode,
      // No verification_uri_complete: whoever agrees has seen the code on the terminal, and typed it.
      verification_uri: this.#issuer.name.replace(/issuer$/, 'login/device'),
      expires_in: begun.expiresInSeconds,
      interval: begun.intervalSeconds,
    };
  }
}

/** An error about where to send the answer is for the person alone (RFC 6749, section 4.1.2.1). */
function targetOf(query: URLSearchParams): string {
  try {
    return redirectOf(query).redirectUri;
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    throw new LoginError('input_invalid', `${error.message}. Begin again with tally login.`);
  }
}

async function answered(answer: () => Promise<object>): Promise<SiteAnswer> {
  try {
    return json(await answer());
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return json({ error: error.code, error_description: error.message }, statusOf[error.code] ?? 400);
  }
}

function peerOf(request: SiteRequest): Peer {
  return { address: request.address, userAgent: userAgentOf(request) };
}
