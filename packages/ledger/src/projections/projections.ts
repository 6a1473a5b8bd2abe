/**
 * Projections: what the log says, arranged for finding things. Derived, disposable, never trusted: a reader
 * checks every row against the subject that it points to.
 *
 * Kept in a SQLite file of their own without fsync, because losing them costs a replay and no truth.
 */

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { TallyDocument } from '@tallystick/license';
import { namingDamaged } from '../store/damaged-file.ts';
import { emptyWriteAheadLog, lockWaitMs } from '../write-ahead-log.ts';

/** One revision, as the projections take it in. */
export interface ProjectedRevision {
  index: number;
  id: string;
  rev: number;
  /** null where it has been shredded: a later revision says what is current. */
  document: TallyDocument | null;
  /** Names taken by the subject, or null for given up. */
  names: ReadonlyMap<string, string | null>;
  /** True where every name that the subject held before is given up, whatever they were. */
  dropsNames?: boolean;
}

/** A revision reduced to what is written of it. */
export interface RevisionRows {
  index: number;
  id: string;
  rev: number;
  dropsNames: boolean;
  names: (readonly [name: string, holder: string | null])[];
  /** null where the subject has no row, or its document is shredded. */
  row: ({ type: string } & (LicenseRow | CatalogRow | CustomerRow)) | null;
}

/** What takes revisions in: the projections themselves, or the thread that writes them. */
export interface ProjectionWriter {
  /** Takes in revisions in log order, together with the new size. */
  apply(
    revisions: readonly RevisionRows[],
    requests: readonly ProjectedRequest[],
    size: number,
  ): void | Promise<void>;
  /** Leaves nothing behind, in the write-ahead log either, of rows that were replaced or deleted. */
  scrub(): void | Promise<void>;
  /** Forgets everything; what follows is a replay from entry 0. */
  clear(): void | Promise<void>;
}

export interface ProjectedRequest {
  key: string;
  /** Log index of the first record made under it. */
  index: number;
}

export interface LicenseRow {
  id: string;
  customer: string | null;
  plan: string;
  product: string;
  state: string;
  until: string | null;
}

/** Types of which there are few, and which are listed alike. */
export type ListedType = 'product' | 'plan' | 'principal' | 'credential' | 'approval';

/** A row of what is listed by its type. */
export interface CatalogRow {
  id: string;
  /** Code of a product or plan; kind of a principal or credential; command that waits for approval. */
  code: string;
  /** What it belongs to: the product of a plan, the principal of a credential, the author of a request. */
  product: string | null;
  state: string;
}

export interface CustomerRow {
  id: string;
  reference: string | null;
  state: string;
}

export interface LicenseFilter {
  customer?: string;
  plan?: string;
  product?: string;
  state?: string;
  /** Instant: licenses whose term ends before it. */
  expiresBefore?: string;
}

/** Rows are listed newest first: ids sort by the time they were made. */
export interface Page {
  /** Only rows with a smaller id than this. */
  before: string;
  limit: number;
}

const schema = `
  CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL) STRICT;
  INSERT INTO cursor VALUES (1, 0);
  CREATE TABLE names (name TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE requests (key TEXT PRIMARY KEY, idx INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE revisions (id TEXT, rev INTEGER, idx INTEGER NOT NULL, PRIMARY KEY (id, rev)) STRICT, WITHOUT ROWID;
  CREATE TABLE catalog (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, code TEXT NOT NULL, product TEXT, state TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE customers (id TEXT PRIMARY KEY, reference TEXT, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE licenses (
    id TEXT PRIMARY KEY, customer TEXT, plan TEXT NOT NULL, product TEXT NOT NULL, state TEXT NOT NULL, until TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX licenses_by_customer ON licenses (customer, id);
  CREATE INDEX licenses_not_active ON licenses (state, id) WHERE state <> 'active';
  CREATE INDEX licenses_by_end ON licenses (until, id) WHERE until IS NOT NULL;
  PRAGMA user_version = 1;
`;

export class Projections implements ProjectionWriter {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareAll>;

