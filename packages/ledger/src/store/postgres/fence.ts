/**
 * The right to write, and what is known to be committed.
 *
 * Nobody trusts what a connection shows before a barrier: a new epoch in the fence, committed with everything that
 * commits wait for. Behind it the log's end is known, because all that came before is acknowledged with it, and because
 * no statement of an earlier epoch, wherever it still lingers, finds its fence again.
 */
import { setTimeout as after } from 'node:timers/promises';
import { StoreFenced, StoreLocked, StoreUnavailable } from '../store.ts';
import { type Target, textOf, writeFailure } from './connection.ts';
import { type DurabilitySettings, demandDurability } from './durability.ts';
import { formatBefore, type PostgresStatements, schemaFormat, unknownFormat } from './schema.ts';
import { Session } from './session.ts';

/** A session behind a barrier. */
export interface Held {
  session: Session;
  epoch: number;
  /** Number of entries that are acknowledged. */
  size: number;
  /** synchronous_standby_names, under which that is so. */
  list: string;
}

export interface FenceOptions {
  target: Target;
  statements: PostgresStatements;
  /** Who writes: another text for every store that is opened. */
  holder: string;
  /** The epoch that is taken over, and no other; null takes over whatever there is. */
  from: number | null;
  /** Where the lease says that this store's server is found; null where no lease is taken. */
  address: string | null;
}

const retryMs = 250;
/** SQLSTATEs: no such schema, no such table. */
const noStore = /^(?:3F000|42P01)$/;

export class Fence {
  readonly #options: FenceOptions;
  /** null before the first barrier. */
  #epoch: number | null = null;
  /** Whether PostgreSQL answered at the last try. */
  #isReached = false;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /**
   * Takes the fence, or keeps it where it was taken before. Throws StoreFenced where somebody else has taken it since,
   * and StoreUnavailable.
   */
  async barrier(): Promise<Held> {
    const { target } = this.#options;
    const session = await Session.connect(target);
    this.#isReached = true;
    try {
      return await this.#pass(session);
    } catch (error) {
      session.destroy();
      throw error instanceof StoreFenced ? error : barrierFailure(error);
    }
  }

  /**
   * The same, tried again until it succeeds. Gives up where PostgreSQL cannot be reached for `ms`, and when it is told
   * to stop; while it answers and merely finds no standbys, readers are served, and giving up would end that.
   */
  async barrierWithin(ms: number, stop: AbortSignal): Promise<Held> {
    let deadline = AbortSignal.timeout(ms);
    for (;;) {
      this.#isReached = false;
      try {
        return await this.barrier();
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || stop.aborted) throw error;
        if (this.#isReached) deadline = AbortSignal.timeout(ms);
        else if (deadline.aborted) throw error;
      }
      await after(retryMs);
    }
  }

  async #pass(session: Session): Promise<Held> {
    const { statements, holder, target, from, address } = this.#options;
    const { durability } = target.place;
    demandDurability(await settingsOf(session, statements), durability);
    await session.query('BEGIN');
    const [found] = await session.query(statements.lockFence);
    if (found === undefined) throw new StoreUnavailable('the fence of the store is gone: restore it', false);
    const { format, epoch: last, holder: holds } = found as { format: string; epoch: number; holder: string };
    if (Number(format) === formatBefore) await session.query(statements.bring);
    else if (Number(format) !== schemaFormat) throw new StoreUnavailable(unknownFormat(format), false);
    // A barrier whose own outcome stayed unknown may have raised the epoch of this holder.
    if (this.#epoch !== null && holds !== holder) throw fenced(holds, last);
    // Two servers that both find a third one gone: the second of them finds the first.
    if (this.#epoch === null && from !== null && from !== last)
      throw new StoreLocked(`another server (${holds}) took the store over first`);
    const epoch = last + 1;
    const [taken] = await session.query({ text: statements.takeOver, values: [epoch, holder] });
    if (address !== null) await session.query({ text: statements.takeLease, values: [holder, address] });
    await session.query('COMMIT');
    session.needConfirmed();
    const settings = await settingsOf(session, statements);
    demandDurability(settings, durability);
    this.#epoch = epoch;
    return { session, epoch, size: (taken as { size: number }).size, list: settings.list };
  }
}

export function fenced(holder: string, epoch: number): StoreFenced {
  return new StoreFenced(
    `another server (${holder}) has taken the store over with epoch ${epoch}: this one has stopped for good`,
  );
}

export async function settingsOf(
  session: Session,
  statements: PostgresStatements,
): Promise<DurabilitySettings> {
  const [row] = await session.query({ name: 'confirm', text: statements.confirm });
  return row as unknown as DurabilitySettings;
}

function barrierFailure(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const code = (error as { code?: string }).code ?? '';
  if (noStore.test(code))
    return new StoreUnavailable('there is no store in this schema: make one, or name another', false);
  const { cause } = writeFailure(error);
  return new StoreUnavailable(
    `PostgreSQL did not confirm who may write (${textOf(cause)}): see whether its standbys are connected`,
    false,
    { cause },
  );
}
