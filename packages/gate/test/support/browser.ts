/** As much of a browser as logging in needs: it keeps cookies, reads forms, and follows nothing by itself. */

export interface Visited {
  status: number;
  location: string | null;
  text: string;
  headers: Headers;
}

export class Browser {
  readonly origin: string;
  readonly cookies: Map<string, string> = new Map();
  #csrf = '';

  constructor(origin: string) {
    this.origin = origin;
  }

  /** The token of the newest page. */
  get csrf(): string {
    return this.#csrf;
  }

  get(path: string): Promise<Visited> {
    return this.send(path, {});
  }

  /** Opens an address and follows redirects as long as they stay here. */
  async open(path: string): Promise<Visited> {
    let visited = await this.get(path);
    while (visited.location !== null && new URL(visited.location, this.origin).origin === this.origin)
      visited = await this.get(visited.location);
    return visited;
  }

  submit(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Visited> {
    const body = new URLSearchParams({ csrf: this.#csrf, ...form });
    return this.send(path, { method: 'POST', body, headers: { origin: this.origin, ...headers } });
  }

  async script(path: string, value: object, headers: Record<string, string> = {}): Promise<Visited> {
    return this.send(path, {
      method: 'POST',
      body: JSON.stringify(value),
      headers: {
        'content-type': 'application/json',
        'x-tally-csrf': this.#csrf,
        origin: this.origin,
        ...headers,
      },
    });
  }

  async send(path: string, init: RequestInit): Promise<Visited> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(init.headers as Record<string, string>), ...(cookie === '' ? {} : { cookie }) };
    const response = await fetch(new URL(path, this.origin), { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      this.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const text = await response.text();
    this.#csrf = /<meta name="csrf" content="([^"]+)"/.exec(text)?.[1] ?? this.#csrf;
    const location = response.headers.get('location');
    return { status: response.status, location, text, headers: response.headers };
  }
}
