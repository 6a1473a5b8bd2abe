/**
 * Requests beyond the limit of a zone, of which nothing was looked at. A stranger may make as many as the network takes, so
 * they are counted, and told of once a second: one record each would fill the disk.
 */
import type { AccessRecord } from '@tallystick/access';

const tellMs = 1000;

export class LimitedRequests implements Disposable {
  readonly #write: (record: AccessRecord) => void;
  #newest: AccessRecord | null = null;
  #count = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(write: (record: AccessRecord) => void) {
    this.#write = write;
  }

  /** Takes one in; the first of a second is told of at once. */
  add(record: AccessRecord): void {
    this.#newest = record;
    this.#count += 1;
    if (this.#timer === null) this.#tell();
  }

  /** Tells of what was counted so far. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#tellCount();
  }

  #tell(): void {
    this.#timer = this.#tellCount() ? setTimeout(() => this.#tell(), tellMs).unref() : null;
  }

  #tellCount(): boolean {
    if (this.#newest === null) return false;
    const resource = { type: 'requests', id: String(this.#count) };
    this.#write({ ...this.#newest, route: 'access.limited', resource });
    this.#newest = null;
    this.#count = 0;
    return true;
  }
}
