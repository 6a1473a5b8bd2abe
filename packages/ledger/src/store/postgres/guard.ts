/**
 * A lock that says that somebody has the store open for writing, on a connection of its own. It keeps nobody from
 * writing, which the fence does, and another node knows nothing of it: it keeps a second server, or one that was fenced
 * and started anew, from fencing one that works.
 */
import { StoreLocked } from '../store.ts';
import type { Target } from './connection.ts';
import type { PostgresStatements } from './schema.ts';
import { Session, withinASecond } from './session.ts';

export class Guard {
  readonly #target: Target;
  readonly #statements: PostgresStatements;
  #session: Session | null = null;
  #isWaiting = false;
  #isClosed = false;

  constructor({ place, password, limits }: Target, statements: PostgresStatements) {
    // Whoever waits for the lock waits for as long as it takes.
    this.#target = { place, password, limits: { ...limits, statementMs: 0 } };
    this.#statements = statements;
  }

  /** Throws StoreLocked where somebody has the lock, and StoreUnavailable. */
  async take(): Promise<void> {
    const session = await Session.connect(this.#target);
    const [row] = await session.query(this.#statements.tryLock);
    if (row?.free !== true) {
      session.destroy();
      throw new StoreLocked('another process has the store open: only one server may write to it');
    }
    this.#session = session;
  }

  /**
   * Stands in line for the lock, where it is not held or waited for: the next one after whoever has it. Whatever cut off the
   * session that writes may have cut off this one.
   */
  keep(): void {
    if (this.#isWaiting || this.#isClosed || this.#session?.isSpent === false) return;
    this.#isWaiting = true;
    this.#stand()
      // The connection failed: the next call tries again.
      .catch(() => this.#session?.destroy())
      .finally(() => {
        this.#isWaiting = false;
      });
  }

  /** Gives the lock away at once, or the place in the line. */
  close(): void {
    this.#isClosed = true;
    this.#session?.destroy();
  }

  /** As `close`; the lock is free when this resolves, unless PostgreSQL does not answer. */
  async release(): Promise<void> {
    const session = this.#isWaiting ? null : this.#session;
    if (session?.isSpent === false) await withinASecond(session.query(this.#statements.unlock));
    this.close();
  }

  async #stand(): Promise<void> {
    const session = await Session.connect(this.#target);
    this.#session = session;
    if (this.#isClosed) session.destroy();
    await session.query(this.#statements.waitLock);
  }
}
