/** What goes wrong: each fault is brought about, left for a while, and mended. */
import { FailingSync } from '../../system/support/faulty-disk.ts';
import type { SeededRandom } from '../../system/support/seeded-random.ts';
import { eventually, sleep } from '../../system/support/waiting.ts';
import type { Arena, CosignerName, Party } from './arena.ts';
import { runs, signalAll, treeOf } from './processes.ts';
import { SlowSync } from './slow-sync.ts';

interface Scene {
  arena: Arena;
  random: SeededRandom;
  writer: Party;
  follower: Party;
}

export interface Fault {
  kind: string;
  /** What it concerns: two faults at once concern different things. */
  on: 'database' | 'servers' | 'signers' | 'cosigners' | 'clients';
  /** How many of the faults of a round are of this kind. */
  count: number;
  /** Resolves when what was done is mended; what dies by itself is started again by its supervisor. */
  run: (scene: Scene) => Promise<void>;
}

/** Longer than a lease, so that another server takes over. */
const pastLeaseMs = 2600;
const syncWaitMs = 2000;
const slowDisk = 'slow the disk of the primary';
const fullDisk = 'fill the disk of the primary';

const both = ({ writer, follower }: Scene): Party[] => [writer, follower];
const someTime = (random: SeededRandom, least: number, most: number): Promise<void> =>
  sleep(least + random.below(most - least));

/** Kills a process that is started again by itself, and resolves when another one is there. */
async function killed(party: Party, name: string): Promise<void> {
  const { system } = party;
  const pid = system.supervisor.pidOf(name);
  if (pid === undefined) return;
  signalAll([pid], 'SIGKILL');
  await eventually(`another ${name}`, () => {
    const next = system.supervisor.pidOf(name);
    return next !== undefined && next !== pid;
  });
}

const killedCosigner =
  (name: CosignerName) =>
  async ({ arena }: Scene): Promise<void> => {
    await killed(arena.parties[0], name);
  };

const serverFaults: Fault[] = [
  {
    kind: 'kill the server that writes',
    on: 'servers',
    count: 3,
    run: ({ writer }) => killed(writer, 'server'),
  },
  {
    kind: 'kill the server that follows',
    on: 'servers',
    count: 2,
    run: ({ follower }) => killed(follower, 'server'),
  },
  {
    kind: 'stop the server that writes in order',
    on: 'servers',
    count: 1,
    run: async ({ writer: { system } }) => {
      const pid = system.pid('server');
      system.kill('server', 'SIGTERM');
      await eventually('it to end', () => !runs(pid));
    },
  },
  {
    kind: 'freeze the server that writes past its lease',
    on: 'servers',
    count: 2,
    run: async ({ writer }) => {
      const pid = writer.system.pid('server');
      signalAll([pid], 'SIGSTOP');
      await sleep(pastLeaseMs);
      signalAll([pid], 'SIGCONT');
    },
  },
  {
    kind: 'freeze the server that writes for a moment',
    on: 'servers',
    count: 2,
    run: async ({ writer, random }) => {
      const pid = writer.system.pid('server');
      signalAll([pid], 'SIGSTOP');
      await someTime(random, 200, 900);
      signalAll([pid], 'SIGCONT');
    },
  },
  {
    kind: 'kill the signer of the server that writes',
    on: 'signers',
    count: 3,
    run: ({ writer }) => killed(writer, 'signer'),
  },
  {
    kind: 'kill the signer of the server that follows',
    on: 'signers',
    count: 1,
    run: ({ follower }) => killed(follower, 'signer'),
  },
];

const cosignerFaults: Fault[] = [
  { kind: 'kill a witness', on: 'cosigners', count: 2, run: killedCosigner('witness-1') },
  { kind: 'kill the other witness', on: 'cosigners', count: 2, run: killedCosigner('witness-2') },
  {
    kind: 'kill both witnesses',
    on: 'cosigners',
    count: 1,
    run: async (scene) => {
      await Promise.all([killedCosigner('witness-1')(scene), killedCosigner('witness-2')(scene)]);
    },
  },
  { kind: 'kill the replayer', on: 'cosigners', count: 2, run: killedCosigner('replayer-1') },
  {
    kind: 'cut servers off from cosigners',
    on: 'cosigners',
    count: 2,
    run: async (scene) => {
      const links = both(scene).flatMap(({ cosigners }) => [...cosigners.values()]);
      for (const link of links) link.close();
      await someTime(scene.random, 100, 600);
      for (const link of links) link.open();
    },
  },
  {
    kind: 'half-open connections to cosigners',
    on: 'cosigners',
    count: 2,
    run: async ({ writer, random }) => {
      const links = [...writer.cosigners.values()];
      for (const link of links) link.hold();
      await someTime(random, 200, 900);
      for (const link of links) {
        if (random.below(2) === 0) link.cut();
        link.open();
      }
    },
  },
];

const connectionFaults: Fault[] = [
  {
    kind: 'cut clients off',
    on: 'clients',
    count: 2,
    run: async (scene) => {
      for (const { clients } of both(scene)) clients.cut();
    },
  },
  {
    kind: 'half-open connections of clients',
    on: 'clients',
    count: 2,
    run: async (scene) => {
      for (const { clients } of both(scene)) clients.hold();
      await someTime(scene.random, 200, 1800);
      for (const { clients } of both(scene)) {
        if (scene.random.below(2) === 0) clients.cut();
        clients.open();
      }
    },
  },
  {
    kind: 'cut the server that writes off from the database',
    on: 'database',
    count: 3,
    run: async ({ writer }) => writer.database.cut(),
  },
  {
    kind: 'cut the server that follows off from the database',
    on: 'database',
    count: 1,
    run: async ({ follower }) => follower.database.cut(),
  },
  {
    kind: 'half-open connections to the database for a moment',
    on: 'database',
    count: 3,
    run: async ({ writer, random }) => {
      writer.database.hold();
      await someTime(random, 200, 900);
      if (random.below(2) === 0) writer.database.cut();
      writer.database.open();
    },
  },
  {
    kind: 'half-open connections to the database past the lease',
    on: 'database',
    count: 1,
    run: async ({ writer, random }) => {
      writer.database.hold();
      await sleep(pastLeaseMs);
      if (random.below(2) === 0) writer.database.cut();
      writer.database.open();
    },
  },
];

