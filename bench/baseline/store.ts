import { randomBytes } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** SQLite's durability: `FULL` syncs the write-ahead log at every commit, `OFF` leaves it to the kernel. */
export type Synchronous = 'FULL' | 'OFF';

export interface IssuedLicense {
  readonly id: string;
  readonly token: string;
}

export interface NewLicense extends IssuedLicense {
  readonly customer: string;
  readonly plan: string;
  readonly seats: number;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What an idempotency key was used for: the request it came with, and the license it led to. */
export interface IdempotentReply extends IssuedLicense {
  readonly request: string;
}

/**
 * `idempotency.license` is no foreign key: its row comes first, which would need a deferred one, and settling a
 * deferred key makes SQLite scan the whole child table at every license.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS customers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS licenses (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customers (id),
    plan TEXT NOT NULL,
    seats INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    token TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    license TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
`;

/**
 * The tables of a hand-written license server. Every call is synchronous, so on one thread a transaction is
 * never interleaved with another request's.
 */
export class BaselineStore {
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #customer: StatementSync;
  readonly #reply: StatementSync;
  readonly #insertLicense: StatementSync;
  readonly #insertIdempotency: StatementSync;
  readonly #insertAudit: StatementSync;

  constructor(path: string, synchronous: Synchronous) {
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${synchronous}`);
    database.exec('PRAGMA foreign_keys = ON');
    // 64 MiB of pages, so that the lookups of a benchmark-sized database stay in memory.
    database.exec('PRAGMA cache_size = -65536');
    database.exec(SCHEMA);
    this.#database = database;
    this.#begin = database.prepare('BEGIN IMMEDIATE');
    this.#commit = database.prepare('COMMIT');
    this.#rollback = database.prepare('ROLLBACK');
    this.#customer = database.prepare('SELECT 1 FROM customers WHERE id = ?');
    this.#reply = database.prepare(
      'SELECT i.request, l.id, l.token FROM idempotency i JOIN licenses l ON l.id = i.license WHERE i.key = ?',
    );
    this.#insertLicense = database.prepare(
      'INSERT INTO licenses (id, customer, plan, seats, issued_at, expires_at, token) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#insertIdempotency = database.prepare(
      'INSERT INTO idempotency (key, request, license) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#insertAudit = database.prepare(
      'INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /** Adds `count` customers with fresh random ids in one transaction and returns the ids. */
  seedCustomers(count: number): string[] {
    const insert = this.#database.prepare('INSERT INTO customers (id, name) VALUES (?, ?)');
    const ids = Array.from({ length: count }, () => `cus_${randomBytes(12).toString('hex')}`);
    this.#transaction(() => {
      for (const [index, id] of ids.entries()) insert.run(id, `Customer ${index + 1}`);
    });
    return ids;
  }

  hasCustomer(id: string): boolean {
    return this.#customer.get(id) !== undefined;
  }

  findReply(idempotencyKey: string): IdempotentReply | undefined {
    return this.#reply.get(idempotencyKey) as IdempotentReply | undefined;
  }

  /**
   * Writes the license, its idempotency key and its audit row, durable on return under `FULL`. Returns the
   * earlier reply, and writes nothing, when the key was used while this request was being signed.
   */
  insertLicense(license: NewLicense, idempotencyKey: string, request: string): IdempotentReply | undefined {
    return this.#transaction(() => {
      const { id, customer, plan, seats, issuedAt, expiresAt, token } = license;
      const claimed = this.#insertIdempotency.run(idempotencyKey, request, id);
      if (claimed.changes === 0) return this.findReply(idempotencyKey);
      this.#insertLicense.run(id, customer, plan, seats, issuedAt, expiresAt, token);
      this.#insertAudit.run(issuedAt, 'admin', 'license.issue', id, request);
      return undefined;
    });
  }

  /** How many licenses and audit rows there are: what a test or a benchmark compares with what it asked for. */
  counts(): { licenses: number; audit: number } {
    const row = this.#database
      .prepare('SELECT (SELECT count(*) FROM licenses) AS licenses, (SELECT count(*) FROM audit) AS audit')
      .get() as { licenses: number; audit: number };
    return { licenses: row.licenses, audit: row.audit };
  }

  close(): void {
    this.#database.close();
  }

  #transaction<Result>(work: () => Result): Result {
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // A failed COMMIT may already have ended the transaction; a ROLLBACK would then hide the real error.
      if (this.#database.isTransaction) this.#rollback.run();
      throw error;
    }
  }
}
