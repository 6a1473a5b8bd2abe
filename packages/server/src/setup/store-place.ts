/** Where a log is kept, a file or PostgreSQL, and how it is opened there. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  type MendableStore,
  type PostgresOptions,
  type PostgresStore,
  type PostgresWriterOptions,
  SqliteStore,
  type Store,
} from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { readDatabasePasswordFile } from '@tallystick/signer/passphrase-file';
import { writeWhole } from '../write-whole.ts';
import type { SystemDescription } from './create-system.ts';
import type { Layout } from './layout.ts';
import { readSystemFile } from './system-file.ts';

export interface StorePlace {
  /** Path of a file of SQLite, or the URL of a database. */
  store: string;
  /** File with the password of the database, mode 0600; without one PGPASSWORD and ~/.pgpass count. */
  storePasswordFile?: string | undefined;
}

export function storePlaceOf(layout: Layout, system: SystemDescription): StorePlace {
  return system.store ?? { store: layout.ledger.store };
}

/** Opens it for reading, also beside a server. */
export async function readStore(place: StorePlace): Promise<MendableStore> {
  if (isPostgresUrl(place.store)) return (await driver()).read(postgresOptions(place));
  return SqliteStore.open(place.store, { readOnly: true });
}

/** Opens it for writing; throws StoreLocked while a server has it. */
export async function holdStore(place: StorePlace): Promise<MendableStore> {
  return isPostgresUrl(place.store) ? holdPostgres(place) : SqliteStore.open(place.store);
}

/** Makes an empty one; throws where there is one. */
export async function makeStore(place: StorePlace): Promise<Store> {
  if (!isPostgresUrl(place.store)) return SqliteStore.create(place.store);
  return (await driver()).create({ ...postgresOptions(place), holder: holder() });
}

/** As `holdStore`, of a database, with further options. */
export async function holdPostgres(
  place: StorePlace,
  options: Partial<PostgresWriterOptions> = {},
): Promise<PostgresStore> {
  return (await driver()).open({ ...postgresOptions(place), holder: holder(), ...options });
}

/** Takes back what `makeStore` made. */
export async function dropStore(place: StorePlace): Promise<void> {
  if (isPostgresUrl(place.store)) await (await driver()).drop(postgresOptions(place));
}

/** Whether there is a store. */
export async function isStoreThere(place: StorePlace): Promise<boolean> {
  if (!isPostgresUrl(place.store)) return existsSync(place.store);
  return (await driver()).exists(postgresOptions(place));
}

/** Loaded where a log is in a database, and nowhere else. */
async function driver(): Promise<typeof PostgresStore> {
  return (await import('@tallystick/ledger/postgres')).PostgresStore;
}

/** From now on the system's log is there. On disk before it returns. */
export function moveSystem(layout: Layout, place: StorePlace): void {
  const { store: _, ...system } = readSystemFile(layout);
  const moved = place.store === layout.ledger.store ? system : { ...system, store: resolvedPlace(place) };
  writeWhole(layout.system, `${JSON.stringify(moved, null, 2)}\n`);
}

/** With paths that mean the same from every folder. */
export function resolvedPlace({ store, storePasswordFile }: StorePlace): StorePlace {
  return {
    store: isPostgresUrl(store) ? store : resolve(store),
    ...(storePasswordFile !== undefined && { storePasswordFile: resolve(storePasswordFile) }),
  };
}

/** Throws KeystoreError for a password file that others can read. */
export function postgresOptions({ store: url, storePasswordFile }: StorePlace): PostgresOptions {
  if (storePasswordFile === undefined) return { url };
  return { url, password: readDatabasePasswordFile(storePasswordFile) };
}

/** Where, who, and which time: for people who find that they were fenced. */
export function holder(): string {
  return `${hostname()}, process ${process.pid}, ${randomUUID()}`;
}
