/** Rotates the issuing key by itself, once it has signed for long enough or often enough. */
import { effectiveUntil, entitledKeys, type NamespaceKey } from '@tallystick/core';
import type { Ledger } from '@tallystick/ledger';

export interface RotationLimits {
  /** Days that one key signs; null for no limit. */
  days: number | null;
  /** Log entries that one key signs at most; null for no limit. */
  entries: number | null;
}

export const rotationLimits: RotationLimits = { days: 90, entries: 10_000_000 };

const dayMs = 86_400_000;

/** Whether the key that signs is due, and why. */
export type Due = { key: string; why: string } | null;

export class RotationSchedule {
  readonly #ledger: Ledger;
  readonly #limits: RotationLimits;
  readonly #now: () => number;
  readonly #alarm: (message: string) => void;
  /** What was last complained of: an hourly alarm about the same thing would be overlooked. */
  #complaint: string | null = null;

  /** @param now milliseconds */
  constructor(ledger: Ledger, limits: RotationLimits, now: () => number, alarm: (message: string) => void) {
    this.#ledger = ledger;
    this.#limits = limits;
    this.#now = now;
    this.#alarm = alarm;
  }

  /** Rotates where it is due. Never rejects: what cannot be done now is tried again at the next call. */
  async check(): Promise<void> {
    try {
      const due = await this.due();
      if (due !== null && this.#ledger.mutations === null) await this.#rotate(due);
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }

  async due(): Promise<Due> {
    for (const signing of this.#signing()) {
      const due = await this.#dueOf(signing);
      if (due !== null) return due;
    }
    return null;
  }

  async #dueOf({ key, since }: { key: NamespaceKey; since: number }): Promise<Due> {
    const { days, entries } = this.#limits;
    const signed = this.#ledger.size - since;
    if (entries !== null && signed >= entries) return { key: key.id, why: `it signed ${signed} entries` };
    const beganAt = await this.#ledger.read.timeOf(since);
    const age = beganAt === null ? 0 : Math.floor((this.#now() - beganAt) / dayMs);
    return days !== null && age >= days ? { key: key.id, why: `it signed for ${age} days` } : null;
  }

  /** The keys that sign licenses, one an algorithm, and the log index from which each does. */
  #signing(): { key: NamespaceKey; since: number }[] {
    const { namespace, brake } = this.#ledger.governing;
    const { size } = this.#ledger;
    const entitled = entitledKeys(namespace, brake, 'license', size);
    const first = entitled.filter((key, at) => entitled.findIndex(({ alg }) => alg === key.alg) === at);
    return first.map((key) => {
      const before = namespace.keys.slice(0, namespace.keys.indexOf(key));
      const ends = before
        .filter(({ alg, usages }) => alg === key.alg && usages.includes('license'))
        .map((earlier) => effectiveUntil(namespace, brake, earlier));
      return { key, since: Math.max(key.from, ...ends.filter((end) => end <= size)) };
    });
  }

  async #rotate({ key, why }: NonNullable<Due>): Promise<void> {
    const result = await this.#ledger.submit({
      command: { type: 'brake.tighten', until: [{ key }] },
      cause: { who: { kind: 'system', id: 'rotation' }, why: `the key is due: ${why}` },
      request: null,
      dryRun: false,
    });
    if ('refused' in result) this.#complain(`the issuing key is due for rotation: ${result.refused.message}`);
    else this.#complaint = null;
  }

  #complain(message: string): void {
    if (message !== this.#complaint) this.#alarm(message);
    this.#complaint = message;
  }
}
