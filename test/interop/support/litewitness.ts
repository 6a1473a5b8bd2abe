/** litewitness as its operator runs it: a key in an ssh-agent, a database, a process. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { base64, emptyRoot } from '@tallystick/core';
import { freePort } from '@tallystick/server';
import { eventually } from '../../system/support/waiting.ts';

export class Litewitness {
  readonly url: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #address: string;
  readonly #fingerprint: string;
  readonly #agent: ChildProcess;
  #process: ChildProcess | null = null;
  /** What it wrote to standard error. */
  log = '';

  private constructor(program: string, folder: string, address: string) {
    this.#program = program;
    this.#folder = folder;
    this.#address = address;
    this.url = `http://${address}`;
    const key = join(folder, 'witness.pem');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    this.#fingerprint = execFileSync('ssh-keygen', ['-l', '-f', key]).toString().split(' ')[1] ?? '';
    this.#agent = spawn('ssh-agent', ['-D', '-a', this.#socket], { stdio: 'ignore' });
  }

  /** Starts one that cosigns for a log. `vkey` is the log's Ed25519 key. */
  static async start(program: string, log: { origin: string; vkey: string }): Promise<Litewitness> {
    const folder = mkdtempSync(join(tmpdir(), 'tally-lw-'));
    const witness = new Litewitness(program, folder, `127.0.0.1:${await freePort()}`);
    await eventually('the agent', () => existsSync(witness.#socket));
    const env = { ...process.env, SSH_AUTH_SOCK: witness.#socket };
    execFileSync('ssh-add', ['-q', join(folder, 'witness.pem')], { env, stdio: 'pipe' });
    await witness.up();
    witness.#add(log);
    return witness;
  }

  get vkey(): string {
    return /verifier key" vkey=(\S+)/.exec(this.log)?.[1] ?? '';
  }

  async up(): Promise<void> {
    const given = ['-db', this.#database, '-ssh-agent', this.#socket, '-name', 'witness.example/lw'];
    const child = spawn(this.#program, [...given, '-key', this.#fingerprint, '-listen', this.#address], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    await eventually('litewitness', () => fetch(this.url).catch(() => null));
  }

  async down(): Promise<void> {
    await ended(this.#process);
    this.#process = null;
  }

  /**
   * What `witnessctl add-log` and `add-key` do. They are not used, because they cannot be built without the modules of
   * Sigsum, which not every mirror of modules has.
   */
  #add({ origin, vkey }: { origin: string; vkey: string }): void {
    using database = new DatabaseSync(this.#database, { timeout: 5000 });
    database.prepare('INSERT INTO log VALUES (?, 0, ?)').run(origin, base64(emptyRoot));
    database.prepare('INSERT INTO key VALUES (?, ?)').run(origin, vkey);
  }

  get #socket(): string {
    return join(this.#folder, 'agent');
  }

  get #database(): string {
    return join(this.#folder, 'witness.db');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    await ended(this.#agent);
    rmSync(this.#folder, { recursive: true });
  }
}

async function ended(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
