/** ID tokens of the built-in issuer. Its key lives in this process alone: a token is looked at once, right after login. */
import type { JWK } from 'jose';
// Parts of it alone: the whole is half a hundred files, at each start.
import { SignJWT } from 'jose/jwt/sign';
import { exportJWK } from 'jose/key/export';
import { generateKeyPair } from 'jose/key/generate/keypair';
import type { Proven } from '../people.ts';

export const idTokenAlgorithm = 'ES256';
const tokenSeconds = 300;

export class IdTokens {
  readonly #key: CryptoKey;
  readonly #public: JWK;

  private constructor(key: CryptoKey, publicKey: JWK) {
    this.#key = key;
    this.#public = publicKey;
  }

  static async create(keyId: string): Promise<IdTokens> {
    const { privateKey, publicKey } = await generateKeyPair(idTokenAlgorithm, { extractable: false });
    const jwk = { ...(await exportJWK(publicKey)), alg: idTokenAlgorithm, use: 'sig', kid: keyId };
    return new IdTokens(privateKey, jwk);
  }

  /** A JWK Set with the public key. */
  get keys(): { keys: JWK[] } {
    return { keys: [this.#public] };
  }

  /** `now` in milliseconds. */
  async sign(
    { principal, strength, authenticatedAt }: Proven,
    {
      issuer,
      clientId,
      nonce,
      session,
    }: { issuer: string; clientId: string; nonce?: string; session: string },
    now: number,
  ): Promise<string> {
    const claims = {
      auth_time: Math.floor(Date.parse(authenticatedAt) / 1000),
      acr: acrOf[strength],
      sid: session,
      ...(nonce === undefined ? {} : { nonce }),
    };
    return new SignJWT(claims)
      .setProtectedHeader({ alg: idTokenAlgorithm, kid: this.#public.kid ?? '', typ: 'JWT' })
      .setIssuer(issuer)
      .setSubject(principal)
      .setAudience(clientId)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(now / 1000) + tokenSeconds)
      .sign(this.#key);
  }
}

/** `phr` as OpenID Connect's EAP profile has it. */
export const acrOf = { 1: '1', 2: 'mfa', 3: 'phr' } as const;
