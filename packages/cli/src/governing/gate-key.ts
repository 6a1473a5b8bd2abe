import { type BrakeDocument, entitledKeys, type NamespaceDocument } from '@tallystick/core';

/** The newest namespace and brake of a log. */
export interface Governed {
  namespace: { document: NamespaceDocument };
  brake: { document: BrakeDocument };
}

/**
 * Why nobody can be let into a system, in a sentence; null where that is possible. One that was made before there were people
 * lists no key for them, and goes on as it did.
 *
 * @param size entries of the log
 */
export function gateKeyLack({ namespace, brake }: Governed, size: number): string | null {
  if (entitledKeys(namespace.document, brake.document, 'gate', size).length > 0) return null;
  const later = namespace.document.keys.filter(({ usages, from }) => usages.includes('gate') && from > size);
  if (later.length > 0) {
    const from = Math.min(...later.map((key) => key.from));
    return `Nobody can be let in before the log has ${from} entries: from there on a key signs who may use the system. It has ${size}.`;
  }
  return 'Nobody can be let in: no key signs who may use the system. Next: tally keys generate --out gate-keys.json, and tally namespace propose; see docs/operating/upgrading.md.';
}
