/**
 * A map with its members in the order of their names, so that the same content always has the same bytes.
 * Names are ASCII, so the order of UTF-16 units is the order of bytes.
 */
export function sortedByName<T>(map: Record<string, T>): Record<string, T> {
  const names = Object.keys(map);
  if (isSorted(names)) return map;
  const sorted: Record<string, T> = {};
  for (const name of names.sort()) sorted[name] = map[name] as T;
  return sorted;
}

function isSorted(names: readonly string[]): boolean {
  let before = '';
  for (const name of names) {
    if (name < before) return false;
    before = name;
  }
  return true;
}
