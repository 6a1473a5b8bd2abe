/** Who runs a system, at its command line. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, run } from '@tallystick/cli';
import { makePassphrase } from '@tallystick/signer';
import type { RealSystem } from './real-system.ts';
import { eventually, sleep } from './waiting.ts';

/** What is meant as a file in the operator's folder. */
const fileName = /^[\w.-]+\.(?:json|yaml|txt|tally|sealed|pub|pdf)$/;

/** Of whoever makes keys here. What people choose is stretched by scrypt, which takes longer than what these tests look at. */
const passphrase = makePassphrase();

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** What opens the authority's key. */
export interface Opening {
  keystore: string;
  secret: string;
}

export class Operator {
  readonly #system: Pick<RealSystem, 'layout' | 'directory'>;
  /** What somebody at the terminal does; nobody is there where it is left as it is. */
  ask: Context['ask'] = async () => null;
  openBrowser: Context['openBrowser'] = async () => false;
  isThere = false;
  env: Record<string, string>;

  constructor(system: Pick<RealSystem, 'layout' | 'directory'>) {
    this.#system = system;
    this.env = { TALLY_DATA: system.layout.root };
  }

  /** A file in the operator's folder. */
  path(name: string): string {
    return join(this.#system.directory, name);
  }

  write(name: string, text: string, mode = 0o644): void {
    writeFileSync(this.path(name), text, { mode });
  }

  /** Runs a command line as a terminal in that folder would, in this process: starting one takes a second. */
  async tally(...args: string[]): Promise<Ended> {
    const written = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof written): Context['stdout'] => ({
      write: (text) => {
        written[name] += text;
      },
      isTTY: this.isThere,
      columns: null,
    });
    const context = (setExitCode: (code: number) => void): Context => ({
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      env: this.env,
      signal: new AbortController().signal,
      now: () => Date.now(),
      newKey: () => randomUUID(),
      readStdin: async () => new Uint8Array(0),
      ask: this.ask,
      openBrowser: this.openBrowser,
      sleep: (ms) => sleep(ms),
      setExitCode,
    });
    const code = await run(
      args.map((arg) => (fileName.test(arg) ? this.path(arg) : arg)),
      context,
    );
    return { code, ...written };
  }

  /** As `tally`, which must succeed; its answer. */
  async must<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.tally(...args, '--json');
    if (code !== 0) throw new Error(`tally ${args.join(' ')}: ${code} ${stderr}${stdout}`);
    return JSON.parse(stdout) as T;
  }

  async issue(): Promise<string> {
    const { document } = await this.must<{ document: { id: string } }>(
      'issue',
      '--plan',
      'pro-yearly',
      '--wait',
    );
    return document.id;
  }

  /** What `tally verify` says of the newest file of a license, pinning `trustRoot`. */
  async verdict(id: string, trustRoot: string = this.#system.layout.trustRoot): Promise<string> {
    const file = this.path(`${id}.tally`);
    await this.must('bundle', id, '--out', file);
    const pin = ['--trust-root', trustRoot, '--namespace', 'acme', '--product', 'pro'];
    const { stdout } = await this.tally('verify', file, ...pin);
    return stdout.split(/\s/)[0] ?? '';
  }

  /** Proposes a revision of the namespace and has the authority sign it. */
  async signRevision(file: string, { keystore, secret }: Opening, ...changes: string[]): Promise<void> {
    const { hash } = await this.must<{ hash: string }>('namespace', 'propose', '--out', file, ...changes);
    const opening = ['--keystore', keystore, '--passphrase-file', secret];
    await this.must('namespace', 'sign', file, ...opening, '--hash', hash.slice(0, 8));
  }

  /** Proposes, signs with the authority's keystore, and submits. */
  async revise(...changes: string[]): Promise<void> {
    const { keys, secrets } = this.#system.layout;
    const opening = { keystore: keys.offline, secret: secrets.offlinePassphrase };
    await this.signRevision('revision.json', opening, ...changes);
    await this.submit('revision.json');
  }

  /** Submits, again until the signer has taken in new keys. */
  async submit(file: string): Promise<void> {
    await eventually('the signer has the key', async () => {
      const { code, stderr } = await this.tally('namespace', 'submit', file);
      if (code !== 0 && !stderr.includes('does not hold')) throw new Error(stderr);
      return code === 0;
    });
  }

  /** What opens the key that `makeKey` made. */
  holder(name: string): Opening {
    return { keystore: this.path(`${name}.sealed`), secret: this.path('passphrase.txt') };
  }

  /** Somebody makes keys of their own; the public line of each. */
  async makeKeys(name: string, ...flags: string[]): Promise<string[]> {
    const { keystore, secret } = this.holder(name);
    this.write('passphrase.txt', `${passphrase}\n`, 0o600);
    const opening = ['--out', keystore, '--passphrase-file', secret];
    const made = await this.must<{ keys: { line: string }[] }>(
      'root',
      'key',
      '--name',
      name,
      ...opening,
      ...flags,
    );
    return made.keys.map(({ line }) => line);
  }

  /**
   * A root ceremony in one go: proposes what `changes` says, each of the holders signs, and the signatures are joined into
   * `trust-root-<version>.json`, whose path it returns.
   */
  async ceremony(
    from: string,
    version: number,
    changes: string,
    holders: readonly Opening[],
  ): Promise<string> {
    this.write(`changes-${version}.yaml`, `version: ${version}\n${changes}`);
    const proposal = `trust-root-${version}.proposal.json`;
    const trust = ['--from', from];
    const { review } = await this.must<{ review: { payloadHash: string } }>(
      'root',
      'propose',
      ...trust,
      '--changes',
      `changes-${version}.yaml`,
      '--out',
      proposal,
    );
    const signatures: string[] = [];
    for (const { keystore, secret } of holders) {
      const flags = ['--key', keystore, '--passphrase-file', secret, '--yes-i-reviewed', review.payloadHash];
      const signing = ['root', 'sign', proposal, ...trust, ...flags];
      const made = await this.must<{ signatures: { path: string }[] }>(...signing);
      signatures.push(...made.signatures.map(({ path }) => path));
    }
    await this.must('root', 'join', proposal, ...signatures, ...trust);
    const next = this.path(`trust-root-${version}.json`);
    await this.must('root', 'verify', next, '--known', from);
    return next;
  }
}
