/** Reads a store in PostgreSQL, over connections of its own that cannot write. */
import { Pool } from 'pg';
import {
  type MendableStore,
  type StoredCause,
  type StoredCheckpoint,
  type StoredEntry,
  type StoredLeaf,
  StoreUnavailable,
  type StrayRow,
} from '../store.ts';
import { clientConfig, type Rows, readFailure, type Target } from './connection.ts';
import type { DurabilitySettings } from './durability.ts';
import { formatBefore, type PostgresStatements, schemaFormat, unknownFormat } from './schema.ts';

const connectionsMax = 4;

interface EntryRow extends Record<string, unknown> {
  idx: number;
  leaf: Uint8Array;
  subject: Uint8Array | null;
  rev: number;
  entry: Uint8Array | null;
  id: string | null;
  salt: Uint8Array | null;
  document: Uint8Array | null;
  companion_salt: Uint8Array | null;
  companion: Uint8Array | null;
  cause: number;
}

interface CauseRow {
  idx: number;
  records: number;
  salt: Uint8Array;
  document: Uint8Array;
  request_salt: Uint8Array | null;
  request: Uint8Array | null;
}

export class PostgresReader implements MendableStore {
  readonly #pool: Pool;
  readonly #statements: PostgresStatements;
  /** The end of what may be shown: what is not acknowledged may be gone tomorrow. */
  readonly #end: () => number;
  /** The server that writes may bring it to this format at any moment. */
  #isOfFormatBefore = false;

  constructor(
    target: Target,
    statements: PostgresStatements,
    end: () => number = () => Number.MAX_SAFE_INTEGER,
  ) {
    const { connectionTimeoutMillis, ...config } = clientConfig(target, 'read');
    this.#pool = new Pool({ ...config, connectionTimeoutMillis, max: connectionsMax });
    // An idle connection that ends is made anew when it is needed.
    this.#pool.on('error', () => {});
    this.#statements = statements;
    this.#end = end;
  }

  /** Throws StoreUnavailable where there is no store that this version knows. */
  async check(): Promise<void> {
    const [fence] = await this.#rows('fence', []);
    const { format } = fence as { format: string };
    this.#isOfFormatBefore = Number(format) === formatBefore;
    if (Number(format) !== schemaFormat && !this.#isOfFormatBefore)
      throw new StoreUnavailable(unknownFormat(format), false);
  }

  async size(): Promise<number> {
    const [row] = await this.#rows('size', []);
    return (row as { size: number }).size;
  }

  async leaves(from: number, limit: number): Promise<StoredLeaf[]> {
    const rows = (await this.#rows('leaves', [from, this.#end(), limit])) as EntryRow[];
    return rows.map(({ idx, leaf, subject, rev }) => ({ index: idx, leaf, subject, rev }));
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    return ((await this.#rows('entries', [from, this.#end(), limit])) as EntryRow[]).map(storedEntry);
  }

  async entry(index: number): Promise<StoredEntry | undefined> {
    const [found] = await this.entries(index, 1);
    return found?.index === index ? found : undefined;
  }

  async entryBytes(from: number, limit: number): Promise<Uint8Array[]> {
    const rows = (await this.#rows('entryBytes', [from, this.#end(), limit])) as EntryRow[];
    return rows.map(({ entry }) => entry ?? new Uint8Array(0));
  }

  async cause(index: number): Promise<StoredCause | undefined> {
    return (await this.causes(index, index + 1))[0];
  }

  async causes(from: number, to: number): Promise<StoredCause[]> {
    if (this.#isOfFormatBefore) await this.check();
    const name = this.#isOfFormatBefore ? 'causesBefore' : 'causes';
    const rows = await this.#rows(name, [from, Math.min(to, this.#end())]);
    return (rows as unknown as CauseRow[]).map(({ idx, records, salt, document, request_salt, request }) => ({
      index: idx,
      records,
      salt,
      document,
      signed: request_salt && request && { salt: request_salt, bytes: request },
    }));
  }

  async strayRows(): Promise<StrayRow[]> {
    if (this.#isOfFormatBefore) await this.check();
    if (this.#isOfFormatBefore) return [];
    return (await this.#rows('strayRows', [])) as unknown as StrayRow[];
  }

  async checkpoint(size: number = Number.MAX_SAFE_INTEGER): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#rows('checkpoint', [size]);
    return row as unknown as StoredCheckpoint | undefined;
  }

  async signed(): Promise<{ size: number; note: string } | undefined> {
    const [row] = await this.#rows('signed', []);
    return row as { size: number; note: string } | undefined;
  }

  /** Who holds the fence, and under which settings. */
  async watch(): Promise<{ holder: string; epoch: number; settings: DurabilitySettings }> {
    const [[fence], [settings]] = await Promise.all([this.#rows('fence', []), this.#rows('confirm', [])]);
    const { holder, epoch } = fence as { holder: string; epoch: number };
    return { holder, epoch, settings: settings as unknown as DurabilitySettings };
  }

  append(): Promise<void> {
    return Promise.reject(readOnly());
  }

  shred(): Promise<void> {
    return Promise.reject(readOnly());
  }

  saveCheckpoint(): Promise<void> {
    return Promise.reject(readOnly());
  }

  restore(): Promise<void> {
    return Promise.reject(readOnly());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }

  /** Throws StoreUnavailable. */
  async #rows(name: keyof PostgresStatements, values: unknown[]): Promise<Rows> {
    try {
      const text = this.#statements[name];
      return (await this.#pool.query<Record<string, unknown>>({ name, text, values })).rows;
    } catch (error) {
      throw readFailure(error);
    }
  }
}

function readOnly(): Error {
  return new Error('the store was opened for reading alone');
}

/** An entry whose bytes are gone reads as empty bytes: no leaf hash fits them. */
function storedEntry(row: EntryRow): StoredEntry {
  const { idx, leaf, subject, rev, id, salt, document, companion, cause } = row;
  return {
    index: idx,
    leaf,
    subject,
    rev,
    entry: row.entry ?? new Uint8Array(0),
    content: id === null ? null : { id, salt, document, companionSalt: row.companion_salt, companion, cause },
  };
}
