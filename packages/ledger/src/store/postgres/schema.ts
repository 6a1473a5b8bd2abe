/**
 * Tables of a store in PostgreSQL, and the statements that write them.
 *
 * Each table is keyed by log index, as in SQLite. The fence is the one row that every write compares: who may write, and
 * how long the log is.
 */
import { unknownSubjectPrefix } from '../../unknown-subject.ts';
import { strayRowsSql } from '../stray-rows.ts';

/** Of the tables. Whoever opens a store of format 1 for writing brings it to this one; another one is refused. */
export const schemaFormat = 2;
export const formatBefore = 1;

export function unknownFormat(format: string): string {
  return `the store has format ${format}, which this version does not know: use the version that wrote it, or a newer one`;
}

export interface PostgresStatements {
  create: string;
  /** Brings a store of the format before to this one, in a transaction that holds the fence. */
  bring: string;
  drop: string;
  exists: string;
  append: string;
  saveCheckpoint: string;
  saveSigned: string;
  shred: string;
  vacuum: string;
  /** Keeps the fence until the transaction ends, which waits for others for as long as it takes. */
  holdFence: string;
  restore: string;
  /** Has the fence say how many rows there are. */
  recount: string;
  fence: string;
  /** Locks the fence, so that the size that is read next is the newest. */
  lockFence: string;
  takeOver: string;
  confirm: string;
  /** Of whoever has the store open for writing. */
  tryLock: string;
  waitLock: string;
  unlock: string;
  size: string;
  leaves: string;
  entries: string;
  entryBytes: string;
  causes: string;
  /** The same in a store of the format before. */
  causesBefore: string;
  strayRows: string;
  checkpoint: string;
  signed: string;
  /** Who has the lease: see `Lease`. */
  lease: string;
  beat: string;
  takeLease: string;
  leaveLease: string;
}

/** @param schema a name that needs no quotes */
export function statementsOf(schema: string): PostgresStatements {
  const s = `"${schema}"`;
  return {
    create: createStatements(s, schema),
    bring: `${signedRequests(s)}; UPDATE ${s}.fence SET format = ${schemaFormat}`,
    exists: `SELECT to_regclass('${s}.fence') IS NOT NULL AS there`,
    drop: `DROP SCHEMA ${s} CASCADE`,
    ...writes(s),
    ...repairs(s),
    ...fences(s),
    ...reads(s),
    ...leases(s),
  };
}

function signedRequests(s: string): string {
  return `CREATE TABLE IF NOT EXISTS ${s}.signed_requests (idx bigint PRIMARY KEY, salt bytea NOT NULL, request bytea NOT NULL)`;
}

function createStatements(s: string, schema: string): string {
  return `
    BEGIN;
    CREATE SCHEMA ${s};
    CREATE TABLE ${s}.fence (
      one boolean PRIMARY KEY DEFAULT true CHECK (one), format integer NOT NULL,
      epoch bigint NOT NULL, holder text NOT NULL, size bigint NOT NULL, beats bigint NOT NULL
    ) WITH (fillfactor = 10);
    CREATE TABLE ${s}.leaves (idx bigint PRIMARY KEY, leaf bytea NOT NULL, subject bytea, rev bigint NOT NULL);
    CREATE TABLE ${s}.entries (idx bigint PRIMARY KEY, entry bytea NOT NULL);
    CREATE TABLE ${s}.contents (
      idx bigint PRIMARY KEY, id text NOT NULL, salt bytea, document bytea,
      companion_salt bytea, companion bytea, cause bigint NOT NULL
    );
    CREATE TABLE ${s}.causes (
      idx bigint PRIMARY KEY, records bigint NOT NULL, salt bytea NOT NULL, document bytea NOT NULL
    );
    ${signedRequests(s)};
    CREATE TABLE ${s}.checkpoints (size bigint PRIMARY KEY, note text NOT NULL, at text NOT NULL);
    CREATE TABLE ${s}.signed (one boolean PRIMARY KEY DEFAULT true CHECK (one), size bigint NOT NULL, note text NOT NULL);
    CREATE TABLE ${s}.lease (
      one boolean PRIMARY KEY DEFAULT true CHECK (one), holder text NOT NULL, address text NOT NULL, beats bigint NOT NULL
    ) WITH (fillfactor = 10);
    INSERT INTO ${s}.lease (holder, address, beats) VALUES ('', '', 0);
    INSERT INTO ${s}.fence (format, epoch, holder, size, beats) VALUES (${schemaFormat}, 0, '', 0, 0);
    COMMENT ON SCHEMA ${s} IS 'A Tallystick log (${schema}): rows are only added. See the fence before you change any.';
    COMMIT`;
}

