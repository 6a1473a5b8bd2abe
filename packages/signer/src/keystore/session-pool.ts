/** The few sessions that a token's connection has, lent to one operation each. */
import type { Handle } from 'pkcs11js';
import { TokenUnavailable } from './keystore-error.ts';

export class SessionPool {
  readonly #idle: Handle[];
  readonly #size: number;
  /** Those who wait for a session, in order. */
  readonly #waiting: ((session: Handle) => void)[] = [];
  readonly #drained: (() => void)[] = [];
  #isClosed = false;

  constructor(sessions: readonly Handle[]) {
    this.#idle = [...sessions];
    this.#size = sessions.length;
  }

  /** Runs `work` with a session that nobody else has meanwhile. Throws TokenUnavailable once the pool is closed. */
  async use<T>(work: (session: Handle) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new TokenUnavailable('the connection to the token is closed');
    const session = await this.#take();
    try {
      return await work(session);
    } finally {
      this.#giveBack(session);
    }
  }

  /** Lends no more; resolves when no session is lent and nobody waits for one. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#idle.length === this.#size) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  #take(): Handle | Promise<Handle> {
    return this.#idle.pop() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(session: Handle): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(session);
      return;
    }
    this.#idle.push(session);
    if (this.#idle.length < this.#size) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
