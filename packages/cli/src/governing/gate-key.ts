/**
 * Why nobody can be let into a system, in a sentence; null where that is possible. One that was made before there were people
 * lists no key for them, and goes on as it did.
 *
 * @param gateFrom log index from which a key signs who may use the system; null where none is listed
 * @param size entries of the log
 */
export function gateKeyLack(gateFrom: number | null, size: number): string | null {
  if (gateFrom === null)
    return 'Nobody can be let in: no key signs who may use the system. Next: tally keys generate --out gate-keys.json, and tally namespace propose; see docs/operating/upgrading.md.';
  if (gateFrom <= size) return null;
  return `Nobody can be let in before the log has ${gateFrom} entries: from there on a key signs who may use the system. It has ${size}.`;
}
