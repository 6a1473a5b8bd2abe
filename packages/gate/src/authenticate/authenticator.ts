/**
 * From a request to its caller: one credential, shown in one way, and looked up in the directory as it is at this moment.
 * Two ways at once are refused, because two readers would believe two callers.
 */
import { formatInstant, keyFingerprintText, type PublicKey } from '@tallystick/core';
import type { CredentialDocument, PrincipalDocument } from '@tallystick/license';
import type { Caller } from '../caller.ts';
import { type Directory, isUsable } from '../directory/directory.ts';
import { signatureTag } from '../http-signature/profile.ts';
import type { ReplayGuard } from '../http-signature/replay-guard.ts';
import type { HttpMessage } from '../http-signature/signature-base.ts';
import { checkSignedRequest } from '../http-signature/verify.ts';
import { csrfHeader, isOwnPage, readSessionCookie } from '../sessions/cookies.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { hostOf } from './address.ts';
import { isInRanges, type Networks } from './networks.ts';
import { headerOf, originOf, type RequestOrigin, type RequestParts } from './origin.ts';
import { publicKeyOf } from './public-key.ts';
import { secretTokenKind, secretTokenLookup } from './secret-token.ts';
import type { GateSecrets } from './secrets.ts';

/** Why a request has no caller. `why` is for the operator; `detail`, for who sent it, gives nothing away. */
export interface Refusal {
  code: 'malformed_request' | 'unauthorized' | 'signature_required' | 'overloaded';
  detail: string | null;
  why: string;
  /** Id of the credential that was shown and does not count; null where nobody's was. */
  credential: string | null;
}

/** A caller of null: nothing was shown. */
export type Authentication = { ok: true; caller: Caller | null } | { ok: false; refusal: Refusal };

