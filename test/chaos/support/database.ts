/**
 * A primary and two standbys, with links in place of the network between them, and in place of the address that leads to
 * whichever of them is the primary.
 */
import { chmodSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { PostgresServer } from '@tallystick/testkit';
import { SmallDisk } from '../../system/support/faulty-disk.ts';
import { eventually } from '../../system/support/waiting.ts';
import { Link } from './link.ts';
import { runs, signalAll, treeOf } from './processes.ts';

const count = 3;
const diskMegabytes = 400;
const pollMs = 20;
/** Small enough for the disks. */
const sizes = `
  wal_keep_size = 64MB
  max_wal_size = 96MB
  min_wal_size = 32MB
`;

export interface Node {
  name: string;
  postgres: PostgresServer;
  /** Between it and the primary that it follows. */
  replication: Link;
  /** null where this process may not mount one. */
  disk: SmallDisk | null;
}

export class Database implements AsyncDisposable {
  readonly nodes: Node[] = [];
  readonly #addresses: Link[] = [];
  #primary = 0;

  static async start(): Promise<Database> {
    const database = new Database();
    const disks = Array.from({ length: count }, () => SmallDisk.mount(diskMegabytes));
    for (const disk of disks) if (disk !== null) chmodSync(disk.directory, 0o755);
    const servers = await PostgresServer.cluster(
      count,
      disks.map((disk) => disk?.directory),
    );
    for (const [nth, postgres] of servers.entries()) {
      const replication = await Link.start(() => database.primary.postgres.port);
      database.nodes.push({ name: `n${nth + 1}`, postgres, replication, disk: disks[nth] ?? null });
      postgres.configure(sizes);
      if (nth > 0) postgres.follow(replication);
      await postgres.reload();
    }
    await database.primary.postgres.synced(count - 1);
    return database;
  }

  get primary(): Node {
    return this.#nodeAt(this.#primary);
  }

  get standbys(): Node[] {
    return this.nodes.filter((node) => node !== this.primary);
  }

  /** A way to whichever node is the primary. */
  async address(): Promise<Link> {
    const link = await Link.start(() => this.primary.postgres.port);
    this.#addresses.push(link);
    return link;
  }

  /** Has every process of a node stand still; which ones. */
  freeze({ postgres }: Node): number[] {
    // The parent first: it makes the others.
    signalAll([postgres.pid], 'SIGSTOP');
    const pids = treeOf(postgres.pid);
    signalAll(pids, 'SIGSTOP');
    return pids;
  }

  /** Ends a node as a power cut does. */
  async kill(node: Node): Promise<void> {
    // Children that outlive their parent by a moment would still acknowledge something.
    const pids = this.freeze(node);
    signalAll(pids, 'SIGKILL');
    await node.postgres.end('SIGKILL');
    await eventually('all of it to end', () => !pids.some(runs));
  }

  /**
   * As an operator does it whose primary is gone: cuts all ways to it, promotes the standby that is ahead, and lets the
   * other one and the addresses lead there. The old one is left as it is, and to be made anew.
   */
  async promote(addresses: readonly Link[] = this.#addresses): Promise<void> {
    for (const link of addresses) link.close();
    for (const { replication } of this.nodes) replication.close();
    const ahead = await Promise.all(
      this.standbys.map(async (node) => {
        const received = "SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'";
        await eventually('a standby to be cut off', async () => {
          return (await node.postgres.sql(received)).length === 0;
        });
        const end = 'greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())';
        const [row] = await node.postgres.sql<{ lsn: string }>(`SELECT ${end} - '0/0' AS lsn`);
        return { node, lsn: BigInt(row?.lsn ?? 0) };
      }),
    );
    const [first] = ahead.toSorted((a, b) => (a.lsn < b.lsn ? 1 : -1));
    if (first === undefined) throw new Error('there is no standby');
    await first.node.postgres.promote();
    this.#primary = this.nodes.indexOf(first.node);
    for (const { replication } of this.nodes) replication.open();
    for (const link of addresses) link.open();
  }

  /** Makes a node that has ended a copy of the primary, which it follows. */
  async rebuild({ postgres, name, replication }: Node): Promise<void> {
    await postgres.copy(this.primary.postgres);
    const others = this.nodes.filter((node) => node.name !== name).map((node) => node.name);
    postgres.configure(
      `cluster_name = '${name}'\nsynchronous_standby_names = 'ANY 1 (${others.join(', ')})'`,
    );
    postgres.follow(replication);
    await postgres.start();
    await this.whole();
  }

  /** Resolves when both standbys follow. */
  async whole(): Promise<void> {
    await this.primary.postgres.synced(count - 1);
  }

  /** The backend that writes the log, once it waits for standbys; null where none does for a while. */
  async writerInSyncWait(ms: number): Promise<number | null> {
    const waiting = `SELECT pid FROM pg_stat_activity
                      WHERE application_name = 'tallystick-write' AND wait_event = 'SyncRep'`;
    for (const deadline = performance.now() + ms; performance.now() < deadline; ) {
      const [row] = await this.primary.postgres.sql<{ pid: number }>(waiting);
      if (row !== undefined) return row.pid;
      await after(pollMs);
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Links first: who leads nowhere any more is not asked where to.
    for (const { replication } of this.nodes) await replication[Symbol.asyncDispose]();
    for (const link of this.#addresses) await link[Symbol.asyncDispose]();
    for (const { postgres, disk } of this.nodes.splice(0)) {
      await postgres[Symbol.asyncDispose]();
      disk?.[Symbol.dispose]();
    }
  }

  #nodeAt(nth: number): Node {
    const node = this.nodes[nth];
    if (node === undefined) throw new Error(`there is no node ${nth}`);
    return node;
  }
}
