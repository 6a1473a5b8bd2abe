/** The signer as a process of its own, started into its cell as it should be, or wrongly on purpose. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyRoot, formatTrustRootFile, parseTrustRoot } from '@tallystick/core';
import type { CellFiles } from '../../src/cell/files.ts';
import { signerLaunch } from '../../src/cell/launch.ts';
import { Journal } from '../../src/journal/journal.ts';
import { makePassphrase } from '../../src/keystore/key-derivation.ts';
import { createSealedKeystore } from '../../src/keystore/sealed-file.ts';
import { type KeySpec, SigningKey } from '../../src/keystore/signing-key.ts';
import { Mark } from '../../src/mark.ts';
import { scratchDirectory } from './scratch.ts';
import { at, keySpecs, knowKeys, origin } from './signing.ts';
import { TestTrust } from './trust.ts';

export const passphrase: string = makePassphrase();

/** A keystore, a passphrase, a mark, a journal, a trust root and a configuration that names them, as they lie in a data folder. */
export class SignerFiles {
  readonly directory: string = scratchDirectory();
  readonly configFile: string = join(this.directory, 'run', 'signer.json');
  config: CellFiles & { origin: string };

  constructor() {
    const file = (folder: string, name: string): string => join(this.directory, folder, name);
    for (const folder of ['run', 'keys', 'secrets', 'signer']) mkdirSync(file(folder, ''), { mode: 0o700 });
    this.config = {
      socket: file('signer', 'signer.sock'),
      keystore: file('keys', 'keystore.json'),
      passphraseFile: file('secrets', 'passphrase'),
      mark: file('signer', 'mark.db'),
      journal: file('signer', 'journal'),
      origin,
      trustRoot: join(this.directory, 'trust-root.json'),
    };
    const trust = new TestTrust().root;
    writeFileSync(this.config.trustRoot, formatTrustRootFile([trust]), { mode: 0o644 });
    writeFileSync(this.config.passphraseFile, `${passphrase}\n`, { mode: 0o600 });
    Mark.create(this.config.mark, origin);
    {
      using mark = Mark.open(this.config.mark, origin);
      mark.takeTrust([parseTrustRoot(trust)]);
      Journal.create(this.config.journal, { origin, size: 0, root: emptyRoot }, mark, () => Date.parse(at));
    }
    this.keep(keySpecs());
    this.configure({});
  }

  /** Has these keys and no others in the keystore, and in the namespace that the mark knows. */
  keep(specs: readonly KeySpec[]): void {
    rmSync(this.config.keystore, { force: true });
    createSealedKeystore(this.config.keystore, passphrase, specs);
    using mark = Mark.open(this.config.mark, origin);
    knowKeys(
      mark,
      specs.map((spec) => new SigningKey(spec)),
    );
  }

  configure(changes: Partial<SignerFiles['config']>): void {
    this.config = { ...this.config, ...changes };
    writeFileSync(this.configFile, JSON.stringify(this.config), { mode: 0o600 });
  }
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningSigner {
  child: ChildProcess;
  output: Ended;
  ended: Promise<Ended>;
  /** Resolves when it has printed something, or has ended instead. */
  listening(): Promise<unknown>;
}

export interface StartChanges {
  /** Another program than the signer's. */
  main?: string;
  /** What to put in the place of the arguments that start it rightly: shell words, Node, flags, program, config. */
  args?: (args: string[]) => string[];
  env?: Record<string, string>;
}

const children: ChildProcess[] = [];

export function runSigner(
  { configFile, config }: SignerFiles,
  { main, args = (given) => given, env }: StartChanges = {},
): RunningSigner {
  const launch = signerLaunch(configFile, config, main);
  const child = spawn(launch.command, args(launch.args), { env: { ...launch.env, ...env } });
  children.push(child);
  const output: Ended = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ ...output, code: code as number | null }));
  const listening = (): Promise<unknown> => Promise.race([once(child.stdout, 'data'), ended]);
  return { child, output, ended, listening };
}

/** As `runSigner`; resolves when it has printed something, or has ended instead. */
export async function runUntilListening(files: SignerFiles, changes?: StartChanges): Promise<RunningSigner> {
  const running = runSigner(files, changes);
  await running.listening();
  return running;
}

/** To be called after each test. */
export function endSigners(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL');
}
