/**
 * Sessions of a browser. The cookie is sent by the browser whoever caused the request, so a request that may change
 * something must also show that a page of this server made it: by its Origin, and by a token that only such a page can read.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** The prefix makes browsers refuse it without Secure and Path=/, and from a sibling domain. */
const sessionCookieName = '__Host-tally-session';
const csrfCookieName = '__Host-tally-csrf';
export const csrfHeader = 'tally-csrf';

/** Values of Set-Cookie for a new session. Scripts can read the CSRF token, and not the session's. */
export function sessionCookies(token: string, key: KeyObject, maxAgeSeconds: number): string[] {
  const attributes = `Path=/; Secure; SameSite=Strict; Max-Age=${maxAgeSeconds}`;
  return [
    `${sessionCookieName}=${token}; ${attributes}; HttpOnly`,
    `${csrfCookieName}=${csrfTokenOf(token, key)}; ${attributes}`,
  ];
}

/** Values of Set-Cookie that take both cookies away. */
export function endedSessionCookies(): string[] {
  const attributes = 'Path=/; Secure; SameSite=Strict; Max-Age=0';
  return [`${sessionCookieName}=; ${attributes}; HttpOnly`, `${csrfCookieName}=; ${attributes}`];
}

/** The session's token; null for none, `twice` where there are several, of which nobody can say whose they are. */
export function readSessionCookie(header: string | undefined): { token: string } | 'twice' | null {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${sessionCookieName}=`))
    .map((pair) => pair.slice(sessionCookieName.length + 1));
  if (values.length > 1) return 'twice';
  return values[0] === undefined || values[0] === '' ? null : { token: values[0] };
}

/** Bound to the token of the session, so that it changes with it and nobody can bring their own. Base64url. */
export function csrfTokenOf(token: string, key: KeyObject): string {
  return createHmac('sha256', key).update(`csrf\0${token}`).digest('base64url');
}

/** The parts of a request that say which page made it. */
export interface CrossSiteRequest {
  method: string;
  /** `https://licenses.example`: of the server, as the request was sent to it. */
  ownOrigin: string;
  origin: string | undefined;
  /** Sec-Fetch-Site. */
  fetchSite: string | undefined;
  /** The header Tally-CSRF. */
  csrf: string | undefined;
}

/** Whether a request with a session's cookie was made by a page of this server, where that matters. */
export function isOwnPage(request: CrossSiteRequest, token: string, key: KeyObject): boolean {
  if (request.fetchSite !== undefined && !['same-origin', 'none'].includes(request.fetchSite)) return false;
  if (['GET', 'HEAD'].includes(request.method)) return true;
  if (request.origin !== request.ownOrigin || request.csrf === undefined) return false;
  const [given, expected] = [Buffer.from(request.csrf), Buffer.from(csrfTokenOf(token, key))];
  return given.length === expected.length && timingSafeEqual(given, expected);
}
