/** A session: what a person, or a program, carries after it has shown a credential once. */
import type { Caller } from '../caller.ts';

export interface Session {
  /** `ses_…`. A step-up is a login, and begins another one. */
  id: string;
  principal: string;
  credential: string;
  strength: Caller['strength'];
  /** Instants, as all that follow. */
  authenticatedAt: string;
  steppedUpAt: string | null;
  startedAt: string;
  seenAt: string;
  /** Where it began. */
  address: string;
  /** Browser and platform, roughly: a token that turns up in another one was copied. */
  agent: string;
  device: Caller['device'];
}

/** What a login says of itself. */
export interface SessionStart {
  principal: string;
  credential: string;
  strength: Caller['strength'];
  authenticatedAt: string;
  steppedUpAt: string | null;
  address: string;
  userAgent: string;
  device: Caller['device'];
}

/** Milliseconds: without a request, and in all. */
export interface SessionLimits {
  idleMs: number;
  maxMs: number;
}

export function hasEnded(
  { startedAt, seenAt }: Session,
  { idleMs, maxMs }: SessionLimits,
  nowMs: number,
): boolean {
  return nowMs - Date.parse(seenAt) >= idleMs || nowMs - Date.parse(startedAt) >= maxMs;
}

const browsers = ['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari', 'tally'] as const;
const platforms = ['Android', 'iPhone', 'iPad', 'Windows', 'Macintosh', 'Linux'] as const;

/** `Firefox/Linux`: coarse enough to survive an update of the browser. */
export function agentClass(userAgent: string): string {
  const find = (names: readonly string[]): string =>
    names.find((name) => userAgent.includes(name)) ?? 'other';
  return `${find(browsers)}/${find(platforms)}`;
}
