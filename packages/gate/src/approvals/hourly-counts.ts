/** How often somebody has asked for something within the last hour. In memory, on times that are passed in. */

const HOUR_MS = 3_600_000;

/** That somebody asked for something. */
export interface AskedFor {
  principal: string;
  action: string;
  /** Milliseconds. */
  at: number;
}

export class HourlyCounts {
  /** By principal and action: when, by request, oldest first. */
  #asked = new Map<string, Map<string, Map<object, number>>>();
  /** Until then nobody's count is known, so everybody's is too high; milliseconds. */
  #unknownUntil = 0;
  /** Whose counts are known all the same, because they began anew. */
  readonly #known = new Set<string>();

  /** Counts a request, once however often this is called; what fails is taken back. `at` never runs backward. */
  add(principal: string, action: string, at: number, request: object): void {
    const ofPrincipal = this.#asked.get(principal) ?? new Map<string, Map<object, number>>();
    this.#asked.set(principal, ofPrincipal);
    const asked = ofPrincipal.get(action) ?? new Map<object, number>();
    ofPrincipal.set(action, asked);
    asked.set(request, at);
    forgetOld(asked, at);
  }

  /** Takes back what was not carried out. */
  remove(principal: string, request: object): void {
    for (const asked of this.#asked.get(principal)?.values() ?? []) asked.delete(request);
  }

  /** How many requests for any of these actions there were within the hour before `at`, `request` left out. */
  count(principal: string, actions: readonly string[], at: number, request: object | null): number {
    let count = 0;
    for (const action of actions) {
      const isKnown = at >= this.#unknownUntil || this.#known.has(nameOf(principal, action));
      if (!isKnown) return Number.POSITIVE_INFINITY;
      const asked = this.#asked.get(principal)?.get(action);
      if (asked === undefined) continue;
      forgetOld(asked, at);
      count += asked.size - (request !== null && asked.has(request) ? 1 : 0);
    }
    return count;
  }

  /** What somebody has asked for so far, to begin anew behind. */
  asked(principal: string): ReadonlySet<object> {
    const all = [...(this.#asked.get(principal)?.values() ?? [])];
    return new Set(all.flatMap((asked) => [...asked.keys()]));
  }

  /** Others have approved what was one too many: counting begins anew behind these requests. */
  clear(principal: string, actions: readonly string[], requests: ReadonlySet<object>): void {
    for (const action of actions) {
      const asked = this.#asked.get(principal)?.get(action);
      for (const request of requests) asked?.delete(request);
      this.#known.add(nameOf(principal, action));
    }
  }

  /** Counts what was asked for before all that was counted so far, oldest first; not where counting began anew since. */
  recall(before: readonly AskedFor[]): void {
    const since = this.#asked;
    this.#asked = new Map();
    for (const { principal, action, at } of before)
      if (!this.#known.has(nameOf(principal, action))) this.add(principal, action, at, {});
    for (const [principal, actions] of since)
      for (const [action, asked] of actions)
        for (const [request, at] of asked) this.add(principal, action, at, request);
  }

  /** What was asked for before could not be found out: for an hour everybody is taken to have asked too often. */
  forget(at: number): void {
    this.#unknownUntil = at + HOUR_MS;
    this.#known.clear();
  }
}

function nameOf(principal: string, action: string): string {
  return `${principal} ${action}`;
}

function forgetOld(asked: Map<object, number>, at: number): void {
  for (const [request, time] of asked) {
    if (time > at - HOUR_MS) return;
    asked.delete(request);
  }
}
