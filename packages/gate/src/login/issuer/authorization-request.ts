/** What an authorization request may say (RFC 6749 with RFC 7636 and RFC 8252; OpenID Connect Core 1.0). */
import { OAuthError } from './oauth-error.ts';

/** The command line: a public client, since whatever secret it had would be in everybody's hands. */
export const cliClient = 'tally-cli';

export interface AuthorizationRequest {
  clientId: string;
  /** On the loopback, with whatever port the client could get. */
  redirectUri: string;
  state: string;
  nonce: string;
  /** base64url of the SHA-256 of the verifier. */
  challenge: string;
  /** True asks for a passkey. */
  phishingResistant: boolean;
}

/** A parameter that stands twice has no value that all readers agree on. Throws OAuthError. */
export function onlyValue(parameters: URLSearchParams, name: string): string | null {
  const values = parameters.getAll(name);
  if (values.length > 1) throw new OAuthError('invalid_request', `${name} stands more than once`);
  return values[0] ?? null;
}

export function knownClient(clientId: string | null): string {
  if (clientId === cliClient) return clientId;
  throw new OAuthError('invalid_client', `there is no client ${clientId ?? 'without client_id'}`);
}

/**
 * Where the answer may be sent. Nothing is sent anywhere before this is known: throws OAuthError for the person at the
 * browser, not for the client.
 */
export function redirectOf(query: URLSearchParams): { clientId: string; redirectUri: string } {
  const clientId = knownClient(onlyValue(query, 'client_id'));
  const redirectUri = onlyValue(query, 'redirect_uri');
  if (redirectUri !== null && /^http:\/\/(?:127\.0\.0\.1|\[::1\]):\d{1,5}\/callback$/.test(redirectUri))
    return { clientId, redirectUri };
  throw new OAuthError('invalid_request', 'redirect_uri must be http://127.0.0.1:<port>/callback');
}

/** Throws OAuthError, which goes to the client. */
export function readAuthorizationRequest(query: URLSearchParams): AuthorizationRequest {
  const target = redirectOf(query);
  const value = (name: string): string | null => onlyValue(query, name);
  if (value('response_type') !== 'code')
    throw new OAuthError('unsupported_response_type', 'response_type must be code');
  if (value('request') !== null || value('request_uri') !== null)
    throw new OAuthError('invalid_request', 'request objects are not taken');
  if ((value('response_mode') ?? 'query') !== 'query')
    throw new OAuthError('invalid_request', 'response_mode must be query');
  if (value('scope')?.split(' ').includes('openid') !== true)
    throw new OAuthError('invalid_scope', 'scope must have openid');
  const challenge = value('code_challenge') ?? '';
  // A challenge without its method counts as plain, which the address of the request gives away.
  if (value('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge))
    throw new OAuthError('invalid_request', 'code_challenge with code_challenge_method=S256 is needed');
  const [state, nonce] = [value('state') ?? '', value('nonce') ?? ''];
  if (!isUnguessable(state) || !isUnguessable(nonce))
    throw new OAuthError('invalid_request', 'state and nonce of 16 to 512 characters are needed');
  const phishingResistant = value('acr_values')?.split(' ').includes('phr') === true;
  return { ...target, state, nonce, challenge, phishingResistant };
}

function isUnguessable(text: string): boolean {
  return text.length >= 16 && text.length <= 512;
}
