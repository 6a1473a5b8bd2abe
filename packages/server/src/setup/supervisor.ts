/**
 * Runs the processes of an embedded system: cosigners, signer, server. A process that dies is started
 * again; the supervisor holds their channel, so that none outlives it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, unwatchFile, watchFile, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  awsCredentialFiles,
  type CellFiles,
  finishDestruction,
  type Launch,
  pinRefusedExitCode,
  signerLaunch,
} from '@tallystick/signer';
import type { AccessLogDescription } from './access-log.ts';
import { beginAccessLog } from './access-log.ts';
import type { ClientDescription, SystemDescription, SystemPorts } from './create-system.ts';
import { freePort } from './free-port.ts';
import { type Layout, layoutOf } from './layout.ts';
import { Predecessor } from './predecessor.ts';
import { storePlaceOf } from './store-place.ts';
import { readClientDescription, readSystemFile } from './system-file.ts';

export interface SupervisorEvents {
  /** One line that a process wrote to its standard error. */
  onLine(process: string, line: string): void;
  /** A process died and is started again. */
  onRestart(process: string, cause: string): void;
  /** A process started; `pid` for people and tests. */
  onStart?(process: string, pid: number): void;
}

export interface SupervisorOptions {
  directory: string;
  /** Replaces the ports of the description. */
  ports?: SystemPorts;
  /** Replaces members of the server's configuration: times, limits. */
  server?: Record<string, unknown>;
  /** Replaces the program of the server: for measuring another one beside it. */
  serverProgram?: string;
}

/** From the start of a process, or the last line that it wrote, until it listens. */
const startTimeoutMs = 120_000;
const stopTimeoutMs = 15_000;
/** Between two tries to start a process while one of a killed supervisor holds what it needs. */
const leftoverDelayMs = 200;
const keystoreIntervalMs = 500;
const restartDelaysMs = [100, 200, 500, 1000, 2000, 5000];
/** A process that ran this long before it died starts over with the shortest delay. */
const healthyMs = 30_000;

const mains = {
  cosigner: fileURLToPath(import.meta.resolve('@tallystick/witness/main')),
  server: fileURLToPath(new URL('../main.ts', import.meta.url)),
} as const;

interface Child {
  name: string;
  launch: Launch;
  process: ChildProcess | null;
  startedAt: number;
  failures: number;
}

/** A process that ended before it listened, with what it said. */
class StartFailure extends Error {
  override readonly name = 'StartFailure';
  readonly code: number | null;

  constructor(message: string, code: number | null) {
    super(message);
    this.code = code;
  }
}

export class Supervisor {
  readonly layout: Layout;
  readonly #events: SupervisorEvents;
  readonly #children: Child[] = [];
  #predecessor: Predecessor | null = null;
  #isStopping = false;
  #urls: { public: string; admin: string; ops: string } | null = null;

  private constructor(layout: Layout, events: SupervisorEvents) {
    this.layout = layout;
    this.#events = events;
  }

