import type { Decision } from '@tallystick/gate';

const carriedMax = 4096;

/** Where the log has decisions whole, so that later causes name that place. Forgetting one costs a few hundred bytes. */
export class Carried {
  readonly #indexes = new Map<string, number>();

  indexOf(decision: Decision): number | undefined {
    return this.#indexes.get(nameOf(decision));
  }

  /** @param index log index of the first record of a cause that is durable */
  add(decision: Decision, index: number): void {
    const name = nameOf(decision);
    if (this.#indexes.has(name)) return;
    if (this.#indexes.size >= carriedMax) this.#indexes.clear();
    this.#indexes.set(name, index);
  }
}

/** All that a decision follows from. */
function nameOf({ policy, schema, entities }: Decision): string {
  return `${policy}${schema}${entities}`;
}