export interface AuthenticatorParts {
  /** Followed change by change: who was let in a moment ago may be a stranger now. */
  directory: Directory;
  networks: Networks;
  secrets: Pick<GateSecrets, 'apiKeys' | 'sessions'>;
  sessions: Sessions;
  replays: ReplayGuard;
  /** What signed requests must say that they are for: the base64 of the genesis of this system. */
  system: string;
  /** Trust domains whose SPIFFE ids count. */
  trustDomains: readonly string[];
  /** Whether a bearer token is one of the two that lie in a system's folder. */
  systemToken: (token: string) => 'bootstrap' | 'mirror' | null;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** A credential that counts, with its owner. */
interface Usable {
  credential: CredentialDocument;
  principal: PrincipalDocument;
}

type Shown = 'bearer' | 'cookie' | 'signature' | 'certificate';

/** What a way of authentication found out, beside whose credential it is. */
type Proof = Pick<Caller, 'session' | 'strength' | 'authenticatedAt' | 'steppedUpAt' | 'device' | 'signed'>;

const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i;
const purposeCode = /^[a-z][a-z0-9._-]{0,63}$/;

export class Authenticator {
  readonly #parts: AuthenticatorParts;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /** Never throws for what a stranger sent. */
  async authenticate(request: RequestParts): Promise<Authentication> {
    const nowMs = this.#parts.now();
    const origin = originOf(request, this.#parts.networks, this.#parts.trustDomains, nowMs);
    if (origin === null) return malformed('X-Forwarded-For names no address');
    const purpose = headerOf(request, 'tally-purpose') ?? null;
    if (purpose !== null && !purposeCode.test(purpose)) return malformed('Tally-Purpose is no code');
    const shown = this.#shownIn(request, origin);
    if (shown === 'several') return malformed('the request shows two credentials: leave one of them out');
    if (shown === null) return { ok: true, caller: null };
    const found = await this.#authenticateBy(shown, request, origin, nowMs);
    if (!found.ok || found.caller === null) return found;
    this.#noteUse(found.caller);
    return { ok: true, caller: { ...found.caller, purpose } };
  }

  /**
   * Whose allowance a request draws on, before its body is read: the credential that it shows, if there is such a one,
   * and null else. A signature is not checked yet, so it counts for its sender's address alone: nobody uses up what is
   * another's.
   */
  allowanceOf(request: RequestParts): string | null {
    const { directory, sessions, networks, trustDomains, now, systemToken } = this.#parts;
    const origin = originOf(request, networks, trustDomains, now());
    if (origin === null) return null;
    const cookie = readSessionCookie(headerOf(request, 'cookie'));
    const token =
      bearer.exec(headerOf(request, 'authorization') ?? '')?.[1] ??
      (cookie === null || cookie === 'twice' ? undefined : cookie.token);
    if (token?.startsWith('tally_session_')) return sessions.idOf(token) ?? null;
    if (token !== undefined && isOfKey(token))
      return directory.credentialBy('api_key', this.#lookupOf(request, token))?.id ?? null;
    if (token !== undefined) return systemToken(token);
    const keyid = signatureKeyId(headerOf(request, 'signature-input'));
    const signer = keyid === null ? undefined : directory.credentialBy('http_signature', keyid)?.id;
    return signer === undefined
      ? (this.#ownerOfCertificate(origin) ?? null)
      : `${signer} ${hostOf(origin.address)}`;
  }

  /** The address that a request comes from, through proxies that are trusted. */
  addressOf(request: RequestParts): string {
    const { socketAddress } = request;
    return (
      this.#parts.networks.addressOf(socketAddress, headerOf(request, 'x-forwarded-for')) ?? socketAddress
    );
  }

  /** A certificate of the connection may come with a signature of the request, of the same principal. */
  #shownIn(request: RequestParts, origin: RequestOrigin): Shown | 'several' | null {
    const shown: Shown[] = [];
    if (headerOf(request, 'authorization') !== undefined) shown.push('bearer');
    if (readSessionCookie(headerOf(request, 'cookie')) !== null) shown.push('cookie');
    const signed = headerOf(request, 'signature-input');
    const isOurs = signed?.includes(`tag="${signatureTag}"`) === true;
    if (isOurs || (signed !== undefined && shown.length === 0)) shown.push('signature');
    const isKnown = this.#ownerOfCertificate(origin) !== undefined;
    if (isKnown && shown[0] !== 'signature') shown.push('certificate');
    if (shown.length === 0 && origin.spiffeId !== null) return 'certificate';
    return shown.length > 1 ? 'several' : (shown[0] ?? null);
  }

  #authenticateBy(
    shown: Shown,
    request: RequestParts,
    origin: RequestOrigin,
    nowMs: number,
  ): Authentication | Promise<Authentication> {
    switch (shown) {
      case 'bearer':
        return this.#byBearer(request, origin, nowMs);
      case 'cookie':
        return this.#byCookie(request, origin, nowMs);
      case 'signature':
        return this.#bySignature(request, origin, nowMs);
      case 'certificate':
        return this.#byCertificate(origin, nowMs);
    }
  }

  #byBearer(request: RequestParts, origin: RequestOrigin, nowMs: number): Authentication {
    const token = bearer.exec(headerOf(request, 'authorization') ?? '')?.[1];
    if (token === undefined) return unauthorized('the header Authorization has no bearer token');
    const kind = secretTokenKind(token);
    if (kind === 'session') return this.#bySession(token, request, origin, nowMs);
    if (kind === 'api' || kind === 'partner') return this.#byApiKey(token, request, origin, nowMs);
    const system = this.#parts.systemToken(token);
    if (system === null) return unauthorized('no such token');
    const { address, networks, device } = origin;
    const proof = { ...bearerProof(nowMs), device };
    const who = { principal: system, kind: system, credential: system };
    return { ok: true, caller: { ...who, ...proof, address, networks, purpose: null } };
  }

  /** A request has one token that anybody looks up. */
  #lookupOf({ known }: RequestParts, token: string): string {
    known.lookup ??= secretTokenLookup(this.#parts.secrets.apiKeys, token);
    return known.lookup;
  }

