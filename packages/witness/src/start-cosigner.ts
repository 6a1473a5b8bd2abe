/** A whole cosigner: key, state, judge and HTTP, from one configuration. */
import { existsSync } from 'node:fs';
import type { CosignerConfig } from './config.ts';
import type { Clock, Cosigner } from './cosigner.ts';
import { ConfigError, messageOf } from './errors.ts';
import { type MetricsServer, startMetrics } from './http/metrics.ts';
import { type CosignerServer, type ServerTls, startServer } from './http/server.ts';
import { type CosignerKeys, createKeys, loadKeys } from './keys.ts';
import { createReplayer } from './replayer/replayer.ts';
import { initState } from './state/state-file.ts';
import { readAuthorities, readCertificate } from './tls-files.ts';
import { createWitness, type FollowedLogs, Witness } from './witness/witness.ts';

/** A line for the operator, as an object to be printed as JSON. */
export type Report = (line: Record<string, unknown>) => void;

export interface StartOptions {
  now: Clock;
  /** Gets every violation and every second history of a log, and every fault of ours. */
  report: Report;
}

export interface RunningCosigner extends AsyncDisposable {
  /** Where it listens, without a slash at its end. */
  readonly url: string;
  readonly vkeys: readonly string[];
  /** Certificate, key and the clients' authorities that it serves with; none without TLS. */
  readonly tlsFiles: readonly string[];
  /** Where the operator reads metrics; null where that was not asked for. */
  readonly metricsUrl: string | null;
  readonly cosigner: Cosigner;
  /**
   * Goes on with other logs, and reads the files for TLS again. Throws ConfigError where the configuration wants
   * something else that a running witness cannot do; then nothing changed.
   */
  reload(config: CosignerConfig): Promise<FollowedLogs>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Begins every configured log that the state does not know, at size 0, and makes the key file where there is none.
 * Running it again changes nothing. Returns the verifier keys and the origins that begin now. Throws ConfigError; also
 * where there is a key and no state, or an empty one, which is lost memory, unless `beginAgain` says that this is known.
 */
export function initCosignerState(
  config: CosignerConfig,
  { beginAgain = false }: { beginAgain?: boolean } = {},
): { vkeys: string[]; began: string[] } {
  const { stateFile, kind, name } = config;
  const hasKeys = existsSync(config.keyFile);
  if (hasKeys && !existsSync(stateFile) && !beginAgain) throw lostState(config);
  const keys = hasKeys ? loadNamedKeys(config) : createKeys(config.keyFile, config.name);
  const origins = config.logs.map((log) => log.origin);
  const mustExist = hasKeys && !beginAgain;
  return { vkeys: textsOf(keys), began: initState({ stateFile, kind, name, origins, mustExist }) };
}

function lostState({ stateFile, keyFile }: CosignerConfig): ConfigError {
  return new ConfigError(
    `the key ${keyFile} is there, and the state file ${stateFile} is missing: a cosigner that begins again cosigns a ` +
      'second history. Restore the newest state, or give up this key and make a cosigner of another name',
  );
}

/** Starts to serve. Throws ConfigError; nothing is left running then. */
export async function startCosigner(config: CosignerConfig, options: StartOptions): Promise<RunningCosigner> {
  const cosigner = createCosigner(config, loadNamedKeys(config), options);
  let server: CosignerServer | null = null;
  let metrics: MetricsServer | null = null;
  const close = async (): Promise<void> => {
    // The cosigner first stops what takes long; the server then sees those requests end.
    await Promise.all([
      cosigner[Symbol.asyncDispose](),
      server?.[Symbol.asyncDispose](),
      metrics?.[Symbol.asyncDispose](),
    ]);
  };
  try {
    server = await startServer({
      cosigner,
      ...config.listen,
      ...config.limits,
      prefix: config.url === null ? '' : new URL(config.url).pathname.replace(/\/$/, ''),
      tls: readTls(config),
      ...(config.tls?.clients && { clientIds: config.tls.clients.ids }),
      now: options.now,
      reportFault: (error) => options.report({ event: 'fault', message: messageOf(error) }),
    });
    metrics = config.metrics && (await startMetrics({ cosigner, server, ...config.metrics }));
    const { url, renewTls } = server;
    return {
      url,
      vkeys: textsOf(cosigner.keys),
      tlsFiles: tlsFilesOf(config),
      metricsUrl: metrics?.url ?? null,
      cosigner,
      reload: (next) => reload(cosigner, config, next, renewTls),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function reload(
  cosigner: Cosigner,
  current: CosignerConfig,
  next: CosignerConfig,
  renewTls: (files: ServerTls) => void,
): Promise<FollowedLogs> {
  if (!(cosigner instanceof Witness) || next.kind !== 'witness')
    throw new ConfigError('only a witness goes on with other logs while it runs');
  const [before, after] = [current, next].map((config) => JSON.stringify({ ...config, logs: null }));
  if (before !== after) throw new ConfigError('more than the logs has changed: start the witness again');
  const tls = readTls(next);
  if (tls !== undefined) renewTls(tls);
  return cosigner.follow(next.logs);
}

/** Throws ConfigError. */
function readTls({ tls }: CosignerConfig): ServerTls | undefined {
  if (tls === null) return undefined;
  const { certFile, keyFile, clients } = tls;
  const files = readCertificate(certFile, keyFile);
  return clients === null ? files : { ...files, clientCa: readAuthorities(clients.caFile) };
}

function tlsFilesOf({ tls }: CosignerConfig): string[] {
  if (tls === null) return [];
  return [tls.certFile, tls.keyFile, ...(tls.clients === null ? [] : [tls.clients.caFile])];
}

function createCosigner(config: CosignerConfig, keys: CosignerKeys, { now, report }: StartOptions): Cosigner {
  const { stateFile } = config;
  if (config.kind === 'witness') {
    const { logs, limits } = config;
    return createWitness({
      keys,
      stateFile,
      logs,
      now,
      ...(limits.checkpointsPerSecond && { checkpointsPerSecond: limits.checkpointsPerSecond }),
      onFork: (evidence) => report({ event: 'fork', ...evidence }),
    });
  }
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
