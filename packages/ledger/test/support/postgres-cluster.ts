/** Three nodes that replicate, and a store on them, for tests that take them apart. */
import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { PostgresServer } from '@tallystick/testkit';
import type { PostgresWriterOptions, StoredEntry } from '../../src/index.ts';
import { PostgresStore } from '../../src/store/postgres/index.ts';
import { batchAt, entriesPerBatch } from './store-batches.ts';

/** What somebody gave the role: PostgreSQL waits for nobody, keeps warnings to itself, and reads and writes otherwise. */
const hostileSettings = [
  'synchronous_commit = off',
  'client_min_messages = error',
  "bytea_output = 'escape'",
  "default_transaction_isolation = 'serializable'",
];

const limits = { connectMs: 2000, statementMs: 4000, recoverMs: 10_000, watchMs: 50 };

export class Cluster implements AsyncDisposable {
  readonly nodes: PostgresServer[];
  #paused: number[] = [];

  private constructor(nodes: PostgresServer[]) {
    this.nodes = nodes;
  }

  static async start(): Promise<Cluster> {
    const cluster = new Cluster(await PostgresServer.cluster(3));
    await cluster.primary.sql('CREATE ROLE vendor LOGIN; GRANT CREATE ON DATABASE postgres TO vendor');
    for (const setting of hostileSettings) await cluster.primary.sql(`ALTER ROLE vendor SET ${setting}`);
    return cluster;
  }

  get primary(): PostgresServer {
    const [first] = this.nodes;
    if (first === undefined) throw new Error('a cluster without nodes');
    return first;
  }

  options(
    node: PostgresServer = this.primary,
    more: Partial<PostgresWriterOptions> & { port?: number } = {},
  ): PostgresWriterOptions {
    const { port, ...options } = more;
    const url = new URL(node.url({ schema: 'faults' }, port));
    url.username = 'vendor';
    return { url: url.href, holder: randomUUID(), limits, ...options };
  }

  /** An empty store, in place of the one before. */
  async create(port?: number): Promise<PostgresStore> {
    await this.primary.sql('DROP SCHEMA IF EXISTS faults CASCADE');
    return PostgresStore.create(this.options(this.primary, port === undefined ? {} : { port }));
  }

  /** From now on no standby takes anything in. */
  async pauseStandbys(): Promise<void> {
    for (const node of this.nodes.slice(1)) {
      const [row] = await node.sql<{ pid: number }>('SELECT pid FROM pg_stat_wal_receiver');
      if (row === undefined) throw new Error('a standby does not follow');
      process.kill(row.pid, 'SIGSTOP');
      this.#paused.push(row.pid);
    }
  }

  resumeStandbys(): void {
    for (const pid of this.#paused.splice(0)) process.kill(pid, 'SIGCONT');
  }

  /** Process id of the backend that writes, once it waits for `event`. */
  async writerWaits(event: 'SyncRep' | 'transactionid' | 'tuple'): Promise<number> {
    const waiting = `SELECT pid FROM pg_stat_activity
                      WHERE application_name = 'tallystick-write' AND wait_event = '${event}'`;
    for (let tries = 0; tries < 500; tries++) {
      const [row] = await this.primary.sql<{ pid: number }>(waiting);
      if (row !== undefined) return row.pid;
      await after(10);
    }
    throw new Error(`no backend waits for ${event}`);
  }

  /** Entries that the primary shows to anybody. */
  async shown(): Promise<number> {
    const [row] = await this.primary.sql<{ count: string }>('SELECT count(*) FROM faults.leaves');
    return Number(row?.count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resumeStandbys();
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

/** The entries of a log of so many, as the tests append them. */
export function entriesTo(size: number): StoredEntry[] {
  return Array.from({ length: size / entriesPerBatch }, (_, nth) => batchAt(nth * entriesPerBatch)).flatMap(
    ({ entries }) => [...entries],
  );
}
