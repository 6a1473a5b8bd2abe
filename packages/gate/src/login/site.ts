/**
 * The login pages (`/login…`) and the built-in issuer (`/issuer/…`) of one server: who is asked for what, and what
 * every answer has in common.
 */
import { readFileSync } from 'node:fs';
import { IssuerEndpoints } from './issuer/endpoints.ts';
import { LoginError, statusOf } from './login-error.ts';
import { LoginPages, type LoginPagesParts } from './login-pages.ts';
import { messagePage } from './pages/pages.ts';
import { script } from './pages/script.ts';
import type { SiteAnswer, SiteRequest } from './site-types.ts';

export type SiteParts = LoginPagesParts;

type Handler = (request: SiteRequest) => SiteAnswer | Promise<SiteAnswer>;

const style = readFileSync(new URL('pages/login.css', import.meta.url), 'utf8');

export class Site {
  readonly #origin: () => string;
  readonly #handlers: ReadonlyMap<string, Handler>;

  constructor(parts: SiteParts) {
    this.#origin = parts.origin;
    const pages = new LoginPages(parts);
    const issuer = new IssuerEndpoints(parts.issuer, (wants) => pages.begin(wants));
    this.#handlers = new Map<string, Handler>([
      ...issuer.handlers,
      ...pages.handlers,
      ['GET /login/login.js', () => asset('text/javascript', script)],
      ['GET /login/login.css', () => asset('text/css', style)],
    ]);
  }

  /** Whether there is anything at a path, for whatever method. */
  has(path: string): boolean {
    return this.#handlers.has(`GET ${path}`) || this.#handlers.has(`POST ${path}`);
  }

  async handle(request: SiteRequest): Promise<SiteAnswer> {
    const answer = await this.#answer(request);
    return { ...answer, headers: { ...commonHeaders, ...answer.headers } };
  }

  async #answer(request: SiteRequest): Promise<SiteAnswer> {
    const canonical = new URL(this.#origin());
    // Passkeys are for one name, and pages under a foreign name (DNS rebinding) are nobody's.
    if (request.headers['host'] !== canonical.host) return elsewhere(request, canonical);
    const handler = this.#handlers.get(`${request.method} ${request.path}`);
    if (handler === undefined) return message(404, 'Nothing is here', 'Check the address.');
    try {
      return await handler(request);
    } catch (error) {
      if (!(error instanceof LoginError)) throw error;
      return message(statusOf[error.code], 'That did not work', error.message);
    }
  }
}

/** Pages say more themselves about what they load. */
const commonHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'cache-control': 'no-store',
  // With "no-referrer" browsers send forms with "Origin: null".
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
};

function elsewhere({ method, path, query }: SiteRequest, canonical: URL): SiteAnswer {
  if (method !== 'GET') return message(421, 'Wrong address', `These pages are at ${canonical.origin}.`);
  const location = new URL(path, canonical);
  location.search = query.toString();
  return { status: 308, headers: { location: location.href }, cookies: [], body: '' };
}

function asset(type: string, body: string): SiteAnswer {
  return { status: 200, headers: { 'content-type': `${type}; charset=utf-8` }, cookies: [], body };
}

function message(status: number, title: string, text: string): SiteAnswer {
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  };
  return { status, headers, cookies: [], body: messagePage(title, text) };
}
