/** Opens the log as the configuration says: alone, or as one of several servers. */
import { type PostgresTrouble, StoreUnavailable, ThreadedStore } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { holdPostgres } from '../setup/store-place.ts';
import { layFoundation } from './foundation.ts';
import type { Host } from './host.ts';
import { type HeldLog, LedgerHost } from './ledger-host.ts';
import type { FromLedger, WorkerData } from './messages.ts';

/** Rejects with a sentence for the operator where something that the ledger stands on is missing. */
export async function openHost(data: WorkerData, post: (message: FromLedger) => void): Promise<Host> {
  const { config } = data;
  if (config.shared !== undefined) {
    // With it comes the driver of the database, which nobody else waits for.
    const { SharedHost } = await import('./shared-host.ts');
    return SharedHost.open(config, post);
  }
  const hold = (): Promise<HeldLog> => holdLog(data);
  let held: HeldLog;
  try {
    // The lock on the store comes first: a second server must not get as far as asking the signer.
    held = await hold();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    const { WaitingHost } = await import('./waiting-host.ts');
    return WaitingHost.open(data, error, hold, post);
  }
  return LedgerHost.open(config, await layFoundation(config), held, post);
}

/** The SQLite store has a thread that writes; a database is another process anyway. */
async function holdLog({ config, isGateOpen }: WorkerData): Promise<HeldLog> {
  // Told before there is anybody to tell: whoever opens the store hears of it from that alone.
  let listener: (trouble: PostgresTrouble | null) => void = () => {};
  const onTrouble = (heard: typeof listener): void => {
    listener = heard;
  };
  const store = isPostgresUrl(config.store)
    ? await holdPostgres(config, {
        limits: config.databaseTimes,
        onTrouble: (trouble) => listener(trouble),
      })
    : await ThreadedStore.open(config.store, { synchronous: config.synchronous });
  return { store, onTrouble, isGateOpen };
}
