/** Requests and answers of the login pages and the issuer, as far as they matter there. */

export interface SiteRequest {
  method: 'GET' | 'POST';
  /** Without query. */
  path: string;
  query: URLSearchParams;
  /** Of a form; empty where there is none. */
  form: URLSearchParams;
  /** A body of JSON; null where there is none. */
  json: unknown;
  /** Lower-case names. */
  headers: Readonly<Record<string, string | undefined>>;
  /** IP address. */
  address: string;
}

export interface SiteAnswer {
  status: number;
  headers: Record<string, string>;
  /** `Set-Cookie` headers. */
  cookies: string[];
  body: string;
}

export function userAgentOf({ headers }: SiteRequest): string {
  return (headers['user-agent'] ?? '').slice(0, 200);
}

export function cookieOf({ headers }: SiteRequest, name: string): string | undefined {
  for (const part of (headers['cookie'] ?? '').split(';')) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

export function json(value: object, status: number = 200): SiteAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    cookies: [],
    body: JSON.stringify(value),
  };
}

export function redirect(location: string, cookies: string[] = []): SiteAnswer {
  return { status: 303, headers: { location }, cookies, body: '' };
}
