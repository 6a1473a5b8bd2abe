/**
 * A local file of SQLite with what is of this server alone and of no interest to the log: sessions, when credentials were
 * last used, and up to when signed requests may have been taken. Each session's row has a MAC under a secret that is not in the file, so a row slipped in is none.
 *
 * Losing the file logs everybody out. Its exclusive lock keeps a second server off it.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Session } from './session.ts';

/** When a credential was last used, and from where. */
export interface CredentialUse {
  /** Instant. */
  at: string;
  address: string;
}

export interface StoredSession {
  /** Base64 of the HMAC of the token. */
  lookup: string;
  session: Session;
}

const tables = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, lookup TEXT NOT NULL, content TEXT NOT NULL, mac BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS signed (one INTEGER PRIMARY KEY CHECK (one = 1), reserved INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS credential_use (credential TEXT PRIMARY KEY, at TEXT NOT NULL, address TEXT NOT NULL) STRICT;
`;

export class GateFile {
  readonly #database: DatabaseSync;
  readonly #key: KeyObject;
  readonly #putSession: StatementSync;
  readonly #deleteSession: StatementSync;
  readonly #putUse: StatementSync;
  readonly #reserveSigned: StatementSync;

  /** Makes the file where there is none, for its owner alone. Throws where it cannot, or where another process has it. */
  constructor(path: string, key: KeyObject) {
    closeSync(openSync(path, 'a', 0o600));
    this.#key = key;
    this.#database = new DatabaseSync(path);
    this.#database.exec(tables);
    this.#putSession = this.#database.prepare('INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)');
    this.#deleteSession = this.#database.prepare('DELETE FROM session WHERE id = ?');
    this.#putUse = this.#database.prepare('INSERT OR REPLACE INTO credential_use VALUES (?, ?, ?)');
    this.#reserveSigned = this.#database.prepare('INSERT OR REPLACE INTO signed VALUES (1, ?)');
  }

  /** `rejected` counts rows that this server did not write; they are removed. */
  load(): { sessions: StoredSession[]; uses: Map<string, CredentialUse>; rejected: number } {
    const rows = this.#database.prepare('SELECT id, lookup, content, mac FROM session').all() as unknown as {
      id: string;
      lookup: string;
      content: string;
      mac: Uint8Array;
    }[];
    const sessions: StoredSession[] = [];
    const rejected: string[] = [];
    for (const { id, lookup, content, mac } of rows) {
      const isOurs = mac.length === 32 && timingSafeEqual(this.#macOf(lookup, content), mac);
      const session = isOurs ? (JSON.parse(content) as Session) : null;
      // Under another id an older row would stand beside the newest one of its session.
      if (session?.id === id) sessions.push({ lookup, session });
      else rejected.push(id);
    }
    if (rejected.length > 0) this.delete(rejected);
    const uses = this.#database
      .prepare('SELECT credential, at, address FROM credential_use')
      .all() as unknown as ({
      credential: string;
    } & CredentialUse)[];
    return {
      sessions,
      uses: new Map(uses.map(({ credential, at, address }) => [credential, { at, address }])),
      rejected: rejected.length,
    };
  }

  /** Durable on return, as is `delete`: a session that was ended must not come back after a crash. */
  put(stored: readonly StoredSession[]): void {
    this.#transact(() => {
      for (const { lookup, session } of stored) {
        const content = JSON.stringify(session);
        this.#putSession.run(session.id, lookup, content, this.#macOf(lookup, content));
      }
    });
  }

  delete(ids: readonly string[]): void {
    this.#transact(() => {
      for (const id of ids) this.#deleteSession.run(id);
    });
  }

  putUses(uses: ReadonlyMap<string, CredentialUse>): void {
    this.#transact(() => {
      for (const [credential, { at, address }] of uses) this.#putUse.run(credential, at, address);
    });
  }

  /** What `reserveSigned` was last given; 0 for nothing. */
  reservedSigned(): number {
    const row = this.#database.prepare('SELECT reserved FROM signed').get();
    return (row as { reserved: number } | undefined)?.reserved ?? 0;
  }

  /** Durable on return. */
  reserveSigned(until: number): void {
    this.#reserveSigned.run(until);
  }

  close(): void {
    this.#database.close();
  }

  #macOf(lookup: string, content: string): Buffer {
    return createHmac('sha256', this.#key).update(`${lookup}\n${content}`).digest();
  }

  #transact(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}
