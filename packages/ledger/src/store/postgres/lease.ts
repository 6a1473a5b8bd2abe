/**
 * Which of several servers lives: the one that writes beats, and the others watch.
 *
 * The lease decides nothing. It only tells when to try to take over; the fence decides, and an append by whoever lost it
 * does nothing. No clock is compared with another one: a watcher measures with its own how long no beat came, and a
 * writer with its own how long ago it sent the last one that arrived.
 */
import { Client } from 'pg';
import { clientConfig, readFailure, type Target } from './connection.ts';
import { type PostgresOptions, targetOf } from './options.ts';
import { type PostgresStatements, statementsOf } from './schema.ts';

export interface LeaseTimes {
  /** Milliseconds without a beat after which the writer is taken to be gone. */
  leaseMs: number;
  /** Milliseconds between two beats, and between two looks. */
  beatMs: number;
}

export const leaseTimes: LeaseTimes = { leaseMs: 2000, beatMs: 300 };

/** Milliseconds that only run. */
type Monotonic = () => number;

export interface LeaseClock {
  monotonic: Monotonic;
  /** Milliseconds of the day's time: it goes on while a machine sleeps. */
  now: () => number;
}

/** What a look at the lease found. */
export interface LeaseState {
  /** Address of the server that writes; '' where none said. */
  address: string;
  /** Of the fence: what to take over. */
  epoch: number;
  /** True where nobody writes: it was left, or no beat has come for as long as `leaseMs`. */
  isFree: boolean;
  /** True where nobody has it. */
  isLeft: boolean;
}

/** A connection that is made anew when it is needed. Statements give up before the lease does. */
class Line {
  readonly #target: Target;
  #client: Client | null = null;

  constructor(options: PostgresOptions, { leaseMs }: LeaseTimes) {
    const timeoutMs = Math.floor(leaseMs / 2);
    this.#target = targetOf({ ...options, limits: { connectMs: timeoutMs, statementMs: timeoutMs } });
  }

  get statements(): PostgresStatements {
    return statementsOf(this.#target.place.schema);
  }

  /** Throws StoreUnavailable. */
  async query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    try {
      const client = await this.#connected();
      return (await client.query<Record<string, unknown>>(text, values)).rows;
    } catch (error) {
      this.drop();
      throw readFailure(error);
    }
  }

  drop(): void {
    const client = this.#client;
    this.#client = null;
    client?.end().catch(() => {});
  }

  async #connected(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const config = clientConfig(this.#target, 'write');
    const client = new Client({ ...config, options: `${config.options} -c synchronous_commit=off` });
    client.on('error', () => {
      if (this.#client === client) this.#client = null;
    });
    await client.connect();
    this.#client = client;
    return client;
  }
}

/** Beats for the server that writes. */
export class HeldLease implements AsyncDisposable {
  readonly #line: Line;
  readonly #holder: string;
  readonly #times: LeaseTimes;
  readonly #clock: LeaseClock;
  /** When the newest beat that arrived was sent; null once another server has the lease. */
  #beatAt: { monotonic: number; now: number } | null;
  #isOffered = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** @param holder of the store that was just opened, and took the lease */
  constructor(options: PostgresOptions & { holder: string }, times: LeaseTimes, clock: LeaseClock) {
    this.#line = new Line(options, times);
    this.#holder = options.holder;
    this.#times = times;
    this.#clock = clock;
    this.#beatAt = this.#readClock();
    this.#schedule();
  }

  /** False once others may have taken over: what this server then knows may not be the newest. */
  get isHeld(): boolean {
    if (this.#beatAt === null) return false;
    const { leaseMs } = this.#times;
    const { monotonic, now } = this.#readClock();
    return monotonic - this.#beatAt.monotonic < leaseMs && now - this.#beatAt.now < leaseMs;
  }

  /** Beats no more, so that another server may take over; goes on looking whether one did, and keeps it until then. */
  offer(): void {
    this.#isOffered = true;
  }

  /** Leaves it, so that another server takes over at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
    await this.#line.query(this.#line.statements.leaveLease, [this.#holder]).catch(() => []);
    this.#line.drop();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#beat().finally(() => this.#schedule());
    }, this.#times.beatMs);
  }

  async #beat(): Promise<void> {
    const sentAt = this.#readClock();
    try {
      this.#beatAt = (await this.#isOurs()) ? sentAt : null;
    } catch {
      // Until the next one. Where none arrives any more, `isHeld` says so.
    }
  }

  async #isOurs(): Promise<boolean> {
    const { beat, lease } = this.#line.statements;
    if (!this.#isOffered) return (await this.#line.query(beat, [this.#holder])).length > 0;
    const [row] = await this.#line.query(lease);
    return row?.writer === this.#holder;
  }

  #readClock(): { monotonic: number; now: number } {
    return { monotonic: this.#clock.monotonic(), now: this.#clock.now() };
  }
}

/** Watches for the server that writes to be gone. */
export class LeaseWatch implements AsyncDisposable {
  readonly #line: Line;
  readonly #times: LeaseTimes;
  readonly #monotonic: Monotonic;
  /** The newest beat, and since when nothing else was seen while the database answered. */
  #seen: { beats: number; since: number } | null = null;

  constructor(options: PostgresOptions, times: LeaseTimes, monotonic: Monotonic) {
    this.#line = new Line(options, times);
    this.#times = times;
    this.#monotonic = monotonic;
  }

  /** Looks once; call it every `beatMs`. Throws StoreUnavailable. */
  async look(): Promise<LeaseState> {
    try {
      const [row] = await this.#line.query(this.#line.statements.lease);
      const { holder, address, beats, epoch } = row as unknown as {
        holder: string;
        address: string;
        beats: number;
        epoch: number;
      };
      const now = this.#monotonic();
      if (this.#seen?.beats !== beats) this.#seen = { beats, since: now };
      const isSilent = now - this.#seen.since >= this.#times.leaseMs;
      const isLeft = holder === '';
      return { address, epoch, isFree: isLeft || isSilent, isLeft };
    } catch (error) {
      // While the database was away nobody could beat: whoever did before gets as long again.
      this.#seen = null;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#line.drop();
  }
}