/** Has the writing backend wait for standbys that are cut off, does something to it, and lets them come back. */
const inSyncWait =
  (end: 'pg_cancel_backend' | 'pg_terminate_backend') =>
  async ({ arena: { database }, random }: Scene): Promise<void> => {
    for (const { replication } of database.standbys) replication.hold();
    const pid = await database.writerInSyncWait(syncWaitMs);
    if (pid !== null) await database.primary.postgres.sql(`SELECT ${end}(${pid})`);
    await someTime(random, 50, 300);
    for (const { replication } of database.standbys) replication.open();
  };

const databaseFaults: Fault[] = [
  {
    kind: 'kill the primary and promote a standby',
    on: 'database',
    count: 2,
    run: async ({ arena: { database } }) => {
      const old = database.primary;
      await database.kill(old);
      await database.promote();
      await database.rebuild(old);
    },
  },
  {
    kind: 'promote a standby beside a primary that wakes',
    on: 'database',
    count: 1,
    run: async ({ arena: { database }, writer, follower, random }) => {
      const old = database.primary;
      const pids = database.freeze(old);
      // The server that writes goes on talking to the old one.
      writer.database.hold();
      await database.promote([follower.database]);
      signalAll(pids, 'SIGCONT');
      writer.database.open();
      await someTime(random, 200, 800);
      writer.database.cut();
      await database.kill(old);
      await database.rebuild(old);
    },
  },
  {
    // What the old one shows by then, none of the others ever has.
    kind: 'cancel a write that no standby has and promote one',
    on: 'database',
    count: 2,
    run: async ({ arena: { database }, random }) => {
      const old = database.primary;
      for (const { replication } of database.standbys) replication.hold();
      const pid = await database.writerInSyncWait(syncWaitMs);
      if (pid !== null) await old.postgres.sql(`SELECT pg_cancel_backend(${pid})`);
      await someTime(random, 50, 300);
      await database.kill(old);
      await database.promote();
      await database.rebuild(old);
    },
  },
  {
    kind: 'kill the primary and start it again',
    on: 'database',
    count: 2,
    run: async ({ arena: { database } }) => {
      await database.kill(database.primary);
      await database.primary.postgres.start();
      await database.whole();
    },
  },
  {
    kind: 'kill a standby of the database',
    on: 'database',
    count: 1,
    run: async ({ arena: { database }, random }) => {
      const node = database.standbys[random.below(2)];
      if (node === undefined) return;
      await database.kill(node);
      await node.postgres.start();
      await database.whole();
    },
  },
  {
    kind: 'cancel a write in the wait for standbys',
    on: 'database',
    count: 2,
    run: inSyncWait('pg_cancel_backend'),
  },
  {
    kind: 'end a backend in the wait for standbys',
    on: 'database',
    count: 2,
    run: inSyncWait('pg_terminate_backend'),
  },
  {
    kind: 'end every backend',
    on: 'database',
    count: 2,
    run: async ({ arena: { database } }) => {
      const all =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tallystick%'";
      await database.primary.postgres.sql(all);
    },
  },
  {
    kind: 'partition the standbys away',
    on: 'database',
    count: 2,
    run: async ({ arena: { database }, random }) => {
      for (const { replication } of database.standbys) replication.close();
      await someTime(random, 300, 1200);
      for (const { replication } of database.standbys) replication.open();
      await database.whole();
    },
  },
  {
    kind: 'stop the primary for a moment',
    on: 'database',
    count: 1,
    run: async ({ arena: { database }, random }) => {
      const pids = database.freeze(database.primary);
      await someTime(random, 200, 900);
      signalAll(pids, 'SIGCONT');
    },
  },
  {
    kind: slowDisk,
    on: 'database',
    count: 2,
    run: async ({ arena: { database }, random }) => {
      const slow = await SlowSync.begin(treeOf(database.primary.postgres.pid), 60_000);
      await someTime(random, 500, 1000);
      await slow.end();
    },
  },
  {
    kind: fullDisk,
    on: 'database',
    count: 2,
    run: async ({ arena: { database }, random }) => {
      const { disk, postgres } = database.primary;
      disk?.fill();
      await someTime(random, 300, 1000);
      disk?.free();
      // It gives up where it cannot recover, and is started again as by its unit.
      if (!postgres.isRunning) await postgres.start();
      await database.whole();
    },
  },
];

/** Those that can be brought about here; names of the others, with the reason, in `skipped`. */
export async function faultsFor(arena: Arena): Promise<{ faults: Fault[]; skipped: string[] }> {
  const isMounted = arena.database.nodes.every(({ disk }) => disk !== null);
  const reasons: Record<string, string | null> = {
    [fullDisk]: isMounted ? null : 'no file system can be mounted',
    [slowDisk]: await FailingSync.whyImpossible(),
  };
  const all = [...serverFaults, ...cosignerFaults, ...connectionFaults, ...databaseFaults];
  const isPossible = ({ kind }: Fault): boolean => (reasons[kind] ?? null) === null;
  const skipped = all.filter((fault) => !isPossible(fault)).map(({ kind }) => `${kind}: ${reasons[kind]}`);
  return { faults: all.filter(isPossible), skipped };
}
