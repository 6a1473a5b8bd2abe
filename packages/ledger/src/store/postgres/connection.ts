/** How connections to PostgreSQL are made, and what their errors say. */
import { type ClientConfig, DatabaseError, type QueryResult } from 'pg';
import { StoreUnavailable } from '../store.ts';
import type { PostgresPlace } from './postgres-url.ts';

/** Milliseconds. */
export interface PostgresLimits {
  /** Until a connection stands. */
  connectMs: number;
  /** Until a statement is answered: for a write that is the wait for standbys, too. */
  statementMs: number;
  /** For how long PostgreSQL may be away before the outcome of a write is given up. */
  recoverMs: number;
  /** Between two looks at settings and fence. */
  watchMs: number;
}

export const postgresLimits: PostgresLimits = {
  connectMs: 5000,
  statementMs: 15_000,
  recoverMs: 60_000,
  watchMs: 3000,
};

export interface Target {
  place: PostgresPlace;
  /** Left out, pg looks at PGPASSWORD and ~/.pgpass. */
  password: string | undefined;
  limits: PostgresLimits;
}

const bigintOid = 20;
const byteaOid = 17;
const booleanOid = 16;

/** Values as the store has them: numbers, and bytes that own their memory. */
const types = {
  getTypeParser(oid: number): (text: string) => unknown {
    if (oid === bigintOid) return Number;
    if (oid === byteaOid) return (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'));
    if (oid === booleanOid) return (text) => text === 't';
    return (text) => text;
  },
};

/**
 * @param use `write` asks for commits that wait for standbys; `read` allows no change. Either notices within half a
 * minute that the other side is gone.
 */
export function clientConfig({ place, password, limits }: Target, use: 'write' | 'read'): ClientConfig {
  const { host, port, database, user, ssl } = place;
  // They go before those of the role and the database.
  const settings = [
    'client_min_messages=warning',
    'bytea_output=hex',
    'search_path=pg_catalog',
    'default_transaction_isolation=read\\ committed',
    'tcp_keepalives_idle=10',
    'tcp_keepalives_interval=5',
    'tcp_keepalives_count=3',
    'synchronous_commit=on',
    `default_transaction_read_only=${use === 'write' ? 'off' : 'on'}`,
  ];
  return {
    host,
    port,
    database,
    ssl,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    application_name: `tallystick-${use}`,
    options: settings.map((setting) => `-c ${setting}`).join(' '),
    types,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.statementMs,
    statement_timeout: limits.statementMs,
    lock_timeout: limits.statementMs,
    idle_in_transaction_session_timeout: limits.statementMs,
  };
}

export type Rows = QueryResult<Record<string, unknown>>['rows'];

/**
 * SQLSTATEs of statements that were refused before their commit, so that nothing of them is there: data, constraints,
 * transaction state, rights, resources, limits, object state, cancellation, serialization.
 */
const refusedBeforeCommit = /^(?:2[235]|42|5[345]|57014|40001|40P01)/;

/** What pg says where it was given none. */
const passwordMissing = /client password must be a string/;

/** What went wrong with a write. Anything but a refusal leaves it open whether it is committed. */
export function writeFailure(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const isRefused = error instanceof DatabaseError && refusedBeforeCommit.test(error.code ?? '');
  const message = isRefused
    ? `PostgreSQL refused a write (${textOf(error)}), and nothing was changed`
    : `PostgreSQL did not confirm a write (${textOf(error)}), so that nobody knows whether it is committed: ask again ` +
      'under the same idempotency key';
  return new StoreUnavailable(message, !isRefused, { cause: error });
}

export function readFailure(error: unknown): StoreUnavailable {
  if (passwordMissing.test(textOf(error))) {
    const message =
      'PostgreSQL asks for a password, and there is none: name a file with it, or set PGPASSWORD or ~/.pgpass';
    return new StoreUnavailable(message, false, { cause: error });
  }
  return new StoreUnavailable(`PostgreSQL does not answer (${textOf(error)})`, false, { cause: error });
}

/** What is gone or was never there, in words; a connection to several addresses fails with one error for each. */
export function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
