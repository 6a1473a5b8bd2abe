/** What whoever opens a store in PostgreSQL says of it. */
import type { StoreFenced, StoreUnavailable } from '../store.ts';
import { type PostgresLimits, postgresLimits, type Target } from './connection.ts';
import { parsePostgresUrl } from './postgres-url.ts';

export interface PostgresOptions {
  /** As `parsePostgresUrl` takes it. */
  url: string;
  /** Left out, it is taken from PGPASSWORD or ~/.pgpass. */
  password?: string | undefined;
  limits?: Partial<PostgresLimits>;
}

export type PostgresTrouble = StoreFenced | StoreUnavailable;

export interface PostgresWriterOptions extends PostgresOptions {
  /** Who writes, for people to read where it fenced others; another text for every store that is opened. */
  holder: string;
  /**
   * Fences whoever has the store open, instead of refusing to open it; with an epoch, only who holds it under that one, and
   * otherwise throws StoreLocked. Where the lease is left, whoever has the store open all the same shares it with nobody, or
   * is about to close it: then StoreLocked as well.
   */
  takeOver?: boolean | { epoch: number; isLeft: boolean };
  /** Takes the lease, so that servers which watch it (see `Lease`) know that this one lives, and where it is. */
  address?: string;
  /** Told when nothing can be written any more and, with null, when it can again. */
  onTrouble?: (trouble: PostgresTrouble | null) => void;
}

/** Throws PostgresUrlError. */
export function targetOf({ url, password, limits }: PostgresOptions): Target {
  return { place: parsePostgresUrl(url), password, limits: { ...postgresLimits, ...limits } };
}
