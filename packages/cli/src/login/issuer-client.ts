/** The client of the built-in issuer: authorization code with PKCE, and device codes. */
import { createHash, randomBytes } from 'node:crypto';
import type { LoginDescription } from '@tallystick/contract';
import type { ClientTls } from '@tallystick/witness/tls';
import { agentFor, exchange, type Reply } from '../client/transport.ts';
import type { Context } from '../context.ts';
import { CliError, unreachable } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { listenOnLoopback } from './loopback.ts';

export interface IssuerClientParts {
  described: LoginDescription;
  tls: ClientTls;
  context: Pick<Context, 'signal' | 'sleep' | 'openBrowser'>;
  say: (line: string) => void;
}

/** A login in a browser on this machine. */
export interface BrowserLogin {
  /** False only says where to go. */
  opens: boolean;
  /** Asks for a passkey. */
  stepUp: boolean;
  /** Handed to the page behind a #, which no server sees. */
  invitation: string | null;
  /** Where the browser comes back to; 0 for any. */
  port: number;
}

const timeoutMs = 30_000;
const secret = (): string => randomBytes(32).toString('base64url');
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

export class IssuerClient {
  readonly #parts: IssuerClientParts;

  /** Throws CliError for a server that would have its tokens sent in the clear. */
  constructor(parts: IssuerClientParts) {
    this.#parts = parts;
    const { protocol, hostname } = new URL(parts.described.issuer);
    const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
    if (protocol === 'https:' || isLocal) return;
    throw refused(`The server has people log in at ${parts.described.issuer}, unencrypted.`, 'Give it TLS.');
  }

  /** Resolves to the token of a session. */
  async inBrowser({ opens, stepUp, invitation, port }: BrowserLogin): Promise<string> {
    const { described, context, say } = this.#parts;
    using loopback = await listenOnLoopback(port);
    const { redirectUri } = loopback;
    const [state, verifier] = [secret(), secret()];
    const url = new URL(`${described.issuer}/authorize`);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: described.clientId,
      redirect_uri: redirectUri,
      scope: 'openid',
      state,
      nonce: secret(),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...(stepUp ? { acr_values: 'phr' } : {}),
    }).toString();
    if (invitation !== null) url.hash = invitation;
    const isOpen = opens && (await context.openBrowser(url.href));
    say(isOpen ? `Go on in the browser, or open ${url.href}` : `Open ${url.href}`);
    if (!isOpen) say(`The browser comes back to ${new URL(redirectUri).host} on this machine.`);
    const answer = await loopback.answer(state, context.signal);
    return await this.#tokenOf(answer, { redirect_uri: redirectUri, code_verifier: verifier });
  }

  async #tokenOf(answer: URLSearchParams, proof: Record<string, string>): Promise<string> {
    const { issuer } = this.#parts.described;
    // RFC 9207: an answer that another issuer gave is none of ours.
    if (answer.get('iss') !== issuer) throw refused('Another issuer answered.', 'Run tally login again.');
    const error = answer.get('error');
    if (error !== null)
      throw refused(`The login was refused: ${answer.get('error_description') ?? error}.`, again);
    const form = { grant_type: 'authorization_code', code: answer.get('code') ?? '', ...proof };
    const reply = await this.#post('token', form);
    return accessToken(reply) ?? refuse(reply);
  }

  /** Resolves to the token of a session, once somebody has agreed in a browser elsewhere. */
  async byDevice(): Promise<string> {
    const { context, say } = this.#parts;
    const begun = parsed(await this.#post('device', {}));
    const { device_code: code, user_code: shown, verification_uri: page, interval } = begun;
    if (typeof code !== 'string' || typeof shown !== 'string' || typeof page !== 'string')
      throw refused('The server gave no device code.', again);
    say(`Open ${page} on any machine that reaches it, and type ${shown}`);
    for (let waitMs = Number(interval) * 1000 || 5000; ; ) {
      await context.sleep(waitMs, context.signal);
      const reply = await this.#post('token', { grant_type: deviceGrant, device_code: code });
      const token = accessToken(reply);
      if (token !== null) return token;
      const { error } = parsed(reply);
      if (error === 'slow_down') waitMs += 5000;
      else if (error !== 'authorization_pending') return refuse(reply);
    }
  }

  async #post(path: string, form: Record<string, string>): Promise<Reply> {
    const { described, tls, context } = this.#parts;
    const url = new URL(described.issuer);
    const body = new URLSearchParams({ client_id: described.clientId, ...form });
    const message = { method: 'POST', path: `/${path}`, query: {}, headers: {}, body };
    const { signal } = context;
    try {
      return await exchange({ url, credential: null, signal }, agentFor(url, tls), message, timeoutMs);
    } catch {
      throw unreachable(
        `The issuer at ${described.issuer} cannot be reached.`,
        'Check the address of the server.',
      );
    }
  }
}

const again = 'Run tally login again.';

function accessToken(reply: Reply): string | null {
  const { access_token: token } = parsed(reply);
  return typeof token === 'string' && /^[\x21-\x7e]{1,512}$/.test(token) ? token : null;
}

function refuse(reply: Reply): never {
  const { error, error_description: why } = parsed(reply);
  const said = [why, error].find((each) => typeof each === 'string') ?? `status ${reply.status}`;
  throw refused(`The login was refused: ${said}.`, again);
}

function parsed({ text }: Reply): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // What is no JSON has no members.
    return {};
  }
}

function refused(what: string, todo: string): CliError {
  return new CliError({ exitCode: exitCodes.refused, code: 'login_refused', what, todo });
}
