/** How often somebody has asked for something within the last hour. In memory, on times that are passed in. */

const HOUR_MS = 3_600_000;

interface Asked {
  action: string;
  /** Milliseconds. */
  at: number;
}

export class HourlyCounts {
  /** By principal, then by request. */
  readonly #asked = new Map<string, Map<object, Asked>>();
  /** Until then nobody's count is known, so everybody's is too high; milliseconds. */
  #unknownUntil = 0;

  /** Counts a request, once however often this is called; what fails is taken back. */
  add(principal: string, action: string, at: number, request: object): void {
    const asked = this.#asked.get(principal) ?? new Map<object, Asked>();
    this.#asked.set(principal, asked);
    asked.set(request, { action, at });
  }

  /** Takes back what was not carried out. */
  remove(principal: string, request: object): void {
    this.#asked.get(principal)?.delete(request);
  }

  /** How many requests for any of these actions there were within the hour before `at`, `request` left out. */
  count(principal: string, actions: readonly string[], at: number, request: object | null): number {
    if (at < this.#unknownUntil) return Number.POSITIVE_INFINITY;
    const asked = this.#asked.get(principal);
    if (asked === undefined) return 0;
    let count = 0;
    for (const [key, each] of asked) {
      if (each.at <= at - HOUR_MS) asked.delete(key);
      else if (key !== request && actions.includes(each.action)) count += 1;
    }
    return count;
  }

  /** Others have approved what was one too many: counting begins anew. */
  clear(principal: string, actions: readonly string[]): void {
    const asked = this.#asked.get(principal);
    for (const [key, { action }] of asked ?? []) if (actions.includes(action)) asked?.delete(key);
  }

  /** What was asked for before could not be found out: for an hour everybody is taken to have asked too often. */
  forget(at: number): void {
    this.#unknownUntil = at + HOUR_MS;
  }
}
