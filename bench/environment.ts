import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { formatNumber, percentile } from './report.ts';

/** A latency in microseconds. */
export interface Latency {
  readonly medianUs: number;
  readonly p99Us: number;
}

/** What a benchmark's figures depend on besides the program. */
export interface Environment {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly sqlite: string;
  readonly filesystem: string;
  /** Runnable processes over the last minute before the measurement: what else the machine was doing. */
  readonly load1: number;
}

/** What a durable write costs on a disk. */
export interface DiskLatency {
  /** Appending 4 KiB to a file and syncing it. */
  readonly fsync: Latency;
  /** Inserting one row in a transaction of its own: SQLite, WAL, `synchronous = FULL`. */
  readonly commit: Latency;
}

const SAMPLES = 200;

/** Magic numbers of statfs(2), from linux/magic.h and the filesystems' own headers. */
const FILESYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  16914836: 'tmpfs (nothing is durable)',
  2035054128: 'overlayfs',
};

function sample(action: () => void): Latency {
  const times: number[] = [];
  for (let count = 0; count < SAMPLES; count++) {
    const startedAt = performance.now();
    action();
    times.push((performance.now() - startedAt) * 1000);
  }
  times.sort((a, b) => a - b);
  return { medianUs: percentile(times, 50), p99Us: percentile(times, 99) };
}

/** Measures the disk under `directory`; the file it writes is removed again. */
export function measureFsync(directory: string): Latency {
  const path = join(directory, 'fsync-probe.bin');
  const page = Buffer.alloc(4096, 0x5a);
  const file = openSync(path, 'w');
  try {
    return sample(() => {
      writeSync(file, page);
      fsyncSync(file);
    });
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

/** Measures the smallest durable SQLite transaction under `directory`; the database is removed again. */
export function measureCommit(directory: string): Latency {
  const path = join(directory, 'commit-probe.sqlite');
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('CREATE TABLE probe (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT');
    const insert = database.prepare('INSERT INTO probe (value) VALUES (?)');
    const value = Buffer.alloc(100, 0x5a);
    return sample(() => {
      insert.run(value);
    });
  } finally {
    database.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  }
}

/** Measures both (about 0.1 s on a fast disk). */
export function measureDisk(directory: string): DiskLatency {
  return { fsync: measureFsync(directory), commit: measureCommit(directory) };
}

/** Describes the machine, and the filesystem under `directory`. */
export function describeEnvironment(directory: string): Environment {
  const filesystem = statfsSync(directory).type;
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: totalmem() / 2 ** 30,
    kernel: `${type()} ${release()} ${arch()}`,
    node: process.version,
    sqlite: process.versions.sqlite ?? 'unknown',
    filesystem: FILESYSTEMS[filesystem] ?? `0x${filesystem.toString(16)}`,
    load1: loadavg()[0] ?? Number.NaN,
  };
}

function formatLatency(latency: Latency): string {
  return `${formatNumber(latency.medianUs)} µs (p99 ${formatNumber(latency.p99Us)} µs)`;
}

/** The environment as one line of Markdown. */
export function formatEnvironment(environment: Environment): string {
  const { cpu, cores, memoryGiB, kernel, node, sqlite, filesystem, load1 } = environment;
  return (
    `${cpu}, ${cores} cores, ${formatNumber(memoryGiB, 1)} GiB; ${kernel}, ${filesystem}; ` +
    `Node ${node}, SQLite ${sqlite}; load before the run ${load1.toFixed(2)}.`
  );
}

/**
 * The disk before and after a run as one line of Markdown: where the two differ, somebody else was using the disk
 * and the figures between them are worth less.
 */
export function formatDisk(before: DiskLatency, after: DiskLatency): string {
  return (
    `Disk before the run: 4 KiB write + fsync ${formatLatency(before.fsync)}, ` +
    `one-row durable SQLite commit ${formatLatency(before.commit)}; ` +
    `after: ${formatLatency(after.fsync)}, ${formatLatency(after.commit)}.`
  );
}
