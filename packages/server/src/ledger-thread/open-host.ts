/** Opens the log as the configuration says: alone, or as one of several servers. */
import { type PostgresTrouble, type Store, ThreadedStore } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import type { ServerConfig } from '../config.ts';
import { holdPostgres } from '../setup/store-place.ts';
import { layFoundation } from './foundation.ts';
import type { Host } from './host.ts';
import { LedgerHost } from './ledger-host.ts';
import type { FromLedger, WorkerData } from './messages.ts';

/** Rejects with a sentence for the operator where something that the ledger stands on is missing. */
export async function openHost(
  { config, isGateOpen }: WorkerData,
  post: (message: FromLedger) => void,
): Promise<Host> {
  if (config.shared !== undefined) {
    // With it comes the driver of the database, which nobody else waits for.
    const { SharedHost } = await import('./shared-host.ts');
    return SharedHost.open(config, post);
  }
  // Told before there is anybody to tell: whoever opens the store hears of it from that alone.
  let listener: (trouble: PostgresTrouble | null) => void = () => {};
  const onTrouble = (heard: typeof listener): void => {
    listener = heard;
  };
  // The lock on the store comes first: a second server must not get as far as asking the signer.
  const store = await openStore(config, (trouble) => listener(trouble));
  return LedgerHost.open(config, await layFoundation(config), { store, onTrouble, isGateOpen }, post);
}

/** The SQLite store has a thread that writes; a database is another process anyway. */
async function openStore(
  config: ServerConfig,
  onTrouble: (trouble: PostgresTrouble | null) => void,
): Promise<Store> {
  if (isPostgresUrl(config.store)) return holdPostgres(config, { limits: config.databaseTimes, onTrouble });
  return ThreadedStore.open(config.store, { synchronous: config.synchronous });
}