  /** Starts every process; rejects where one cannot, with what it said. */
  static async start(options: SupervisorOptions, events: SupervisorEvents): Promise<Supervisor> {
    const supervisor = new Supervisor(layoutOf(options.directory), events);
    try {
      await supervisor.#startAll(options);
      return supervisor;
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
  }

  get urls(): { public: string; admin: string; ops: string } {
    if (this.#urls === null) throw new Error('the server has not started');
    return this.#urls;
  }

  /** Process id by name: `server`, `signer`, or a cosigner's folder. */
  pidOf(name: string): number | undefined {
    return this.#children.find((child) => child.name === name)?.process?.pid;
  }

  /** Ends every process, the server first. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    unwatchFile(this.layout.keys.online);
    for (const child of [...this.#children].reverse()) await end(child.process);
    this.#predecessor?.leave();
  }

  async #startAll({ ports, server, serverProgram = mains.server }: SupervisorOptions): Promise<void> {
    const { layout } = this;
    const found = readSystemFile(layout);
    const client = readClientDescription(layout);
    // No backup has it.
    mkdirSync(layout.run, { recursive: true, mode: 0o700 });
    this.#predecessor = Predecessor.follow(`${layout.run}/supervisor.pid`);
    const system = found.access === undefined ? await this.#beginAccessLog(found) : found;
    const chosen = await choosePorts(ports ?? system.ports);
    // Before anybody follows the keystore: a signer that starts does not take signals yet.
    finishDestruction({ keystore: layout.keys.online, passphraseFile: layout.secrets.onlinePassphrase });
    this.#followKeystore(layout.keys.online);
    await this.#launch('signer', signerLaunchOf(layout, system));
    const cosigners: Record<string, string> = { ...system.cosignerUrls };
    const starting = system.cosigners.map(async ({ name, folder, kind }) => {
      const port = await freePort();
      const config = writeConfig(
        layout,
        folder,
        cosignerConfig(layout, system, { name, folder, kind, port }, chosen.public),
      );
      await this.#launch(folder, nodeLaunch(mains.cosigner, kind, 'serve', '--config', config));
      cosigners[name] = `http://127.0.0.1:${port}`;
    });
    await Promise.all(starting);
    const config = { ...serverConfig(layout, system, chosen), cosigners, ...server };
    const line = await this.#launch(
      'server',
      nodeLaunch(serverProgram, writeConfig(layout, 'server', config)),
    );
    this.#urls = line.listening as typeof this.urls;
    this.#rememberAddresses(client ?? { namespace: system.ns });
  }

  /** Of a system that an earlier version made. */
  async #beginAccessLog(system: SystemDescription): Promise<SystemDescription> {
    // Another server of the same log has one of its own.
    const suffix = system.shared === undefined ? null : randomBytes(4).toString('hex');
    for (;;) {
      try {
        return beginAccessLog(this.layout, system, suffix);
      } catch (error) {
        if (this.#isStopping || this.#predecessor?.mayPass(error) !== true) throw error;
        await after(leftoverDelayMs);
      }
    }
  }

  /** Keys that come into the keystore or leave it do so in the signer a moment later. */
  #followKeystore(file: string): void {
    watchFile(file, { interval: keystoreIntervalMs, persistent: false }, ({ nlink }) => {
      // Told also where there is no file, which a signer that starts says better than one that is stopped by this.
      if (nlink === 0) return;
      const signer = this.#children.find(({ name }) => name === 'signer')?.process;
      signer?.kill('SIGHUP');
    });
  }

  async #launch(name: string, launch: Launch): Promise<Record<string, unknown>> {
    const child: Child = { name, launch, process: null, startedAt: 0, failures: 0 };
    this.#children.push(child);
    for (;;) {
      try {
        return await this.#spawn(child);
      } catch (error) {
        if (this.#isStopping || this.#predecessor?.mayPass(error) !== true) throw error;
        await after(leftoverDelayMs);
      }
    }
  }

  /** Starts a process and resolves with the line in which it says that it listens. */
  #spawn(child: Child): Promise<Record<string, unknown>> {
    const { command, args, env } = child.launch;
    const started = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    child.process = started;
    child.startedAt = Date.now();
    if (started.pid !== undefined) this.#events.onStart?.(child.name, started.pid);
    let lastWords = '';
    let isListening = false;
    // Gone before the next one is started: it holds what that one needs, and nobody would end it any more.
    const timer = setTimeout(() => {
      lastWords = `${child.name} did not start in time`;
      started.kill('SIGKILL');
    }, startTimeoutMs);
    if (started.stderr !== null) {
      createInterface({ input: started.stderr }).on('line', (line) => {
        // What is JSON was an alarm, an event or progress, and not why a process ended.
        if (!line.startsWith('{')) lastWords = line;
        // Whoever reads a long log says how far it is.
        if (!isListening) timer.refresh();
        this.#events.onLine(child.name, line);
      });
    }
    return new Promise((resolve, reject) => {
      if (started.stdout !== null) {
        createInterface({ input: started.stdout }).once('line', (line) => {
          isListening = true;
          clearTimeout(timer);
          resolve(JSON.parse(line) as Record<string, unknown>);
        });
      }
      started.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      started.once('exit', (code, signal) => {
        clearTimeout(timer);
        child.process = null;
        if (!isListening)
          reject(new StartFailure(lastWords || `${child.name} ended at its start (${signal ?? code})`, code));
        else if (!this.#isStopping)
          this.#restart(child, `${signal ?? `code ${code}`}${lastWords && `: ${lastWords}`}`);
      });
    });
  }

  #restart(child: Child, cause: string): void {
    if (Date.now() - child.startedAt > healthyMs) child.failures = 0;
    const delay = restartDelaysMs[Math.min(child.failures, restartDelaysMs.length - 1)] ?? 5000;
    child.failures += 1;
    this.#events.onRestart(child.name, cause);
    setTimeout(() => {
      if (this.#isStopping) return;
      this.#spawn(child).catch((error: unknown) => {
        if (this.#isStopping) return;
        const why = error instanceof Error ? error.message : String(error);
        // Each start is a try, and a token locks after a few.
        if (error instanceof StartFailure && error.code === pinRefusedExitCode)
          this.#events.onLine(child.name, `not started again by itself: ${why}`);
        else this.#restart(child, why);
      });
    }, delay);
  }

