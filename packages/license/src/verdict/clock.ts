/**
 * What time it is, given a wall clock that its owner can set.
 *
 * The floor is the latest instant known to have passed: the build of the application, every verified `asOf`, and
 * a verified time plus the monotonic runtime since. The wall clock never raises it, so a clock that
 * once stood far ahead and was corrected leaves no trace. All values are milliseconds since 1970, UTC.
 */

/** How far two honest clocks may differ, in milliseconds. */
export const CLOCK_TOLERANCE_MS: number = 5 * 60_000;

export interface ClockInputs {
  /** When the application was built. */
  readonly buildTime?: number;
  /** Every `asOf` verified before, of this bundle or any other. */
  readonly remembered?: readonly number[];
  /** A verified time, and the milliseconds of a monotonic clock since it was verified in this process. */
  readonly runtime?: { readonly verified: number; readonly elapsed: number };
}

export interface Clock {
  /** The wall clock as the device tells it. */
  readonly wall: number;
  /** The part of the floor that stands still: build time and verified times. */
  readonly fixedFloor: number;
  /** The part of the floor that runs along with the process; null without a verified time to count from. */
  readonly runningFloor: number | null;
}

/** Thrown as a TypeError: a clock that is not a number would compare as neither early nor late, and pass. */
function milliseconds(name: string, value: number): number {
  if (!Number.isFinite(value)) throw new TypeError(`${name} must be a finite number of milliseconds`);
  return Math.floor(value);
}

/**
 * Reads the clock of a request beside the `asOf` of the bundle in hand.
 * Throws TypeError when a value is not a finite number.
 */
export function readClock(wall: number, asOf: number, inputs: ClockInputs): Clock {
  const { buildTime, remembered = [], runtime } = inputs;
  let fixedFloor = milliseconds('asOf', asOf);
  if (buildTime !== undefined) fixedFloor = Math.max(fixedFloor, milliseconds('buildTime', buildTime));
  for (const instant of remembered) fixedFloor = Math.max(fixedFloor, milliseconds('remembered', instant));
  const runningFloor =
    runtime === undefined
      ? null
      : milliseconds('runtime.verified', runtime.verified) +
        Math.max(0, milliseconds('runtime.elapsed', runtime.elapsed));
  return { wall: milliseconds('now', wall), fixedFloor, runningFloor };
}

/** The latest instant known to have passed. */
export function clockFloor(clock: Clock): number {
  return Math.max(clock.fixedFloor, clock.runningFloor ?? clock.fixedFloor);
}

/** The time to judge by: the wall clock, or the floor where the wall clock is behind it. */
export function effectiveNow(clock: Clock): number {
  return Math.max(clock.wall, clockFloor(clock));
}

/** Whether the wall clock is behind the floor by more than honest clocks differ. */
export function isRolledBack(clock: Clock): boolean {
  return clock.wall < clockFloor(clock) - CLOCK_TOLERANCE_MS;
}

/** The same clock after `ms` milliseconds in which nothing new is verified. */
export function afterElapsed(clock: Clock, ms: number): Clock {
  const runningFloor = clock.runningFloor === null ? null : clock.runningFloor + ms;
  return { wall: clock.wall + ms, fixedFloor: clock.fixedFloor, runningFloor };
}

/** Milliseconds from now until `effectiveNow` reaches `instant`; 0 or less when it has. */
export function untilEffective(clock: Clock, instant: number): number {
  if (effectiveNow(clock) >= instant) return 0;
  return instant - Math.max(clock.wall, clock.runningFloor ?? clock.wall);
}

/**
 * Milliseconds from now until a wall clock that is behind has come within tolerance of the fixed floor; 0 or
 * less when it has. A running floor moves as fast as the wall clock, so against it the wall clock never gains.
 */
export function untilCaughtUp(clock: Clock): number {
  return clock.fixedFloor - CLOCK_TOLERANCE_MS - clock.wall;
}
