/**
 * Reads the rows of a range from a connection of its own.
 *
 * All blobs of a row come as one: handing a blob over from SQLite costs more than hashing what is in it.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Opening } from '@tallystick/core';

/** The blobs of an entry are views of one array, and null where the store has none. */
export interface PackedRow {
  index: number;
  leaf: Uint8Array;
  subject: Uint8Array | null;
  rev: number;
  entry: Uint8Array | null;
  content: PackedContent | null;
}

export interface PackedContent {
  id: string;
  salt: Uint8Array | null;
  document: Uint8Array | null;
  companionSalt: Uint8Array | null;
  companion: Uint8Array | null;
  cause: number;
}

export interface PackedCause {
  index: number;
  records: number;
  salt: Uint8Array;
  document: Uint8Array;
  signed: Opening | null;
}

const contentColumns = `c.id, c.cause, length(c.salt), length(c.document), length(c.companion_salt),
  length(c.companion)`;
/** SQLite joins blobs as text and keeps every byte of them. */
const contentBytes = `coalesce(c.salt, '') || coalesce(c.document, '') || coalesce(c.companion_salt, '') ||
  coalesce(c.companion, '')`;

const sql = {
  rows: `SELECT l.idx, l.rev, length(l.leaf), length(l.subject), length(e.entry), ${contentColumns},
      CAST(l.leaf || coalesce(l.subject, '') || coalesce(e.entry, '') || ${contentBytes} AS BLOB)
    FROM leaves l LEFT JOIN entries e ON e.idx = l.idx LEFT JOIN contents c ON c.idx = l.idx
    WHERE l.idx >= ? AND l.idx < ? ORDER BY l.idx`,
  content: `SELECT ${contentColumns}, CAST(${contentBytes} AS BLOB) FROM contents c WHERE c.idx = ?`,
  causes: `SELECT idx, records, length(salt), CAST(salt || document AS BLOB) FROM causes
    WHERE idx >= ? AND idx < ? ORDER BY idx`,
  requests: 'SELECT idx, salt, request FROM signed_requests WHERE idx >= ? AND idx < ?',
};

type Column = null | number | string | Uint8Array;

export class PackedRows implements Disposable {
  readonly #database: DatabaseSync;
  readonly #rows: StatementSync;
  readonly #content: StatementSync;
  readonly #causes: StatementSync;
  /** null in a store of before there were any. */
  readonly #requests: StatementSync | null;

  /** Throws where there is no such file. */
  constructor(storeFile: string) {
    this.#database = new DatabaseSync(storeFile, { timeout: 5000, readOnly: true });
    const prepare = (text: string): StatementSync => {
      const statement = this.#database.prepare(text);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#rows = prepare(sql.rows);
    this.#content = prepare(sql.content);
    this.#causes = prepare(sql.causes);
    const hasRequests = this.#database
      .prepare("SELECT 1 FROM sqlite_schema WHERE name = 'signed_requests'")
      .get();
    this.#requests = hasRequests === undefined ? null : prepare(sql.requests);
  }

  /** Rows with `from` ≤ index < `to`, in order. */
  rows(from: number, to: number): PackedRow[] {
    return (this.#rows.all(from, to) as unknown as Column[][]).map(packedRow);
  }

  content(index: number): PackedContent | null {
    const columns = this.#content.get(index) as unknown as Column[] | undefined;
    if (columns === undefined) return null;
    return packedContent(columns, 0, new Slices(columns[6] as Uint8Array));
  }

  causes(from: number, to: number): PackedCause[] {
    const signed = this.#signed(from, to);
    return (this.#causes.all(from, to) as unknown as Column[][]).map((columns) => {
      const [index, records, saltLength, bytes] = columns;
      const slices = new Slices(bytes as Uint8Array);
      const salt = slices.take(saltLength as number);
      const document = slices.rest();
      return {
        index: index as number,
        records: records as number,
        salt,
        document,
        signed: signed.get(index as number) ?? null,
      };
    });
  }

  #signed(from: number, to: number): Map<number, Opening> {
    const rows = (this.#requests?.all(from, to) ?? []) as unknown as [number, Uint8Array, Uint8Array][];
    return new Map(rows.map(([index, salt, bytes]) => [index, { salt, bytes }]));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Cuts one array after the other off an array. */
class Slices {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(length: number): Uint8Array {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** null for null. */
  takeIf(length: Column | undefined): Uint8Array | null {
    return typeof length === 'number' ? this.take(length) : null;
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}

function packedRow(columns: Column[]): PackedRow {
  const slices = new Slices(columns[11] as Uint8Array);
  return {
    index: columns[0] as number,
    rev: columns[1] as number,
    leaf: slices.take(columns[2] as number),
    subject: slices.takeIf(columns[3]),
    entry: slices.takeIf(columns[4]),
    content: packedContent(columns, 5, slices),
  };
}

/** The content whose columns begin at `first`; null where the row has none. */
function packedContent(columns: Column[], first: number, slices: Slices): PackedContent | null {
  const id = columns[first];
  if (typeof id !== 'string') return null;
  return {
    id,
    cause: columns[first + 1] as number,
    salt: slices.takeIf(columns[first + 2]),
    document: slices.takeIf(columns[first + 3]),
    companionSalt: slices.takeIf(columns[first + 4]),
    companion: slices.takeIf(columns[first + 5]),
  };
}
