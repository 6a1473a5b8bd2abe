/**
 * Which signed requests were seen, so that none counts twice. Nothing is forgotten before it expires.
 *
 * Nonces are in memory alone. Up to which `created` requests may have been taken is on disk before one of them is: a server
 * that starts takes nothing of that, so that what a process that was killed has seen cannot come back to the next one. It
 * is reserved ahead, for a second at a time, so that most requests write nothing.
 */
import type { SignatureParameters } from './profile.ts';

const reservedSeconds = 1;
/** Nonces that one credential may have in use; more than a hundred a second for five minutes. */
const perCredentialMax = 50_000;
const entriesMax = 500_000;

export class ReplayGuard {
  /** Seconds since 1970: the process before this one may have taken what was created up to then. */
  readonly #floor: number;
  readonly #reserve: (until: number) => void;
  #reserved: number;
  /** Credential → nonce → when it may be forgotten, in seconds since 1970. */
  readonly #seen = new Map<string, Map<string, number>>();
  #count = 0;
  #sweptAt = 0;

  /**
   * @param reserved seconds since 1970; what was last reserved, 0 for nothing
   * @param reserve makes another such number durable before it returns
   */
  constructor(reserved: number, reserve: (until: number) => void) {
    this.#floor = reserved;
    this.#reserved = reserved;
    this.#reserve = reserve;
  }

  /**
   * Remembers a request whose signature was verified. `replayed`: it was seen, or may have been by the process before.
   * `starting`: it may have been, and signing it again in a moment will do. `full`: there is no room to remember it.
   */
  take(
    credential: string,
    stated: SignatureParameters,
    nowMs: number,
  ): 'fresh' | 'replayed' | 'starting' | 'full' {
    if (stated.created <= this.#floor) return nowMs / 1000 <= this.#floor + 1 ? 'starting' : 'replayed';
    const now = Math.floor(nowMs / 1000);
    this.#sweep(now);
    const seen = this.#seen.get(credential) ?? new Map<string, number>();
    if (seen.has(stated.nonce)) return 'replayed';
    if (seen.size >= perCredentialMax || this.#count >= entriesMax) return 'full';
    if (stated.created > this.#reserved) {
      this.#reserve(stated.created + reservedSeconds);
      this.#reserved = stated.created + reservedSeconds;
    }
    seen.set(stated.nonce, stated.expires);
    this.#seen.set(credential, seen);
    this.#count += 1;
    return 'fresh';
  }

  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < 10) return;
    this.#sweptAt = now;
    for (const [credential, seen] of this.#seen) {
      for (const [nonce, expires] of seen) {
        if (expires < now && seen.delete(nonce)) this.#count -= 1;
      }
      if (seen.size === 0) this.#seen.delete(credential);
    }
  }
}
