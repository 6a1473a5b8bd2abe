/** What a listed key may sign at most: read from flags, and said in words. */
import { type KeyLimits, parseDuration } from '@tallystick/core';
import { InvalidArgumentError } from 'commander';
import { asNatural } from '../flags/values.ts';

export interface LimitChange {
  /** Key id or fingerprint. */
  key: string;
  limit: Partial<KeyLimits>;
}

const limitNames = {
  'offline-max': 'offlineMax',
  'term-max': 'termMax',
  'seats-max': 'seatsMax',
  'per-minute': 'perMinute',
} as const satisfies Record<string, keyof KeyLimits>;

const words: Readonly<Record<keyof KeyLimits, string>> = {
  offlineMax: 'licenses that run offline longer than',
  termMax: 'licenses with a term longer than',
  seatsMax: 'licenses with more seats than',
  perMinute: 'more records a minute than',
};

/** `<key>:<limit>=<value>`, where `none` takes the limit away. Throws as flags do. */
export function asLimitChange(text: string): LimitChange {
  const [, key, name, value] = /^([^:]+):([a-z-]+)=(.+)$/.exec(text) ?? [];
  const member = Object.entries(limitNames).find(([known]) => known === name)?.[1];
  if (key === undefined || value === undefined || member === undefined) {
    const names = Object.keys(limitNames).join(', ');
    throw new InvalidArgumentError(`It is <key>:<limit>=<value>, and limits are ${names}.`);
  }
  return { key, limit: { [member]: value === 'none' ? null : readLimit(member, value) } };
}

function readLimit(member: keyof KeyLimits, value: string): string | number {
  if (member === 'seatsMax' || member === 'perMinute') return asNatural(value);
  try {
    parseDuration(value);
    return value;
  } catch {
    throw new InvalidArgumentError('Give a duration such as P30D or PT12H.');
  }
}

/** What changes about the limits of a key, a sentence each. */
export function describeLimits(before: KeyLimits | undefined, after: KeyLimits): string[] {
  return Object.values(limitNames).flatMap((member) => {
    const now = after[member];
    if (now === (before?.[member] ?? null)) return [];
    return now === null
      ? [`may sign ${words[member]} ${before?.[member]} now: that limit goes`]
      : [`may not sign ${words[member]} ${now}`];
  });
}
