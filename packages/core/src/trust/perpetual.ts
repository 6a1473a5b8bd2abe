/** Licenses that nothing ends, of which a trust root may demand more. */
import type { JsonObject, JsonValue } from '../encoding/json.ts';

/**
 * Whether a license document lets its holder go on for ever: its term has no end, or it falls back to something that
 * goes on after it. What does not say so clearly is held to be perpetual, because more is demanded of that.
 */
export function isPerpetual(document: JsonObject): boolean {
  const term = membersOf(document.term);
  const updates = membersOf(document.updates);
  return typeof term?.until !== 'string' || updates?.fallback !== null;
}

function membersOf(value: JsonValue | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
