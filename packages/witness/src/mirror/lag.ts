/** How far a mirror is behind the log that it follows. */
import type { ContentStatus } from '../contents/content-follower.ts';
import type { Clock } from '../cosigner.ts';

/** What a mirror holds of a log, and what it was offered. */
export interface MirrorStatus {
  /** Number of entries held from the first one on, without a gap. */
  held: number;
  /** Number of entries that the newest checkpoint covers which the log showed; at least the cosigned size. */
  offered: number;
  /** Seconds since the log first showed more than was cosigned; 0 where all is. */
  secondsBehind: number;
  /** Of the documents; left out where they are not followed. */
  contents?: ContentStatus & { refused: number };
}

export class Lag {
  readonly #now: Clock;
  #offered = 0;
  /** When more than was cosigned was offered first; null where it was not. */
  #since: number | null = null;

  constructor(now: Clock) {
    this.#now = now;
  }

  /** The log showed a checkpoint of `size` entries, while `cosigned` were cosigned. */
  offer(size: number, cosigned: number): void {
    this.#settle(cosigned);
    if (size <= cosigned) return;
    this.#offered = Math.max(this.#offered, size);
    this.#since ??= this.#now();
  }

  status(cosigned: number): Pick<MirrorStatus, 'offered' | 'secondsBehind'> {
    this.#settle(cosigned);
    const secondsBehind = this.#since === null ? 0 : Math.max(0, this.#now() - this.#since);
    return { offered: Math.max(this.#offered, cosigned), secondsBehind };
  }

  #settle(cosigned: number): void {
    if (this.#offered <= cosigned) this.#since = null;
  }
}
