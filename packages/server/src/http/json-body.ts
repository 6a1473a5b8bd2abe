/** JSON bodies as the contract wants them: no member twice, because two readers would read two things. */

/**
 * Parses JSON. Throws SyntaxError for malformed text and for duplicate members: the text then has more
 * members than the value that came of it.
 */
export function parseJsonBody(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (countMembersInText(text) !== countMembers(value, 0))
    throw new SyntaxError('a member stands twice in one object');
  return value;
}

/** Colons outside of strings: one per member. */
function countMembersInText(text: string): number {
  let count = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (isInString) {
      if (character === 0x5c) at += 1;
      else if (character === 0x22) isInString = false;
    } else if (character === 0x22) {
      isInString = true;
    } else if (character === 0x3a) {
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
