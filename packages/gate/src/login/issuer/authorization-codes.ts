/** Authorization codes: a minute long, for one client, one redirect address and one verifier, once. */
import { hash, timingSafeEqual } from 'node:crypto';
import { type Chance, newSecret, type Proven } from '../people.ts';
import type { AuthorizationRequest } from './authorization-request.ts';
import { OAuthError } from './oauth-error.ts';

const codeMs = 60_000;
const codesMax = 10_000;

interface Code {
  request: AuthorizationRequest;
  proven: Proven;
  endsAt: number;
  isUsed: boolean;
  /** What came of it, once it is known. */
  session: string | null;
}

/** A code that was taken, and what is to be told about it. */
export interface TakenCode {
  request: AuthorizationRequest;
  proven: Proven;
  /** Says which session came of the code: it ends if the code comes again. False where it came meanwhile. */
  bind(session: string): boolean;
}

export class AuthorizationCodes {
  readonly #codes = new Map<string, Code>();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  issue(request: AuthorizationRequest, proven: Proven): string {
    this.#forgetOld();
    if (this.#codes.size >= codesMax)
      throw new OAuthError('temporarily_unavailable', 'too many people log in at this moment');
    const code = newSecret(this.#chance);
    const endsAt = this.#chance.now() + codeMs;
    this.#codes.set(code, { request, proven, endsAt, isUsed: false, session: null });
    return code;
  }

  /**
   * Throws OAuthError. `onReplay` is told the session of a code that comes a second time: either of the two is a
   * thief's, and nobody knows which (RFC 6749, section 4.1.2).
   */
  take(
    code: string,
    given: { clientId: string; redirectUri: string; verifier: string },
    onReplay: (session: string) => void,
  ): TakenCode {
    this.#forgetOld();
    const known = this.#codes.get(code);
    if (known === undefined)
      throw new OAuthError('invalid_grant', 'the code is unknown, or older than a minute');
    if (known.isUsed) {
      this.#codes.delete(code);
      if (known.session !== null) onReplay(known.session);
      throw new OAuthError('invalid_grant', 'the code was used before; what came of it has ended');
    }
    // Used, whatever comes: a wrong verifier gets no second try.
    known.isUsed = true;
    const { request, proven } = known;
    const isSame = request.clientId === given.clientId && request.redirectUri === given.redirectUri;
    if (!isSame || !isVerifierOf(given.verifier, request.challenge))
      throw new OAuthError('invalid_grant', 'client, redirect_uri or code_verifier is another one');
    return {
      request,
      proven,
      bind: (session) => {
        known.session = session;
        return this.#codes.has(code);
      },
    };
  }

  /** All live equally long, so that they end in the order in which they began. */
  #forgetOld(): void {
    for (const [code, { endsAt }] of this.#codes) {
      if (endsAt > this.#chance.now()) return;
      this.#codes.delete(code);
    }
  }
}

function isVerifierOf(verifier: string, challenge: string): boolean {
  if (!/^[\w.~-]{43,128}$/.test(verifier)) return false;
  const computed = Buffer.from(hash('sha256', verifier, 'base64url'));
  const expected = Buffer.from(challenge);
  return computed.length === expected.length && timingSafeEqual(computed, expected);
}
