/** Licenses that nothing ends within a lifetime, of which a trust root may demand more. */
import { parseDuration, parseInstant } from '../encoding/time.ts';

/** Twenty years of 365.25 days: what ends later holds as long as what never ends, for whoever forges it. */
const lifetimeMs = 7305 * 86_400_000;

/**
 * Whether a license document lets its holder go on for more than twenty years after `at`, the time of its record: its
 * term has no end or a later one, grace included, or it falls back to something that goes on after it. What does not
 * say so clearly is held to be perpetual, because more is demanded of that.
 */
export function isPerpetual(document: { term?: unknown; updates?: unknown }, at: string): boolean {
  const term = membersOf(document.term);
  const updates = membersOf(document.updates);
  if (typeof term?.until !== 'string' || typeof term.grace !== 'string') return true;
  if (updates?.fallback !== null) return true;
  try {
    return parseInstant(term.until) + parseDuration(term.grace) - parseInstant(at) > lifetimeMs;
  } catch {
    return true;
  }
}

function membersOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}