  /** @param file path, or `:memory:` */
  constructor(file: string, options: { readOnly?: boolean } = {}) {
    const isReadOnly = options.readOnly ?? false;
    this.#database = new DatabaseSync(file, { timeout: lockWaitMs, readOnly: isReadOnly });
    try {
      if (!isReadOnly) configure(this.#database);
      this.#database.exec('PRAGMA cache_size=-65536');
      this.#statements = prepareAll(this.#database);
    } catch (error) {
      this.#database.close();
      throw namingDamaged(file, error);
    }
  }

  /** Number of log entries taken in. */
  get size(): number {
    return (this.#statements.cursor.get() as { size: number }).size;
  }

  apply(revisions: readonly RevisionRows[], requests: readonly ProjectedRequest[], size: number): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const revision of revisions) this.#applyOne(revision);
      for (const { key, index } of requests) this.#statements.setRequest.run(key, index);
      this.#statements.setCursor.run(size);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** The subject that holds a name. */
  idOfName(name: string): string | undefined {
    return (this.#statements.name.get(name) as { id: string } | undefined)?.id;
  }

  /** Log indexes of the first records made under idempotency keys, of those that there are. One look into the database. */
  indexesOfRequests(keys: readonly string[]): Map<string, number> {
    const rows = this.#statements.requests.all(JSON.stringify(keys)) as { key: string; idx: number }[];
    return new Map(rows.map(({ key, idx }) => [key, idx]));
  }

  /** Idempotency keys behind a key, in their order. */
  requestKeys(after: string, limit: number): string[] {
    const rows = this.#statements.requestKeys.all(after, limit) as { key: string }[];
    return rows.map(({ key }) => key);
  }

  /** Log indexes of a subject's revisions above `afterRev`, oldest first. */
  revisions(id: string, afterRev: number, limit: number): { rev: number; index: number }[] {
    const rows = this.#statements.revisions.all(id, afterRev, limit) as { rev: number; idx: number }[];
    return rows.map(({ rev, idx }) => ({ rev, index: idx }));
  }

  /** Log indexes of a subject's revisions below `beforeRev`, newest first. */
  revisionsBefore(id: string, beforeRev: number, limit: number): { rev: number; index: number }[] {
    const rows = this.#statements.revisionsBefore.all(id, beforeRev, limit) as { rev: number; idx: number }[];
    return rows.map(({ rev, idx }) => ({ rev, index: idx }));
  }

  licensesOfCustomer(customer: string): string[] {
    return ids(this.#statements.licensesOfCustomer.all(customer));
  }

  plansOfProduct(product: string): string[] {
    return ids(this.#statements.plansOfProduct.all(product));
  }

  /** Of subjects that are listed by their type. */
  idsOfType(type: ListedType): string[] {
    return ids(this.#statements.idsOfType.all(type));
  }

  licenses(filter: LicenseFilter, page: Page): LicenseRow[] {
    const conditions = ['id < ?'];
    const values: string[] = [page.before];
    const columns = {
      customer: 'customer = ?',
      plan: 'plan = ?',
      product: 'product = ?',
      state: 'state = ?',
      expiresBefore: 'until < ?',
    };
    for (const [name, condition] of Object.entries(columns)) {
      const value = filter[name as keyof LicenseFilter];
      if (value === undefined) continue;
      conditions.push(condition);
      values.push(value);
    }
    const sql = `SELECT * FROM licenses WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT ?`;
    return this.#database.prepare(sql).all(...values, page.limit) as unknown as LicenseRow[];
  }

  customers(filter: { reference?: string; state?: string }, page: Page): CustomerRow[] {
    const { reference = null, state = null } = filter;
    const values = [page.before, reference, reference, state, state, page.limit];
    return this.#statements.customers.all(...values) as unknown as CustomerRow[];
  }

  /** Subjects of a type, newest first. */
  listed(type: ListedType, filter: { of?: string; state?: string }, page: Page): CatalogRow[] {
    const { of = null, state = null } = filter;
    const values = [type, page.before, of, of, state, state, page.limit];
    return this.#statements.catalog.all(...values) as unknown as CatalogRow[];
  }

  /** The row that the projections hold of a subject, for comparison with what they should. */
  rowOf(type: string, id: string): LicenseRow | CustomerRow | CatalogRow | undefined {
    if (type === 'license') return this.#statements.license.get(id) as unknown as LicenseRow | undefined;
    if (type === 'customer') return this.#statements.customer.get(id) as unknown as CustomerRow | undefined;
    return this.#statements.catalogOne.get(id) as unknown as CatalogRow | undefined;
  }

  /** Number of rows per table, and of subjects with a revision, for a check that nothing was slipped in. */
  counts(): Record<'licenses' | 'customers' | 'catalog' | 'names' | 'revisions' | 'subjects', number> {
    return this.#statements.counts.get() as never;
  }

  /** Subjects that no list has, with the log index of their newest revision; at most a thousand. */
  withoutRow(): { id: string; index: number }[] {
    return this.#statements.withoutRow.all() as never;
  }

  scrub(): void {
    emptyWriteAheadLog(this.#database);
  }

  clear(): void {
    this.#database.exec(
      `BEGIN IMMEDIATE; DELETE FROM names; DELETE FROM requests; DELETE FROM revisions; DELETE FROM catalog;
       DELETE FROM customers; DELETE FROM licenses; UPDATE cursor SET size = 0; COMMIT`,
    );
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #applyOne({ index, id, rev, row, names, dropsNames }: RevisionRows): void {
    if (dropsNames) this.#statements.dropNamesOf.run(id);
    this.#statements.setRevision.run(id, rev, index);
    for (const [name, holder] of names) {
      if (holder === null) this.#statements.dropName.run(name, id);
      else this.#statements.setName.run(name, holder);
    }
    if (row === null) {
      if (dropsNames)
        for (const table of rowTables) this.#database.prepare(`DELETE FROM ${table} WHERE id = ?`).run(id);
      return;
    }
    if ('plan' in row) {
      this.#statements.setLicense.run(id, row.customer, row.plan, row.product, row.state, row.until);
    } else if ('code' in row) {
      this.#statements.setCatalog.run(id, row.type, row.code, row.product, row.state);
    } else {
      this.#statements.setCustomer.run(id, row.reference, row.state);
    }
  }
}

/** A subject without its newest document has no row: a list that names it would be an alarm, and no list. */
const rowTables = ['licenses', 'customers', 'catalog'] as const;

type StatementName =
  | 'cursor'
  | 'setCursor'
  | 'name'
  | 'setName'
  | 'dropName'
  | 'dropNamesOf'
  | 'requests'
  | 'requestKeys'
  | 'setRequest'
  | 'revisions'
  | 'revisionsBefore'
  | 'setRevision'
  | 'license'
  | 'setLicense'
  | 'licensesOfCustomer'
  | 'customer'
  | 'setCustomer'
  | 'customers'
  | 'catalogOne'
  | 'setCatalog'
  | 'catalog'
  | 'plansOfProduct'
  | 'idsOfType'
  | 'counts'
  | 'withoutRow';

const statements: Record<StatementName, string> = {
  cursor: 'SELECT size FROM cursor',
  setCursor: 'UPDATE cursor SET size = ?',
  name: 'SELECT id FROM names WHERE name = ?',
  setName: 'INSERT OR REPLACE INTO names VALUES (?, ?)',
  dropNamesOf: 'DELETE FROM names WHERE id = ?',
  dropName: 'DELETE FROM names WHERE name = ? AND id = ?',
  requests: 'SELECT key, idx FROM requests WHERE key IN (SELECT value FROM json_each(?))',
  requestKeys: 'SELECT key FROM requests WHERE key > ? ORDER BY key LIMIT ?',
  setRequest: 'INSERT OR REPLACE INTO requests VALUES (?, ?)',
  revisions: 'SELECT rev, idx FROM revisions WHERE id = ? AND rev > ? ORDER BY rev LIMIT ?',
  revisionsBefore: 'SELECT rev, idx FROM revisions WHERE id = ? AND rev < ? ORDER BY rev DESC LIMIT ?',
  setRevision: 'INSERT OR REPLACE INTO revisions VALUES (?, ?, ?)',
  license: 'SELECT * FROM licenses WHERE id = ?',
  setLicense: 'INSERT OR REPLACE INTO licenses VALUES (?, ?, ?, ?, ?, ?)',
  licensesOfCustomer: 'SELECT id FROM licenses WHERE customer = ? ORDER BY id',
  customer: 'SELECT * FROM customers WHERE id = ?',
  setCustomer: 'INSERT OR REPLACE INTO customers VALUES (?, ?, ?)',
  customers:
    'SELECT * FROM customers WHERE id < ? AND (? IS NULL OR reference = ?) AND (? IS NULL OR state = ?) ORDER BY id DESC LIMIT ?',
  catalogOne: 'SELECT id, code, product, state FROM catalog WHERE id = ?',
  setCatalog: 'INSERT OR REPLACE INTO catalog VALUES (?, ?, ?, ?, ?)',
  catalog:
    'SELECT id, code, product, state FROM catalog WHERE type = ? AND id < ? AND (? IS NULL OR product = ?) AND (? IS NULL OR state = ?) ORDER BY id DESC LIMIT ?',
  idsOfType: 'SELECT id FROM catalog WHERE type = ? ORDER BY id',
  plansOfProduct: "SELECT id FROM catalog WHERE type = 'plan' AND product = ? ORDER BY id",
  counts: `SELECT (SELECT count(*) FROM licenses) AS licenses, (SELECT count(*) FROM customers) AS customers,
                  (SELECT count(*) FROM catalog) AS catalog, (SELECT count(*) FROM names) AS names,
                  (SELECT count(*) FROM revisions) AS revisions,
                  (SELECT count(DISTINCT id) FROM revisions) AS subjects`,
  withoutRow: `SELECT id, max(idx) AS "index" FROM revisions
               WHERE id NOT IN (SELECT id FROM licenses) AND id NOT IN (SELECT id FROM customers)
                 AND id NOT IN (SELECT id FROM catalog) GROUP BY id LIMIT 1000`,
};

function prepareAll(database: DatabaseSync): Record<StatementName, StatementSync> {
  const prepared: Partial<Record<StatementName, StatementSync>> = {};
  for (const [name, sql] of Object.entries(statements))
    prepared[name as StatementName] = database.prepare(sql);
  return prepared as Record<StatementName, StatementSync>;
}

function ids(rows: unknown[]): string[] {
  return (rows as { id: string }[]).map(({ id }) => id);
}

function configure(database: DatabaseSync): void {
  database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON');
  // Names are keyed at random: what is written in one go touches many pages, and again in the next.
  database.exec('PRAGMA wal_autocheckpoint=16000');
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version === 0) database.exec(schema);
  // A process that was killed may have removed something, and not yet what the log of its writes has of it.
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}
