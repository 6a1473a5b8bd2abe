/** JSON bodies as the contract wants them: no member twice, because two readers would read two things. */

/**
 * Parses JSON. Throws SyntaxError for malformed text and for duplicate members: the text then has more
 * members than the value that came of it.
 */
export function parseJsonBody(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (countMembersInText(text) !== countMembers(value, 0))
    throw new SyntaxError('a member stands twice in one object, or its name is written with escapes');
  return value;
}

/**
 * Colons outside of strings: one per member. NaN where a member's name is written with escapes: no name of the
 * contract needs one, and V8 (13.6) has been seen to read the same escaped name as two different ones.
 */
function countMembersInText(text: string): number {
  let count = 0;
  let isInString = false;
  let hasEscape = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (isInString) {
      if (character === 0x5c) {
        hasEscape = true;
        at += 1;
      } else if (character === 0x22) {
        isInString = false;
      }
    } else if (character === 0x22) {
      isInString = true;
      hasEscape = false;
    } else if (character === 0x3a) {
      if (hasEscape) return Number.NaN;
      count += 1;
    }
  }
  return count;
}

const depthMax = 32;

function countMembers(value: unknown, depth: number): number {
  if (value === null || typeof value !== 'object') return 0;
  if (depth === depthMax) throw new SyntaxError('JSON nested too deep');
  const items = Object.values(value);
  let count = Array.isArray(value) ? 0 : items.length;
  for (const item of items) count += countMembers(item, depth + 1);
  return count;
}
