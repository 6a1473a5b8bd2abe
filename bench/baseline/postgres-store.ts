import { randomBytes } from 'node:crypto';
import { Pool } from 'pg';
import type { LicenseTables } from './service.ts';
import type { IdempotentReply, NewLicense } from './store.ts';

/** As many as requests that wait for a commit at once, so that PostgreSQL can flush several together. */
const connectionsMax = 32;

const SCHEMA = `
  CREATE TABLE customers (id text PRIMARY KEY, name text NOT NULL);
  CREATE TABLE licenses (
    id text PRIMARY KEY, customer text NOT NULL REFERENCES customers (id), plan text NOT NULL, seats integer NOT NULL,
    issued_at bigint NOT NULL, expires_at bigint NOT NULL, token text NOT NULL
  );
  CREATE TABLE idempotency (key text PRIMARY KEY, request text NOT NULL, license text NOT NULL);
  CREATE TABLE audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, actor text NOT NULL, action text NOT NULL,
    subject text NOT NULL, detail text NOT NULL
  );
`;

/** The tables of the baseline in PostgreSQL: one transaction of one statement a request. */
export class PostgresBaselineStore implements LicenseTables {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** @param url of a database in which a schema of this name can be made */
  static async create(url: string, schema: string): Promise<PostgresBaselineStore> {
    const options = `-c search_path=${schema}`;
    const pool = new Pool({ connectionString: url, max: connectionsMax, options });
    await pool.query(`CREATE SCHEMA ${schema}; ${SCHEMA}`);
    return new PostgresBaselineStore(pool);
  }

  async seedCustomers(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, () => `cus_${randomBytes(12).toString('hex')}`);
    await this.#pool.query("INSERT INTO customers SELECT id, 'Customer' FROM unnest($1::text[]) AS id", [
      ids,
    ]);
    return ids;
  }

  async hasCustomer(id: string): Promise<boolean> {
    const text = 'SELECT 1 FROM customers WHERE id = $1';
    return (await this.#pool.query({ name: 'customer', text, values: [id] })).rows.length > 0;
  }

  async findReply(idempotencyKey: string): Promise<IdempotentReply | undefined> {
    const text =
      'SELECT i.request, l.id, l.token FROM idempotency i JOIN licenses l ON l.id = i.license WHERE i.key = $1';
    const found = await this.#pool.query<IdempotentReply>({ name: 'reply', text, values: [idempotencyKey] });
    return found.rows[0];
  }

  async insertLicense(
    license: NewLicense,
    idempotencyKey: string,
    request: string,
  ): Promise<IdempotentReply | undefined> {
    const { id, customer, plan, seats, issuedAt, expiresAt, token } = license;
    const text = `
      WITH claimed AS (
        INSERT INTO idempotency VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1
      ), l AS (
        INSERT INTO licenses SELECT $3, $4, $5, $6, $7, $8, $9 FROM claimed
      ), a AS (
        INSERT INTO audit (at, actor, action, subject, detail) SELECT $7, 'admin', 'license.issue', $3, $2 FROM claimed
      )
      SELECT 1 FROM claimed`;
    const values = [idempotencyKey, request, id, customer, plan, seats, issuedAt, expiresAt, token];
    const { rows } = await this.#pool.query({ name: 'insert', text, values });
    return rows.length > 0 ? undefined : this.findReply(idempotencyKey);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
