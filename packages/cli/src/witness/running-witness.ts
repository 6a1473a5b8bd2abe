/** The witness that runs on a folder, seen through its own health: which logs it follows and how far. */
import type { WitnessConfig } from '@tallystick/witness';
import type { Context } from '../context.ts';

export interface FollowedLog {
  origin: string;
  size: number;
  refused: string | null;
  /** Seconds. */
  cosignedAt: number | null;
}

const askMsMax = 2000;
/** The configuration is looked at every half second. */
const followMsMax = 5000;

/** What it says; null where it does not run, or has no listener for its operator. */
export async function askRunning({ metrics, name }: WitnessConfig): Promise<FollowedLog[] | null> {
  if (metrics === null || metrics.port === 0) return null;
  const host = metrics.host.includes(':') ? `[${metrics.host}]` : metrics.host;
  try {
    const answer = await fetch(`http://${host}:${metrics.port}/healthz`, {
      signal: AbortSignal.timeout(askMsMax),
    });
    const health = (await answer.json()) as { name: string; logs: FollowedLog[] };
    return health.name === name ? health.logs : null;
  } catch {
    // Whatever is there is not this witness.
    return null;
  }
}

/** Waits until the running witness follows a log, or no longer does. False where it does not say so in time. */
export async function untilFollowed(
  config: WitnessConfig,
  origin: string,
  wanted: boolean,
  { now, sleep, signal }: Context,
): Promise<boolean> {
  const deadline = now() + followMsMax;
  for (;;) {
    const logs = await askRunning(config);
    if (logs !== null && logs.some((log) => log.origin === origin) === wanted) return true;
    if (now() > deadline) return false;
    await sleep(100, signal);
  }
}
