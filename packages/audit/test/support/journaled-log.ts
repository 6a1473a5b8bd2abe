/** A log with the journal of the signer that signed it, as files that can be tampered with one by one. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LogTree, utf8 } from '@tallystick/core';
import { SqliteStore } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import {
  encodeLine,
  type JournalEvent,
  type JournalLine,
  type JournalPosition,
  lineHash,
  parseLine,
  type SigningKey,
} from '@tallystick/signer';
import { FaultyStore, TestSystem, type TestSystemOptions } from '@tallystick/testkit';
import { auditSigner, type SignerAuditReport } from '../../src/index.ts';

export class JournaledLog implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tally-journaled-'));
  readonly storeFile: string = join(this.folder, 'ledger.db');
  readonly journalFile: string = join(this.folder, 'journal');
  known: JournalPosition | null = null;
  origin = '';
  #keys: SigningKey[] = [];

  /** What `work` did with a fresh system. */
  static async make(
    work: (system: TestSystem, store: FaultyStore) => Promise<void>,
    options: TestSystemOptions = {},
  ): Promise<JournaledLog> {
    const log = new JournaledLog();
    const inner = SqliteStore.create(log.storeFile, { synchronous: 'off' });
    const store = new FaultyStore(inner);
    const system = await TestSystem.start({ ...options, store });
    const { identity, journal, trust, directory } = system.world;
    await work(system, store);
    await system.ledger.whenPublished(system.ledger.size, 30_000);
    await system.ledger[Symbol.asyncDispose]();
    copyFileSync(join(directory, 'journal'), log.journalFile);
    log.known = journal.position;
    log.origin = trust.log.origin;
    log.#keys = onlineKeys(identity.keys);
    await system[Symbol.asyncDispose]();
    await inner[Symbol.asyncDispose]();
    return log;
  }

  copy(): JournaledLog {
    const copied = new JournaledLog();
    cpSync(this.folder, copied.folder, { recursive: true });
    copied.known = this.known;
    copied.origin = this.origin;
    copied.#keys = this.#keys;
    return copied;
  }

  /** The key of a usage, as a thief has a copy of it. */
  keyFor(usage: string): SigningKey {
    const key = this.#keys.find(({ usages }) => (usages as readonly string[]).includes(usage));
    if (key === undefined) throw new Error(`no ${usage} key`);
    return key;
  }

  get text(): string {
    return readFileSync(this.journalFile, 'utf8');
  }

  /** Without their line feeds. */
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  get events(): JournalEvent[] {
    return this.lines.map((text) => parseLine(utf8(text)).event);
  }

  write(lines: readonly string[]): void {
    writeFileSync(this.journalFile, lines.map((line) => `${line}\n`).join(''));
  }

  /** Writes other events with a chain that holds, as somebody with the signer's own rights could. */
  forge(change: (lines: JournalLine[]) => JournalLine[]): void {
    let prev: Uint8Array | null = null;
    const forged = change(this.lines.map((text) => parseLine(utf8(text)))).map(({ at, event }, n) => {
      const line = encodeLine({ n, prev, at, event });
      prev = lineHash(line);
      return Buffer.from(line).toString();
    });
    this.write(forged);
  }

  /** Of the log's first entries. */
  rootOf(size: number): Uint8Array {
    const tree = new LogTree();
    this.tamper((database) => {
      for (const row of database.prepare('SELECT leaf FROM leaves WHERE idx < ? ORDER BY idx').all(size))
        tree.append(row['leaf'] as Uint8Array);
    });
    return tree.root();
  }

  tamper(work: (database: DatabaseSync) => void): void {
    const database = new DatabaseSync(this.storeFile);
    try {
      work(database);
    } finally {
      database.close();
    }
  }

  async audit({
    all = true,
    known = this.known,
  }: {
    all?: boolean;
    known?: JournalPosition | null;
  } = {}): Promise<SignerAuditReport> {
    await using store = SqliteStore.open(this.storeFile, { readOnly: true });
    return await auditSigner({ store, origin: this.origin, journal: this.journalFile, known }, { all });
  }

  /** Of what kind the incidents are, each once. */
  async kinds(): Promise<string[]> {
    return [...new Set((await this.audit()).incidents.map(({ kind }) => kind))];
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