/** Parameters: epoch and holder, as this process holds them, then what is written. */
function writes(
  s: string,
): Pick<PostgresStatements, 'append' | 'saveCheckpoint' | 'saveSigned' | 'shred' | 'vacuum'> {
  const held = `SELECT true AS held FROM ${s}.fence WHERE epoch = $1 AND holder = $2 FOR SHARE`;
  return {
    append: `
      WITH held AS (
        UPDATE ${s}.fence SET size = size + $4
         WHERE epoch = $1 AND holder = $2 AND size = $3
           AND ($5::text IS NULL OR current_setting('synchronous_standby_names') = $5)
        RETURNING true AS held
      ), l AS (
        INSERT INTO ${s}.leaves
        SELECT g.* FROM held, unnest($6::bigint[], $7::bytea[], $8::bytea[], $9::bigint[]) AS g
      ), e AS (
        INSERT INTO ${s}.entries SELECT g.* FROM held, unnest($6::bigint[], $10::bytea[]) AS g
      ), c AS (
        INSERT INTO ${s}.contents
        SELECT g.* FROM held, unnest($11::bigint[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bytea[],
                                     $17::bigint[]) AS g
      ), k AS (
        INSERT INTO ${s}.causes
        SELECT g.* FROM held, unnest($18::bigint[], $19::bigint[], $20::bytea[], $21::bytea[]) AS g
      ), r AS (
        INSERT INTO ${s}.signed_requests
        SELECT g.* FROM held, unnest($22::bigint[], $23::bytea[], $24::bytea[]) AS g
      )
      SELECT held FROM held`,
    saveCheckpoint: `
      WITH held AS (${held}), saved AS (
        INSERT INTO ${s}.checkpoints SELECT $3, $4, $5 FROM held
        ON CONFLICT (size) DO UPDATE SET note = excluded.note, at = excluded.at
      )
      SELECT held FROM held`,
    saveSigned: `
      WITH held AS (${held}), saved AS (
        INSERT INTO ${s}.signed (size, note) SELECT $3, $4 FROM held
        ON CONFLICT (one) DO UPDATE SET size = excluded.size, note = excluded.note
      )
      SELECT held FROM held`,
    shred: `
      WITH held AS (${held}), gone AS (
        UPDATE ${s}.contents SET salt = NULL, document = NULL, companion_salt = NULL, companion = NULL
          FROM held WHERE idx = ANY ($3::bigint[])
      ), unsaid AS (
        DELETE FROM ${s}.signed_requests USING held
         WHERE idx IN (SELECT cause FROM ${s}.contents WHERE idx = ANY ($3::bigint[]))
      )
      SELECT held FROM held`,
    vacuum: `VACUUM ${s}.contents, ${s}.signed_requests`,
  };
}

/** In one transaction, behind `holdFence`. Fewer rows than were given mean that something in the database keeps them out. */
function repairs(s: string): Pick<PostgresStatements, 'holdFence' | 'restore' | 'recount'> {
  return {
    holdFence: `
      SELECT set_config('idle_in_transaction_session_timeout', '0', true) FROM ${s}.fence
       WHERE epoch = $1 AND holder = $2 AND ($3::text IS NULL OR current_setting('synchronous_standby_names') = $3)
         FOR UPDATE`,
    restore: `
      WITH l AS (
        INSERT INTO ${s}.leaves
        SELECT g.* FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[]) AS g
        ON CONFLICT (idx) DO UPDATE SET leaf = excluded.leaf, subject = excluded.subject, rev = excluded.rev
        RETURNING idx
      ), e AS (
        INSERT INTO ${s}.entries SELECT g.* FROM unnest($1::bigint[], $5::bytea[]) AS g
        ON CONFLICT (idx) DO UPDATE SET entry = excluded.entry
        RETURNING idx
      ), c AS (
        INSERT INTO ${s}.contents
        SELECT g.* FROM unnest($6::bigint[], $7::text[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[],
                               $12::bigint[]) AS g
        ON CONFLICT (idx) DO UPDATE
        SET (id, salt, document, companion_salt, companion, cause) =
          (excluded.id, excluded.salt, excluded.document, excluded.companion_salt, excluded.companion, excluded.cause)
        WHERE excluded.document IS NOT NULL OR contents.id LIKE '${unknownSubjectPrefix}%'
      ), b AS (
        INSERT INTO ${s}.causes
        SELECT g.* FROM unnest($13::bigint[], $14::bigint[], $15::bytea[], $16::bytea[]) AS g
        ON CONFLICT (idx) DO UPDATE SET records = excluded.records, salt = excluded.salt, document = excluded.document
      ), r AS (
        INSERT INTO ${s}.signed_requests SELECT g.* FROM unnest($17::bigint[], $18::bytea[], $19::bytea[]) AS g
        ON CONFLICT (idx) DO UPDATE SET salt = excluded.salt, request = excluded.request
      ), n AS (
        DELETE FROM ${s}.signed_requests WHERE idx = ANY ($20::bigint[])
      )
      SELECT l.idx FROM l JOIN e ON e.idx = l.idx`,
    recount: `UPDATE ${s}.fence SET size = (SELECT coalesce(max(idx) + 1, 0) FROM ${s}.leaves) RETURNING size`,
  };
}

