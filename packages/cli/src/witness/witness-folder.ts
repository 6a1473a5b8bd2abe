/** What `tally witness` keeps in its folder: keys, memory and the configuration that the process follows. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatVerifierKey, type VerifierKey } from '@tallystick/core';
import { ConfigError, parseConfig, type WitnessConfig } from '@tallystick/witness';
import { CliError, messageOf, usageError } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';

/** A log as it stands in the configuration. */
export interface ConfiguredLog {
  origin: string;
  vkeys: string[];
}

/** The configuration as it is written; what `tally` does not change in it stays as it is. */
interface ConfigFile extends Record<string, unknown> {
  logs: ConfiguredLog[];
}

export class WitnessFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get configFile(): string {
    return join(this.path, 'witness.json');
  }

  /** Throws a usage error where there is no witness, or its configuration is wrong. */
  read(): WitnessConfig {
    const config = foreseen(() => parseConfig(this.#text(), 'witness', this.path, { mayLackLogs: true }));
    if (config.kind !== 'witness') throw new Error('a configuration of a witness was read as another one');
    return config;
  }

  /** Replaces the logs of the configuration, whole or not at all. */
  async writeLogs(logs: readonly { origin: string; vkeys: readonly VerifierKey[] }[]): Promise<void> {
    const file = JSON.parse(this.#text()) as ConfigFile;
    file.logs = logs.map(({ origin, vkeys }) => ({ origin, vkeys: vkeys.map(formatVerifierKey) }));
    await writeFileAtomic(this.configFile, `${JSON.stringify(file, null, 2)}\n`);
  }

  #text(): string {
    if (!existsSync(this.configFile))
      throw usageError(
        `There is no witness in ${this.path}.`,
        'Make one with tally witness init, or name its folder with --folder.',
      );
    try {
      return readFileSync(this.configFile, 'utf8');
    } catch (error) {
      throw usageError(`${this.configFile} cannot be read: ${messageOf(error)}.`, 'Run this as its user.');
    }
  }
}

/** What the witness foresaw, as an error of the command line. */
export function foreseen<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw asUsageError(error);
  }
}

export function asUsageError(error: unknown): unknown {
  if (error instanceof CliError || !(error instanceof ConfigError)) return error;
  const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
  return usageError(`${message}.`, 'See docs/operating/running-a-witness.md; nothing was changed.');
}