  /** Ports may have been chosen at this start: the command line reads where to go. */
  #rememberAddresses(client: Partial<ClientDescription>): void {
    const { admin, public: open } = this.urls;
    const { trustRoot: trustRootFile } = this.layout;
    const next = { ...client, adminUrl: admin, publicUrl: open, trustRootFile };
    // Beside and then in its place: the file holds the only copy of the token, and the disk may be full.
    const partial = `${this.layout.client}.partial`;
    writeFileSync(partial, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(partial, this.layout.client);
  }
}

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

function writeConfig(layout: Layout, name: string, config: object): string {
  const file = `${layout.run}/${name}.json`;
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return file;
}

function nodeLaunch(...args: string[]): Launch {
  const command = process.execPath;
  return { command, args: ['--disable-warning=ExperimentalWarning', ...args], env: process.env };
}

/** The signer is started into a cell of its own. */
function signerLaunchOf(layout: Layout, system: SystemDescription): Launch {
  const files: CellFiles = {
    socket: layout.signer.socket,
    keystore: layout.keys.online,
    passphraseFile: layout.secrets.onlinePassphrase,
    mark: layout.signer.mark,
    ...(system.access && { access: { origin: system.access.origin, mark: layout.signer.accessMark } }),
    journal: layout.signer.journal,
    trustRoot: layout.trustRoot,
    ...(system.tokenPinFile && {
      token: { description: layout.keys.token, pinFile: system.tokenPinFile },
    }),
    ...(system.cloudLogKey && {
      cloud: { description: layout.keys.cloud, credentialFiles: credentialFilesOf(system.cloudLogKey) },
    }),
  };
  mkdirSync(dirname(files.socket), { recursive: true, mode: 0o700 });
  const shared = system.shared === undefined ? {} : { shared: true };
  return signerLaunch(writeConfig(layout, 'signer', { ...files, origin: system.origin, ...shared }), files);
}

function credentialFilesOf({ vaultTokenFile }: NonNullable<SystemDescription['cloudLogKey']>): string[] {
  return vaultTokenFile === null ? awsCredentialFiles(process.env) : [vaultTokenFile];
}

function cosignerConfig(
  layout: Layout,
  system: SystemDescription,
  cosigner: SystemDescription['cosigners'][number] & { port: number },
  publicPort: number,
): object {
  const { key, state } = layout.cosigner(cosigner.folder);
  const log = { origin: system.origin, vkeys: system.logVkeys };
  const url = system.shared?.logUrl ?? `http://127.0.0.1:${publicPort}`;
  const replayed = {
    logUrl: `${url}/log`,
    trustUrl: `${url}/trust`,
    tokenFile: layout.secrets.mirrorToken,
    genesis: system.genesis,
  };
  return {
    name: cosigner.name,
    listen: { host: '127.0.0.1', port: cosigner.port },
    stateFile: state,
    keyFile: key,
    logs: cosigner.kind === 'replayer' ? [{ ...log, ...replayed }] : [log, ...accessLogs(system)],
    // Who may read the log's tiles may read the mirror's.
    ...(cosigner.kind === 'replayer' && { tokenHashes: [system.mirrorTokenHash] }),
  };
}

function accessLogs({ access }: SystemDescription): { origin: string; vkeys: string[] }[] {
  return access === undefined ? [] : [{ origin: access.origin, vkeys: [access.vkey] }];
}

function accessLogConfig({ access: file }: Layout, { origin, keepAtLeast }: AccessLogDescription): object {
  return { file, origin, ...(keepAtLeast !== undefined && { keepAtLeast }) };
}

function serverConfig(layout: Layout, system: SystemDescription, ports: SystemPorts): object {
  const listener = (port: number): object => ({ host: '127.0.0.1', port });
  return {
    ns: system.ns,
    ...storePlaceOf(layout, system),
    ...(system.shared && { shared: { address: system.shared.address } }),
    projections: layout.ledger.projections,
    ...(system.access && { accessLog: accessLogConfig(layout, system.access) }),
    signerSocket: layout.signer.socket,
    trustRoot: layout.trustRoot,
    licenseKeySecret: layout.secrets.licenseKeySecret,
    adminTokenHash: system.adminTokenHash,
    mirrorTokenHash: system.mirrorTokenHash,
    ...system.edge,
    ...(system.contentKeys && { contentKeys: system.contentKeys }),
    listeners: { public: listener(ports.public), admin: listener(ports.admin), ops: listener(ports.ops) },
  };
}

/** The replayer must know the server's address before the server runs. */
async function choosePorts(ports: SystemPorts): Promise<SystemPorts> {
  return {
    public: ports.public === 0 ? await freePort() : ports.public,
    admin: ports.admin === 0 ? await freePort() : ports.admin,
    ops: ports.ops === 0 ? await freePort() : ports.ops,
  };
}
