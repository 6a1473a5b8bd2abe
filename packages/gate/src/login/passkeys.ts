/** Passkeys (WebAuthn Level 3): registering and showing one, user verification always required. */

import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { formatInstant } from '@tallystick/core';
import type { PrincipalDocument } from '@tallystick/license';
import type { HighWaterMarks } from './high-water-marks.ts';
import { LoginError } from './login-error.ts';
import type { Chance, People, Proven } from './people.ts';

/** Loaded by whoever needs it first: parsers of certificates take a start 70 ms, and most have no use for them. */
const webauthn = (): Promise<typeof import('@simplewebauthn/server')> => import('@simplewebauthn/server');

/** COSE: EdDSA, ES256, RS256. */
const algorithms = [-8, -7, -257];
const ceremonyMs = 5 * 60_000;

export interface RelyingParty {
  /** The domain that passkeys are for: the host of `origin`, or a parent domain of it. */
  id: string;
  name: string;
  /** Where the pages are, such as `https://tally.example`. */
  origin: string;
}

export interface PasskeyParts extends Chance {
  rp: () => RelyingParty;
  people: People;
  marks: HighWaterMarks;
}

/** A passkey as it is kept in the log. */
export interface NewPasskey {
  /** Credential id, base64url. */
  lookup: string;
  material: Record<string, string>;
}

export class Passkeys {
  readonly #parts: PasskeyParts;

  constructor(parts: PasskeyParts) {
    this.#parts = parts;
  }

  /** Options for `navigator.credentials.get`; whose passkey it is, the authenticator says. */
  async options(): Promise<PublicKeyCredentialRequestOptionsJSON> {
    const challenge = Uint8Array.from(this.#parts.random(32));
    const { id } = this.#parts.rp();
    return (await webauthn()).generateAuthenticationOptions({
      rpID: id,
      challenge,
      userVerification: 'required',
      timeout: ceremonyMs,
    });
  }

  /** `challenge` is what `options` drew, and was not used before. Throws LoginError. */
  async verify(response: unknown, challenge: string): Promise<Proven> {
    const { people, marks, now } = this.#parts;
    const answer = response as AuthenticationResponseJSON;
    const known = typeof answer?.id === 'string' ? people.credential('passkey', answer.id) : undefined;
    if (known === undefined) throw refused();
    const { id, origin } = this.#parts.rp();
    const { publicKey = '', counter = '0' } = known.material;
    const result = await (await webauthn())
      .verifyAuthenticationResponse({
        response: answer,
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: id,
        requireUserVerification: true,
        credential: {
          id: known.lookup,
          publicKey: Uint8Array.from(Buffer.from(publicKey, 'base64')),
          counter: Number(counter),
        },
      })
      .catch((error: unknown) => {
        throw refused(error);
      });
    if (!result.verified || !isOwnHandle(answer, known.principal)) throw refused();
    const { newCounter } = result.authenticationInfo;
    // Passkeys that are synchronized count nothing and always say zero.
    if (newCounter > 0 && !marks.raise(`passkey ${known.id}`, newCounter))
      throw new LoginError(
        'unauthorized',
        'this passkey has counted back, as a copy of it would: revoke it and register another one',
      );
    const at = formatInstant(now());
    return {
      principal: known.principal,
      credential: known.id,
      strength: 3,
      authenticatedAt: at,
      steppedUpAt: at,
      device: null,
    };
  }

  /** Options for `navigator.credentials.create`. */
  async registration(person: PrincipalDocument): Promise<PublicKeyCredentialCreationOptionsJSON> {
    const { people, random } = this.#parts;
    const rp = this.#parts.rp();
    return (await webauthn()).generateRegistrationOptions({
      rpName: rp.name,
      rpID: rp.id,
      userName: person.email ?? person.name,
      userDisplayName: person.name,
      userID: Uint8Array.from(Buffer.from(person.id)),
      challenge: Uint8Array.from(random(32)),
      timeout: ceremonyMs,
      attestationType: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: people.credentialsOf(person.id, 'passkey').map(({ lookup }) => ({ id: lookup })),
      supportedAlgorithmIDs: algorithms,
    });
  }

  /** Throws LoginError. */
  async register(response: unknown, challenge: string): Promise<NewPasskey> {
    const { id, origin } = this.#parts.rp();
    const result = await (await webauthn())
      .verifyRegistrationResponse({
        response: response as RegistrationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: id,
        requireUserVerification: true,
        supportedAlgorithmIDs: algorithms,
      })
      .catch((error: unknown) => {
        throw refused(error);
      });
    if (!result.verified) throw refused();
    const { credential, aaguid } = result.registrationInfo;
    return {
      lookup: credential.id,
      material: {
        publicKey: Buffer.from(credential.publicKey).toString('base64'),
        counter: String(credential.counter),
        aaguid,
      },
    };
  }
}

/** A discoverable passkey says whose it is; where it does, that must be so. */
function isOwnHandle(answer: AuthenticationResponseJSON, principal: string): boolean {
  const { userHandle } = answer.response;
  return userHandle === undefined || Buffer.from(userHandle, 'base64url').toString() === principal;
}

function refused(cause?: unknown): LoginError {
  const error = new LoginError('unauthorized', 'the passkey was not accepted: try again, or use another one');
  if (cause !== undefined) error.cause = cause;
  return error;
}
