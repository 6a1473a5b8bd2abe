/**
 * Which signed requests were seen, so that none counts twice. Nothing is forgotten before it expires.
 *
 * It is kept in memory alone. A server that starts takes nothing that may have been signed before: what a process that
 * was killed has seen cannot come back to the next one. What that costs is a few seconds after a start in which
 * callers are told to sign again.
 */
import { createdAheadSecondsMax, type SignatureParameters } from './profile.ts';

/** Nonces that one credential may have in use; more than a hundred a second for five minutes. */
const perCredentialMax = 50_000;
const entriesMax = 500_000;

export class ReplayGuard {
  /** Seconds since 1970. */
  readonly #startedAt: number;
  /** Credential → nonce → when it may be forgotten, in seconds since 1970. */
  readonly #seen = new Map<string, Map<string, number>>();
  #count = 0;
  #sweptAt = 0;

  constructor(startedAtMs: number) {
    this.#startedAt = Math.floor(startedAtMs / 1000);
  }

  /**
   * Remembers a request whose signature was verified. `replayed`: it was seen, or may have been by the process before.
   * `starting`: it may have been, and signing it again will do. `full`: there is no room to remember it.
   */
  take(
    credential: string,
    stated: SignatureParameters,
    nowMs: number,
  ): 'fresh' | 'replayed' | 'starting' | 'full' {
    if (stated.created < this.#startedAt) return 'replayed';
    if (stated.created <= this.#startedAt + createdAheadSecondsMax) return 'starting';
    const now = Math.floor(nowMs / 1000);
    this.#sweep(now);
    const seen = this.#seen.get(credential) ?? new Map<string, number>();
    if (seen.has(stated.nonce)) return 'replayed';
    if (seen.size >= perCredentialMax || this.#count >= entriesMax) return 'full';
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
