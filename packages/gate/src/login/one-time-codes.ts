/** One-time codes by time (TOTP, RFC 6238) as every authenticator app makes them: SHA-1, six digits, thirty seconds. */
import { Secret, TOTP } from 'otpauth';
import type { LoginSecret } from './login-secret.ts';

const periodMs = 30_000;
/** A code of the period before and after counts as well: clocks of telephones differ. */
const window = 1;

/** A seed as an authenticator app takes it. */
export interface ShownSeed {
  /** base32, for typing. */
  secret: string;
  /** `otpauth://totp/…` */
  uri: string;
}

export function showSeed(seed: Uint8Array, names: { issuer: string; account: string }): ShownSeed {
  const totp = totpOf(seed, names);
  return { secret: totp.secret.base32, uri: totp.toString() };
}

/** What verifies codes of the seed, for the log. */
export function sealSeed(
  seed: Uint8Array,
  principal: string,
  { secret, random }: { secret: LoginSecret; random: (length: number) => Uint8Array },
): Record<string, string> {
  return { seed: secret.seal(seed, owner(principal), random) };
}

/** The seed again. Throws where it was sealed for another principal. */
export function openSeed(
  material: Readonly<Record<string, string>>,
  principal: string,
  secret: LoginSecret,
): Uint8Array {
  return secret.open(material['seed'] ?? '', owner(principal));
}

/** The number of the period that the code belongs to; null where it is of none that counts now. `now` in milliseconds. */
export function periodOfCode(seed: Uint8Array, code: string, now: number): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const delta = totpOf(seed).validate({ token: code, window, timestamp: now });
  return delta === null ? null : Math.floor(now / periodMs) + delta;
}

const owner = (principal: string): string => `totp ${principal}`;

function totpOf(seed: Uint8Array, names: { issuer?: string; account?: string } = {}): TOTP {
  const { issuer = 'Tallystick', account = '' } = names;
  const secret = new Secret({ buffer: Uint8Array.from(seed).buffer });
  return new TOTP({ secret, issuer, label: account, algorithm: 'SHA1', digits: 6, period: periodMs / 1000 });
}
