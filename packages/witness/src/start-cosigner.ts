/** A whole cosigner: key, state, judge and HTTP, from one configuration. */
import { existsSync } from 'node:fs';
import type { CosignerConfig } from './config.ts';
import type { Clock, Cosigner } from './cosigner.ts';
import { ConfigError, messageOf } from './errors.ts';
import { startServer } from './http/server.ts';
import { type CosignerKeys, createKeys, loadKeys } from './keys.ts';
import { createReplayer } from './replayer/replayer.ts';
import { initState } from './state/state-file.ts';
import { createWitness } from './witness/witness.ts';

/** A line for the operator, as an object to be printed as JSON. */
export type Report = (line: Record<string, unknown>) => void;

export interface StartOptions {
  now: Clock;
  /** Gets every violation of a log, and every fault of ours. */
  report: Report;
}

export interface RunningCosigner extends AsyncDisposable {
  /** Where it listens, without a slash at its end. */
  readonly url: string;
  readonly vkeys: readonly string[];
  readonly cosigner: Cosigner;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Begins every configured log that the state does not know, at size 0, and makes the key file where there is none.
 * Running it again changes nothing. Returns the verifier keys and the origins that begin now. Throws ConfigError.
 */
export function initCosignerState(config: CosignerConfig): { vkeys: string[]; began: string[] } {
  const keys = existsSync(config.keyFile) ? loadNamedKeys(config) : createKeys(config.keyFile, config.name);
  const origins = config.logs.map((log) => log.origin);
  const { stateFile, kind, name } = config;
  return { vkeys: textsOf(keys), began: initState({ stateFile, kind, name, origins }) };
}

/** Starts to serve. Throws ConfigError; nothing is left running then. */
export async function startCosigner(config: CosignerConfig, options: StartOptions): Promise<RunningCosigner> {
  const cosigner = createCosigner(config, loadNamedKeys(config), options);
  try {
    const { host, port } = config.listen;
    const reportFault = (error: unknown): void =>
      options.report({ event: 'fault', message: messageOf(error) });
    const server = await startServer({ cosigner, host, port, now: options.now, reportFault });
    return {
      url: server.url,
      vkeys: textsOf(cosigner.keys),
      cosigner,
      async [Symbol.asyncDispose](): Promise<void> {
        // The cosigner first stops what takes long; the server then sees those requests end.
        await Promise.all([cosigner[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
      },
    };
  } catch (error) {
    await cosigner[Symbol.asyncDispose]();
    throw error;
  }
}

function createCosigner(config: CosignerConfig, keys: CosignerKeys, { now, report }: StartOptions): Cosigner {
  const { stateFile } = config;
  if (config.kind === 'witness') return createWitness({ keys, stateFile, logs: config.logs, now });
  return createReplayer({
    keys,
    stateFile,
    logs: config.logs,
    now,
    workers: config.workers,
    tokenHashes: config.tokenHashes,
    tell: report,
    report: (origin, { rule, index, detail }) =>
      report({ event: 'violation', origin, rule, index, message: detail }),
  });
}

function loadNamedKeys(config: CosignerConfig): CosignerKeys {
  const keys = loadKeys(config.keyFile);
  if (keys[0].name !== config.name) {
    throw new ConfigError(`the key file is of ${keys[0].name}, the configuration of ${config.name}`);
  }
  return keys;
}

function textsOf(keys: CosignerKeys): string[] {
  return keys.map(({ vkeyText }) => vkeyText);
}
