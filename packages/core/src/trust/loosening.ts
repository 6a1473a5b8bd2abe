/** What a revision of the namespace loosens: the steps that people may want to take together alone. Pure. */
import { decodeBase64 } from '../encoding/base64.ts';
import { hex } from '../encoding/bytes.ts';
import { parseDuration } from '../encoding/time.ts';
import {
  type BrakeDocument,
  effectiveLock,
  effectiveMinEpoch,
  effectiveUntil,
  type KeyLimits,
  lockLevels,
  type NamespaceDocument,
  type NamespaceKey,
} from './namespace.ts';

type Governed = Pick<NamespaceDocument, 'epoch' | 'lock' | 'minEpoch' | 'keys'>;

const limitNames = ['offlineMax', 'termMax', 'seatsMax', 'perMinute'] as const satisfies (keyof KeyLimits)[];

/**
 * What holds less under `next` than under `current`, one phrase each: the lock, the smallest epoch, and keys that sign for
 * longer, with wider limits or for the first time. A new epoch lets go what the brake said, so both are looked at together.
 */
export function loosenings(
  current: Governed,
  next: Governed,
  brake: Pick<BrakeDocument, 'epoch' | 'lock' | 'minEpoch' | 'until' | 'destroyed'>,
): string[] {
  const lock = { was: effectiveLock(current, brake), is: effectiveLock(next, brake) };
  const minEpoch = { was: effectiveMinEpoch(current, brake), is: effectiveMinEpoch(next, brake) };
  const known = new Map(current.keys.map((key) => [key.id, key]));
  return [
    ...(lockLevels.indexOf(lock.is) < lockLevels.indexOf(lock.was)
      ? [`the lock becomes ${lock.is} (was ${lock.was})`]
      : []),
    ...(minEpoch.is < minEpoch.was
      ? [`the smallest epoch of licenses becomes ${minEpoch.is} (was ${minEpoch.was})`]
      : []),
    ...next.keys.flatMap((key) => {
      const before = known.get(key.id);
      const name = `key ${hex(decodeBase64(key.id).subarray(0, 8))}`;
      if (before === undefined) return [`${name} (${key.usages.join(', ')}) may sign`];
      const ends = { was: effectiveUntil(current, brake, before), is: effectiveUntil(next, brake, key) };
      return [
        ...(ends.is > ends.was ? [`${name} signs ${untilText(ends.is)} (was ${untilText(ends.was)})`] : []),
        ...widened(before, key).map((limit) => `${name} has a wider ${limit}`),
      ];
    }),
  ];
}

function untilText(index: number): string {
  return Number.isFinite(index) ? `until log index ${index}` : 'without end';
}

function widened({ limits: before }: NamespaceKey, { limits: after }: NamespaceKey): string[] {
  return limitNames.filter((name) => measure(after[name]) > measure(before[name]));
}

/** No limit is above every limit. */
function measure(limit: string | number | null): number {
  if (limit === null) return Number.POSITIVE_INFINITY;
  return typeof limit === 'number' ? limit : parseDuration(limit);
}