  #byApiKey(token: string, request: RequestParts, origin: RequestOrigin, nowMs: number): Authentication {
    const credential = this.#parts.directory.credentialBy('api_key', this.#lookupOf(request, token));
    const usable = this.#usable(credential, origin, nowMs);
    if (typeof usable === 'string') return unauthorized(usable, credential?.id);
    if ((usable.principal.kind === 'partner') !== token.startsWith('tally_partner_')) {
      return unauthorized('the key is of another kind than its owner', usable.credential.id);
    }
    if (usable.principal.kind === 'partner' && request.isMutation) {
      const detail = 'partners sign what changes something: see RFC 9421 in the documentation of credentials';
      return refuse('signature_required', detail, 'a partner showed a key alone', usable.credential.id);
    }
    return this.#callerOf(usable, origin, { ...bearerProof(nowMs), device: origin.device });
  }

  #byCookie(request: RequestParts, origin: RequestOrigin, nowMs: number): Authentication {
    const cookie = readSessionCookie(headerOf(request, 'cookie'));
    if (cookie === null || cookie === 'twice') return malformed('the session cookie stands twice');
    const page = {
      method: request.method,
      ownOrigin: `${origin.scheme}://${headerOf(request, 'host')}`,
      origin: headerOf(request, 'origin'),
      fetchSite: headerOf(request, 'sec-fetch-site'),
      csrf: headerOf(request, csrfHeader),
    };
    if (!isOwnPage(page, cookie.token, this.#parts.secrets.sessions)) {
      return unauthorized('a page of another site may have made the request');
    }
    return this.#bySession(cookie.token, request, origin, nowMs);
  }