/** Who may write, and under which settings. */
function fences(
  s: string,
): Pick<
  PostgresStatements,
  'fence' | 'lockFence' | 'takeOver' | 'tryLock' | 'waitLock' | 'unlock' | 'confirm'
> {
  const lock = `hashtext('tallystick'), hashtext('${s}')`;
  return {
    fence: `SELECT format, epoch, holder, size FROM ${s}.fence`,
    lockFence: `SELECT format, epoch, holder FROM ${s}.fence FOR UPDATE`,
    takeOver: `
      UPDATE ${s}.fence SET epoch = $1, holder = $2, beats = beats + 1,
             size = (SELECT coalesce(max(idx) + 1, 0) FROM ${s}.leaves)
      RETURNING size`,
    tryLock: `SELECT pg_try_advisory_lock(${lock}) AS free`,
    waitLock: `SELECT pg_advisory_lock(${lock})`,
    unlock: 'SELECT pg_advisory_unlock_all()',
    confirm: `
      SELECT current_setting('synchronous_standby_names') AS list, current_setting('synchronous_commit') AS commit,
             current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages,
             pg_is_in_recovery() AS standby`,
  };
}

function reads(
  s: string,
): Pick<
  PostgresStatements,
  | 'size'
  | 'leaves'
  | 'entries'
  | 'entryBytes'
  | 'causes'
  | 'causesBefore'
  | 'strayRows'
  | 'checkpoint'
  | 'signed'
> {
  const range = 'l.idx >= $1 AND l.idx < $2 ORDER BY l.idx LIMIT $3';
  return {
    size: `SELECT coalesce(max(idx) + 1, 0) AS size FROM ${s}.leaves`,
    leaves: `SELECT l.idx, l.leaf, l.subject, l.rev FROM ${s}.leaves l WHERE ${range}`,
    entries: `
      SELECT l.idx, l.leaf, l.subject, l.rev, e.entry, c.id, c.salt, c.document, c.companion_salt, c.companion, c.cause
        FROM ${s}.leaves l LEFT JOIN ${s}.entries e ON e.idx = l.idx LEFT JOIN ${s}.contents c ON c.idx = l.idx
       WHERE ${range}`,
    entryBytes: `SELECT e.entry FROM ${s}.leaves l LEFT JOIN ${s}.entries e ON e.idx = l.idx WHERE ${range}`,
    causes: `
      SELECT c.idx, c.records, c.salt, c.document, r.salt AS request_salt, r.request
        FROM ${s}.causes c LEFT JOIN ${s}.signed_requests r ON r.idx = c.idx
       WHERE c.idx >= $1 AND c.idx < $2 ORDER BY c.idx`,
    causesBefore: `
      SELECT idx, records, salt, document, NULL AS request_salt, NULL AS request FROM ${s}.causes
       WHERE idx >= $1 AND idx < $2 ORDER BY idx`,
    strayRows: strayRowsSql(`${s}.`),
    signed: `SELECT size, note FROM ${s}.signed`,
    checkpoint: `SELECT size, note, at FROM ${s}.checkpoints WHERE size <= $1 ORDER BY size DESC LIMIT 1`,
  };
}

/** Of the lease. What is lost of it in a crash costs nothing but time, so nobody waits for its commits. */
function leases(s: string): Pick<PostgresStatements, 'lease' | 'beat' | 'takeLease' | 'leaveLease'> {
  return {
    lease: `
      SELECT l.holder, l.address, l.beats, f.epoch, f.holder AS writer FROM ${s}.lease l CROSS JOIN ${s}.fence f`,
    beat: `UPDATE ${s}.lease SET beats = beats + 1 WHERE holder = $1 RETURNING beats`,
    takeLease: `UPDATE ${s}.lease SET holder = $1, address = $2, beats = beats + 1`,
    leaveLease: `UPDATE ${s}.lease SET holder = '', beats = beats + 1 WHERE holder = $1`,
  };
}
