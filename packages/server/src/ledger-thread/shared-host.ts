/**
 * One of several servers on one database: writes the log while it has the lease, and follows it while another one has.
 *
 * A server that loses the log ends its process, so that it starts anew as one that follows: nothing of what it thought to
 * be the newest outlives that.
 */
import { hostname } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { LedgerError, type PostgresTrouble, StoreLocked, StoreUnavailable } from '@tallystick/ledger';
import { HeldLease, LeaseWatch, leaseTimes, PostgresStore } from '@tallystick/ledger/postgres';
import type { ServerConfig } from '../config.ts';
import { holder, holdPostgres, postgresOptions } from '../setup/store-place.ts';
import { clearFoundation, type Foundation, layFoundation } from './foundation.ts';
import type { Gatekeeper } from './gate/gatekeeper.ts';
import type { Host } from './host.ts';
import { die, LedgerHost } from './ledger-host.ts';
import type { FromLedger, LedgerStatus } from './messages.ts';
import type { LedgerService } from './service.ts';
import { StandbyHost } from './standby-host.ts';

const clock = { monotonic: () => performance.now(), now: () => Date.now() };

type LeaseState = Awaited<ReturnType<LeaseWatch['look']>>;

export class SharedHost implements Host {
  readonly #config: ServerConfig;
  readonly #foundation: Foundation;
  readonly #watch: LeaseWatch;
  readonly #post: (message: FromLedger) => void;
  /** Who answers; null before the first. */
  #host: LedgerHost | StandbyHost | null = null;
  /** Where the server is that writes. */
  #writer = '';
  #isListening = false;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(config: ServerConfig, foundation: Foundation, post: (message: FromLedger) => void) {
    this.#config = config;
    this.#foundation = foundation;
    this.#watch = new LeaseWatch(postgresOptions(config), leaseTimes, clock.monotonic);
    this.#post = post;
  }

  /** Resolves when this server writes the log or follows it. Rejects with a sentence for the operator. */
  static async open(config: ServerConfig, post: (message: FromLedger) => void): Promise<SharedHost> {
    const shared = new SharedHost(config, await layFoundation(config), post);
    await shared.#begin();
    shared.#running = shared.#watchLease();
    return shared;
  }

  get service(): LedgerService {
    return this.#current.service;
  }

  get gatekeeper(): Gatekeeper {
    return this.#current.gatekeeper;
  }

  get isCurrent(): boolean {
    return this.#current.isCurrent;
  }

  status(): LedgerStatus {
    return this.#current.status();
  }

  listen(isListening: boolean): void {
    this.#isListening = isListening;
    this.#current.listen(isListening);
  }

  alarm(error: unknown): void {
    this.#current.alarm(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#watch[Symbol.asyncDispose]();
    const host = this.#host;
    await host?.[Symbol.asyncDispose]();
    if (host instanceof StandbyHost) await clearFoundation(this.#foundation);
  }

  get #current(): Host {
    if (this.#host === null) throw new Error('the server is not ready');
    return this.#host;
  }

  /** Follows before it writes: while a long log is read and hashed nobody beats, and the next one would take it over. */
  async #begin(): Promise<void> {
    while (this.#host === null) {
      const state = await this.#watch.look();
      this.#writer = state.address;
      const unsound = await this.#follow();
      if (this.#host !== null) return;
      // Whoever writes a log that is not sound serves what can be served of it, and says why.
      if (state.isFree && (await this.#takeOver(state))) return;
      if (unsound !== null) throw unsound;
      await after(leaseTimes.beatMs);
    }
  }

  async #watchLease(): Promise<void> {
    while (!this.#isStopped && this.#host instanceof StandbyHost) {
      await after(leaseTimes.beatMs);
      // What the database does not answer now is asked again; following says what is wrong.
      const state = await this.#watch.look().catch(() => null);
      if (state === null || this.#isStopped) continue;
      this.#writer = state.address;
      if (state.isFree) await this.#takeOver(state);
    }
  }

  /**
   * Where nothing is published yet there is nothing to follow: whoever writes is waited for. Returns what keeps a log from
   * being followed that is not sound.
   */
  async #follow(): Promise<LedgerError | null> {
    const store = await PostgresStore.read(postgresOptions(this.#config));
    try {
      const writer = (): string => this.#writer || 'another server';
      this.#host = await StandbyHost.open(this.#config, this.#foundation, { store, writer }, this.#post);
      return null;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      if (!(error instanceof LedgerError)) throw error;
      return error.problem === 'not_published_yet' ? null : error;
    }
  }

  /** False where another server was faster, the signer is away, or the database does not let anybody write. */
  async #takeOver(state: LeaseState): Promise<boolean> {
    // Before anything is taken: without its signer this server could but keep others from writing, and end.
    if (!(await this.#hasSigner())) return false;
    const held = await this.#hold(state);
    if (held === null) return false;
    const standby = this.#host instanceof StandbyHost ? this.#host : null;
    try {
      const { store, lease, onTrouble } = held;
      const known = standby === null ? { trust: this.#foundation.chain } : await standby.stopFollowing();
      const { trust: chain, ...memory } = known;
      const shared = {
        ...memory,
        chain,
        lease,
        signed: await store.signed(),
        saveSigned: (signed: { size: number; note: string }) => store.saveSigned(signed),
      };
      const host = await LedgerHost.open(
        this.#config,
        this.#foundation,
        { store, onTrouble, shared },
        this.#post,
      );
      host.listen(this.#isListening);
      this.#host = host;
      this.#post({ status: host.status() });
    } catch (error) {
      // It has the log and cannot write it: whoever can takes over.
      await held.lease[Symbol.asyncDispose]();
      die(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    await standby?.[Symbol.asyncDispose]();
    return true;
  }

  async #hasSigner(): Promise<boolean> {
    return this.#foundation.signer.hello().then(
      () => true,
      () => false,
    );
  }

  async #hold({ epoch, isLeft }: LeaseState): Promise<{
    store: PostgresStore;
    lease: HeldLease;
    onTrouble: (listener: (trouble: PostgresTrouble | null) => void) => void;
  } | null> {
    // Told before there is anybody to tell: whoever opens the store hears of it from that alone.
    let listener: (trouble: PostgresTrouble | null) => void = () => {};
    const name = holder();
    try {
      const store = await holdPostgres(this.#config, {
        limits: this.#config.databaseTimes,
        holder: name,
        takeOver: { epoch, isLeft },
        address: this.#config.shared?.address ?? hostname(),
        onTrouble: (trouble) => listener(trouble),
      });
      const lease = new HeldLease({ ...postgresOptions(this.#config), holder: name }, leaseTimes, clock);
      const onTrouble = (heard: typeof listener): void => {
        listener = heard;
      };
      return { store, lease, onTrouble };
    } catch (error) {
      if (error instanceof StoreLocked || error instanceof StoreUnavailable) return null;
      throw error;
    }
  }
}