  #bySession(token: string, request: RequestParts, origin: RequestOrigin, nowMs: number): Authentication {
    const { sessions, directory } = this.#parts;
    const session = sessions.find(token, headerOf(request, 'user-agent') ?? '');
    if (session === null) return unauthorized('no such session');
    const usable = this.#usable(directory.credential(session.credential), origin, nowMs);
    if (typeof usable === 'string' || usable.principal.id !== session.principal) {
      sessions.end(session.id);
      return unauthorized('the credential of the session has ended', session.credential);
    }
    const { id, strength, authenticatedAt, steppedUpAt } = session;
    const device = origin.device ?? session.device;
    const proof = { session: id, strength, authenticatedAt, steppedUpAt, device, signed: null };
    return this.#callerOf(usable, origin, proof);
  }

  async #bySignature(request: RequestParts, origin: RequestOrigin, nowMs: number): Promise<Authentication> {
    const headers = Object.fromEntries(
      Object.keys(request.headers).map((name) => [name, headerOf(request, name)]),
    );
    const { method, target, body } = request;
    const message: HttpMessage = {
      method,
      scheme: origin.scheme,
      authority: headers['host'] ?? '',
      target,
      headers,
    };
    const directory = this.#parts.directory;
    const find = (keyid: string): Usable | string =>
      this.#usable(directory.credentialBy('http_signature', keyid), origin, nowMs);
    const keyOf = (keyid: string): PublicKey | undefined => {
      const usable = find(keyid);
      const key = typeof usable === 'string' ? undefined : publicKeyOf(usable.credential.material);
      return key !== undefined && keyFingerprintText(key) === keyid ? key : undefined;
    };
    const checked = await checkSignedRequest(message, body, { keyOf, system: this.#parts.system, nowMs });
    if (!checked.ok) {
      return checked.kind === 'malformed'
        ? malformed(checked.why)
        : refuse('unauthorized', checked.detail, checked.why);
    }
    const usable = find(checked.parameters.keyid);
    if (typeof usable === 'string') return unauthorized(usable);
    const owner = this.#ownerOfCertificate(origin);
    if (owner !== undefined && owner !== usable.principal.id) {
      return malformed('the certificate of the connection and the signature are of two principals');
    }
    const refusal = this.#refusalOfReplay(usable.credential.id, checked.parameters, nowMs);
    if (refusal !== null) return refusal;
    const authenticatedAt = formatInstant(nowMs);
    const proof = { session: null, strength: 2, authenticatedAt, steppedUpAt: null } as const;
    return this.#callerOf(usable, origin, { ...proof, device: origin.device, signed: checked.signed });
  }

  #refusalOfReplay(
    credential: string,
    parameters: Parameters<ReplayGuard['take']>[1],
    nowMs: number,
  ): Authentication | null {
    switch (this.#parts.replays.take(credential, parameters, nowMs)) {
      case 'fresh':
        return null;
      case 'replayed':
        return refuse(
          'unauthorized',
          'this signed request was used before: sign it anew',
          'replayed',
          credential,
        );
      case 'starting':
        return refuse(
          'overloaded',
          'the server has just started: sign the request again',
          'signed before the start',
          credential,
        );
      case 'full':
        return refuse(
          'overloaded',
          'too many signed requests within five minutes',
          'no room for nonces',
          credential,
        );
    }
  }

  #byCertificate(origin: RequestOrigin, nowMs: number): Authentication {
    const credential = this.#parts.directory.credentialBy('spiffe', origin.spiffeId ?? '');
    const usable = this.#usable(credential, origin, nowMs);
    if (typeof usable === 'string') return unauthorized(usable, credential?.id);
    const proof = { ...bearerProof(nowMs), strength: 2 } as const;
    return this.#callerOf(usable, origin, { ...proof, device: origin.device });
  }

  #ownerOfCertificate({ spiffeId }: RequestOrigin): string | undefined {
    return spiffeId === null ? undefined : this.#parts.directory.credentialBy('spiffe', spiffeId)?.principal;
  }

  /** A text says why it is not. */
  #usable(known: CredentialDocument | undefined, { address }: RequestOrigin, nowMs: number): Usable | string {
    if (known === undefined) return 'no such credential';
    const principal = this.#parts.directory.principal(known.principal);
    if (!isUsable(known, formatInstant(nowMs))) return `${known.id} has ended`;
    if (principal?.state !== 'active') return `${known.principal} is disabled`;
    const { networks } = known.scope;
    if (networks !== null && !isInRanges(address, networks))
      return `${known.id} does not count at ${address}`;
    return { credential: known, principal };
  }

  #callerOf({ principal, credential }: Usable, origin: RequestOrigin, proof: Proof): Authentication {
    const { address, networks } = origin;
    const who = { principal: principal.id, kind: principal.kind, credential: credential.id };
    return { ok: true, caller: { ...who, ...proof, address, networks, purpose: null } };
  }

  #noteUse({ credential, kind, address }: Caller): void {
    if (kind !== 'bootstrap' && kind !== 'mirror') this.#parts.sessions.noteUse(credential, address);
  }
}

/** Unproven: what the request says of itself. */
function signatureKeyId(header: string | undefined): string | null {
  return /;keyid="([A-Za-z0-9+/=]{1,128})"/.exec(header ?? '')?.[1] ?? null;
}

function bearerProof(nowMs: number): Omit<Proof, 'device'> {
  const authenticatedAt = formatInstant(nowMs);
  return { session: null, strength: 1, authenticatedAt, steppedUpAt: null, signed: null };
}

function refuse(
  code: Refusal['code'],
  detail: string | null,
  why: string,
  credential: string | null = null,
): Authentication {
  return { ok: false, refusal: { code, detail, why, credential } };
}

function malformed(why: string): Authentication {
  return refuse('malformed_request', why, why);
}

function unauthorized(why: string, credential?: string): Authentication {
  return refuse('unauthorized', null, why, credential);
}

/** How an API key begins: nothing else is looked up as one. */
function isOfKey(token: string): boolean {
  return token.startsWith('tally_api_') || token.startsWith('tally_partner_');
}
