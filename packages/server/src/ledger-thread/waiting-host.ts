/**
 * A log in a database that answers and confirms no write, mostly because its standbys are away: what is published of it is
 * served until one is confirmed, and from then on the log is written.
 */
import { setTimeout as after } from 'node:timers/promises';
import { LedgerError, StoreLocked, StoreUnavailable } from '@tallystick/ledger';
import { PostgresStore } from '@tallystick/ledger/postgres';
import { postgresOptions } from '../setup/store-place.ts';
import { clearFoundation, type Foundation, layFoundation } from './foundation.ts';
import type { Gatekeeper } from './gate/gatekeeper.ts';
import type { Host } from './host.ts';
import { die, type HeldLog, LedgerHost } from './ledger-host.ts';
import type { FromLedger, LedgerStatus, WorkerData } from './messages.ts';
import type { LedgerService } from './service.ts';
import { StandbyHost } from './standby-host.ts';

const retryMs = 500;

/** Opens the log for writing. Rejects with StoreUnavailable where the database does not confirm that, and StoreLocked. */
type Hold = () => Promise<HeldLog>;

interface WaitingParts {
  config: WorkerData['config'];
  foundation: Foundation;
  hold: Hold;
  post: (message: FromLedger) => void;
}

export class WaitingHost implements Host {
  readonly #parts: WaitingParts;
  #host: StandbyHost | LedgerHost;
  #isListening = false;
  #isStopped = false;
  /** Going over to writing. */
  #turning: Promise<void> = Promise.resolve();

  private constructor(parts: WaitingParts, host: StandbyHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /**
   * Serves, and goes on trying what was refused with `error`. Rejects with that where the database does not answer either, or
   * nothing is published yet, and with LedgerError where what is there is not sound.
   */
  static async open(
    { config }: WorkerData,
    error: StoreUnavailable,
    hold: Hold,
    post: (message: FromLedger) => void,
  ): Promise<WaitingHost> {
    const store = await PostgresStore.read(postgresOptions(config)).catch(() => {
      throw error;
    });
    const foundation = await layFoundation(config);
    let refused: Error = error;
    const refusal = (): LedgerError => new LedgerError('not_committed', refused.message);
    try {
      const following = { store, writer: () => null, refusal };
      const standby = await StandbyHost.open(config, foundation, following, post);
      const waiting = new WaitingHost({ config, foundation, hold, post }, standby);
      standby.alarm(refusal());
      void waiting.#wait((newer) => {
        refused = newer;
      });
      return waiting;
    } catch (failure) {
      await store[Symbol.asyncDispose]();
      await clearFoundation(foundation);
      throw failure instanceof LedgerError && failure.problem === 'not_published_yet' ? error : failure;
    }
  }

  get service(): LedgerService {
    return this.#host.service;
  }

  get gatekeeper(): Gatekeeper {
    return this.#host.gatekeeper;
  }

  get isCurrent(): boolean {
    return this.#host.isCurrent;
  }

  status(): LedgerStatus {
    return this.#host.status();
  }

  listen(isListening: boolean): void {
    this.#isListening = isListening;
    this.#host.listen(isListening);
  }

  alarm(error: unknown): void {
    this.#host.alarm(error);
  }

  /** What is under way with the database ends by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#turning.catch(() => {});
    const host = this.#host;
    await host[Symbol.asyncDispose]();
    if (host instanceof StandbyHost) await clearFoundation(this.#parts.foundation);
  }

  async #wait(onRefused: (error: Error) => void): Promise<void> {
    while (!this.#isStopped) {
      try {
        const held = await this.#parts.hold();
        this.#turning = this.#write(held);
        await this.#turning;
        return;
      } catch (error) {
        // While nobody can write, others may try as well: the fence is for one of them.
        if (error instanceof StoreUnavailable || error instanceof StoreLocked) onRefused(error);
        else {
          if (!this.#isStopped) die(error instanceof Error ? error : new Error(String(error)));
          return;
        }
      }
      await after(retryMs);
    }
  }

  /** Reads the log anew: what was committed and never confirmed may be among it now. */
  async #write(held: HeldLog): Promise<void> {
    const { config, foundation, post } = this.#parts;
    const standby = this.#host;
    if (this.#isStopped || standby instanceof LedgerHost) return held.store[Symbol.asyncDispose]();
    const { trust: chain } = await standby.stopFollowing();
    const host = await LedgerHost.open(config, { ...foundation, chain: [...chain] }, held, post).catch(
      (error: unknown) => {
        // The database has confirmed who writes; what is wrong now is for a new start to say.
        throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
      },
    );
    host.listen(this.#isListening);
    this.#host = host;
    post({ status: host.status() });
    await standby[Symbol.asyncDispose]();
  }
}
