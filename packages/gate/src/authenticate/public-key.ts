import {
  checkPublicKey,
  decodeBase64,
  IntegrityError,
  isKeyAlgorithm,
  type PublicKey,
} from '@tallystick/core';

/** The key of a credential of the kind `http_signature`: members `alg` and `key`, raw, in base64. undefined for none. */
export function publicKeyOf({ alg, key }: Readonly<Record<string, string>>): PublicKey | undefined {
  if (alg === undefined || key === undefined || !isKeyAlgorithm(alg)) return undefined;
  if (alg !== 'ed25519' && alg !== 'ecdsa-p256-sha256') return undefined;
  try {
    const raw = decodeBase64(key);
    checkPublicKey(alg, raw);
    return { alg, key: raw };
  } catch (error) {
    if (error instanceof IntegrityError) return undefined;
    throw error;
  }
}
