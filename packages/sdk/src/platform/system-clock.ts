/** The one place where a real clock enters. Everything else is told the time. */
import { type Verification, type VerifyOptions, verify } from '../verify.ts';

/** Where a client takes time from. */
export interface ClientClock {
  /** The wall clock, milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment of this process; never runs backwards. */
  monotonic(): number;
}

export const systemClock: ClientClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** As `verify`, at the time that the device tells. */
export function verifyNow(
  bundle: string | Uint8Array,
  options: Omit<VerifyOptions, 'now'>,
): Promise<Verification> {
  return verify(bundle, { ...options, now: systemClock.now() });
}
