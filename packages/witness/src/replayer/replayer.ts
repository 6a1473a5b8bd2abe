/**
 * The replayer: a cosigner whose additional statement is "I replayed every entry; every map root, trust hash, chain,
 * time and record signature is right".
 */
import type { VerifierKey } from '@tallystick/core';
import { type Clock, type Cosigner, routeCheckpoint, routeMonitor, WatchedLog } from '../cosigner.ts';
import type { CosignerKeys } from '../keys.ts';
import { StateFile } from '../state/state-file.ts';
import { fetchEntries } from './entry-tiles.ts';
import { HttpTrustSource } from './http-trust-source.ts';
import { ReplayJudge } from './replay-judge.ts';
import { SignaturePool } from './signature-pool.ts';
import type { Violation } from './violation.ts';

export interface ReplayerLog {
  origin: string;
  /** The log's verifier keys; all of them must have signed a checkpoint. */
  vkeys: readonly VerifierKey[];
  /** Entries are at `<logUrl>/tile/entries/…`. */
  logUrl: string;
  /** Documents are at `<trustUrl>/<ns>/namespace/<rev>` and `/brake/<rev>`, keys at `<trustUrl>/<ns>/keys`. */
  trustUrl: string;
  /** Bearer token for the entries. */
  token?: string | undefined;
  /** H(payload of trust root version 1): 32 bytes. */
  genesis: Uint8Array;
}

export interface ReplayerOptions {
  keys: CosignerKeys;
  /** Made by `initState`. */
  stateFile: string;
  logs: readonly ReplayerLog[];
  now: Clock;
  /** Threads that check signatures; 0 checks on the calling thread. Default 2. */
  workers?: number;
  /** Limit for one request to a log's server. Default 10 s. */
  fetchTimeoutMs?: number;
  /** Told of every violation with the origin of the log that broke a rule. */
  report?: (origin: string, violation: Violation) => void;
}

/**
 * Opens the state, rebuilds tree and map, and begins to answer. Throws ConfigError where the state is missing,
 * foreign, in use or damaged.
 */
export function createReplayer(options: ReplayerOptions): Cosigner {
  const { keys } = options;
  const file = StateFile.open(options.stateFile, { kind: 'replayer', name: keys[0].name });
  const stopping = new AbortController();
  const pool = new SignaturePool(options.workers ?? 2);
  try {
    const logs = new Map(
      options.logs.map((log) => [log.origin, watch(log, options, { file, pool, signal: stopping.signal })]),
    );
    return {
      kind: 'replayer',
      keys,
      addCheckpoint: (body) => routeCheckpoint(logs, body),
      newestNote: (originHash) => routeMonitor(logs, originHash),
      status: () => [...logs.values()].map((log) => log.status()),
      counts: () => [...logs.values()].map((log) => log.counts()),
      async [Symbol.asyncDispose](): Promise<void> {
        stopping.abort(new Error('the replayer stops'));
        await pool[Symbol.asyncDispose]();
        await Promise.all([...logs.values()].map((log) => log.close()));
        file[Symbol.dispose]();
      },
    };
  } catch (error) {
    void pool[Symbol.asyncDispose]();
    file[Symbol.dispose]();
    throw error;
  }
}

interface Shared {
  file: StateFile;
  pool: SignaturePool;
  signal: AbortSignal;
}

function watch(log: ReplayerLog, options: ReplayerOptions, { file, pool, signal }: Shared): WatchedLog {
  const { origin, vkeys, genesis, token } = log;
  const timeoutMs = options.fetchTimeoutMs ?? 10_000;
  const entrySource = { baseUrl: log.logUrl, token, timeoutMs, signal };
  const judge = new ReplayJudge({
    origin,
    genesis,
    entries: (from, to) => fetchEntries(entrySource, from, to),
    signal,
    // Documents and keys are public: the token is not for them.
    trustSource: new HttpTrustSource({ baseUrl: log.trustUrl, timeoutMs, signal }),
    pool,
    file,
    now: options.now,
    report: (violation) => options.report?.(origin, violation),
  });
  judge.load();
  return new WatchedLog({ origin, vkeys, judge }, file, options.keys, options.now);
}
