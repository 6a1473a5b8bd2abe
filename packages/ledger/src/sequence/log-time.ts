/** The times that go into the log: none is earlier than one before it. */
import { formatInstant } from '@tallystick/core';

export class LogTime {
  readonly #now: () => number;
  #writtenAt: number;
  /** The newest that was given out, written or not. */
  #stampedAt: number;

  /**
   * @param writtenAt the newest time in the log, in milliseconds
   * @param now milliseconds
   */
  constructor(writtenAt: number, now: () => number) {
    this.#now = now;
    this.#writtenAt = writtenAt;
    this.#stampedAt = writtenAt;
  }

  /** The newest time in the log, in milliseconds. */
  get writtenAt(): number {
    return this.#writtenAt;
  }

  /** The instant to write into the log now. */
  stamp(): string {
    this.#stampedAt = Math.max(this.#now(), this.#stampedAt);
    return formatInstant(this.#stampedAt);
  }

  /** An instant is in the log now; it may be somebody else's, and ahead of ours. */
  wrote(at: string): void {
    this.#writtenAt = Math.max(this.#writtenAt, Date.parse(at));
    this.#stampedAt = Math.max(this.#stampedAt, this.#writtenAt);
  }

  /** All that was given out is in the log now. */
  wroteAll(): void {
    this.#writtenAt = this.#stampedAt;
  }

  /**
   * Forgets what was given out and not written, so that a clock that was wrong for a moment leaves nothing behind. Only
   * while nothing is in flight.
   */
  forget(): void {
    this.#stampedAt = this.#writtenAt;
  }
}
