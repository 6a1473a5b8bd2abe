/**
 * The one connection that writes.
 *
 * PostgreSQL answers a commit with success also when the wait for its standbys was cut short, by a cancel or by the end
 * of the backend: it is committed here, and perhaps nowhere else. All that tells is a warning, which is listened for.
 */
import { Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { Client, type QueryConfig } from 'pg';
import { StoreUnavailable } from '../store.ts';
import { clientConfig, type Rows, readFailure, type Target } from './connection.ts';

/** The routine in PostgreSQL's source that warns of a wait that ended early (`syncrep.c`). */
const endedWait = 'SyncRepWaitForLSN';

export class Session {
  readonly #client: Client;
  readonly #socket: Socket;
  #isBroken = false;
  /** True once a commit was not waited for to its end. */
  #isUnconfirmed = false;

  private constructor(target: Target) {
    this.#socket = new Socket();
    // Statements go out without waiting for the answers before them: what checks a write costs no way there and back.
    const client = new Client({
      ...clientConfig(target, 'write'),
      pipeline: true,
      stream: () => this.#socket,
    });
    this.#client = client;
    client.on('error', () => {
      this.#isBroken = true;
    });
    client.on('end', () => {
      this.#isBroken = true;
    });
    client.on('notice', ({ routine }) => {
      if (routine === endedWait) this.#isUnconfirmed = true;
    });
  }

  /** Throws StoreUnavailable. */
  static async connect(target: Target): Promise<Session> {
    const session = new Session(target);
    try {
      await session.#client.connect();
      return session;
    } catch (error) {
      session.destroy();
      throw readFailure(error);
    }
  }

  /** Carries out one statement on a connection of its own. Throws StoreUnavailable, and what pg throws. */
  static async runOnce(target: Target, statement: string): Promise<Rows> {
    const session = await Session.connect(target);
    try {
      return await session.query(statement);
    } finally {
      await session.end();
    }
  }

  /** True where nothing more can be written here: the connection is gone, or the outcome of something is unknown. */
  get isSpent(): boolean {
    return this.#isBroken || this.#isUnconfirmed;
  }

  /** Carries out one statement, which is a transaction of its own outside of one. Throws what pg throws. */
  async query(text: string | QueryConfig): Promise<Rows> {
    return (await this.#client.query<Record<string, unknown>>(text)).rows;
  }

  /** Throws StoreUnavailable where a commit before was not waited for to its end. */
  needConfirmed(): void {
    if (!this.#isUnconfirmed) return;
    throw new StoreUnavailable(
      'PostgreSQL did not wait for its standbys (somebody canceled a statement or ended a connection), so that nobody ' +
        'knows whether a write is kept: ask again under the same idempotency key',
      true,
    );
  }

  /** Ends the connection at once, whatever it waits for. */
  destroy(): void {
    this.#isBroken = true;
    this.#socket.destroy();
  }

  /** Ends the connection in order, or without that where the other side does not answer within a second. */
  async end(): Promise<void> {
    this.#isBroken = true;
    await withinASecond(this.#client.end());
    this.#socket.destroy();
  }
}

/** Resolves when it is done, or is not within a second: what hangs must not keep whoever ends from ending. */
export async function withinASecond(work: Promise<unknown>): Promise<void> {
  await Promise.race([work.catch(() => {}), after(1000, undefined, { ref: false })]);
}
