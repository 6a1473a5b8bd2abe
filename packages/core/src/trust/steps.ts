/** Whether a revision of the namespace or the brake may follow the one before it. */
import {
  type BrakeDocument,
  destroyedSince,
  effectiveUntil,
  lockLevels,
  type NamespaceDocument,
} from './namespace.ts';

/**
 * Why `next` may not follow `current` as the namespace, or null where it may: keys never leave, their ranges
 * never widen, and the epoch never falls. `index` is where the record would land.
 */
export function namespaceStepProblem(
  current: NamespaceDocument | null,
  next: NamespaceDocument,
  index: number,
): string | null {
  if (current !== null && next.epoch < current.epoch) return 'the epoch fell';
  if (current !== null && next.epoch === current.epoch) {
    if (next.minEpoch < current.minEpoch) return 'minEpoch fell within an epoch';
    if (lockLevels.indexOf(next.lock) < lockLevels.indexOf(current.lock))
      return 'the lock loosened within an epoch';
  }
  for (const before of current?.keys ?? []) {
    const after = next.keys.find((key) => key.id === before.id);
    if (after === undefined) return `key ${before.id} left the list`;
    if (after.from !== before.from || after.alg !== before.alg)
      return `key ${before.id} changed its range or kind`;
    if (after.usages.join() !== before.usages.join()) return `key ${before.id} changed its usages`;
    if (before.until !== null && (after.until === null || after.until > before.until)) {
      return `until of key ${before.id} rose`;
    }
  }
  const introduced = next.keys.filter((key) => !current?.keys.some((before) => before.id === key.id));
  const early = introduced.find((key) => index > key.from);
  return early === undefined ? null : `key ${early.id} is valid from an index that has passed`;
}

/**
 * Why `next` may not follow `current` as the brake of `namespace`, or null where it may. `index` is where the record
 * would land.
 */
export function brakeStepProblem(
  namespace: NamespaceDocument,
  current: BrakeDocument | null,
  next: BrakeDocument,
  index: number,
): string | null {
  if (next.epoch !== namespace.epoch) return 'the brake is of another epoch than the namespace';
  const before = current?.epoch === next.epoch ? current : null;
  const lockMin = lockLevels.indexOf(before?.lock ?? 'open');
  if (lockLevels.indexOf(next.lock) < lockMin) return 'the lock loosened';
  if (next.minEpoch < (before?.minEpoch ?? 0)) return 'minEpoch fell';
  for (const cut of before?.until ?? []) {
    const kept = next.until.find((item) => item.id === cut.id);
    if (kept === undefined || kept.index > cut.index) return `until of key ${cut.id} loosened`;
  }
  return destructionProblem(namespace, current, next, index);
}

/** Destroyed keys stay so through every epoch, and had ended before. */
function destructionProblem(
  namespace: NamespaceDocument,
  current: BrakeDocument | null,
  next: BrakeDocument,
  index: number,
): string | null {
  for (const { id, index: since } of current?.destroyed ?? [])
    if (destroyedSince(next, id) !== since) return `key ${id} is not destroyed any more`;
  const { destroyed, ...ends } = next;
  for (const { id, index: since } of destroyed ?? []) {
    if (Number.isFinite(destroyedSince(current, id))) continue;
    const key = namespace.keys.find((listed) => listed.id === id);
    if (key === undefined) return `key ${id} is destroyed, and was never listed`;
    if (since > index) return `key ${id} is destroyed from an index on that has not come`;
    if (effectiveUntil(namespace, ends, key) > since) return `key ${id} is destroyed before it ended`;
  }
  return null;
}
