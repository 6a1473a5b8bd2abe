/** The witness: says that a log only ever grew, and knows nothing of what is in it. */

import { formatVerifierKey, type VerifierKey } from '@tallystick/core';
import {
  type Clock,
  type Cosigner,
  type ForkEvidence,
  growthOnly,
  type LogCounts,
  type LogStatus,
  routeCheckpoint,
  routeMonitor,
  WatchedLog,
} from '../cosigner.ts';
import type { CosignerKeys } from '../keys.ts';
import { StateFile } from '../state/state-file.ts';

export interface WitnessLog {
  origin: string;
  /** The log's verifier keys; all of them must have signed a checkpoint. */
  vkeys: readonly VerifierKey[];
}

export interface WitnessOptions {
  keys: CosignerKeys;
  /** Made by `initState`. */
  stateFile: string;
  logs: readonly WitnessLog[];
  now: Clock;
  /** Larger checkpoints cosigned within one second, of each log; default 100. */
  checkpointsPerSecond?: number;
  /** Told of each history of a log that contradicts what was cosigned. */
  onFork?: (evidence: ForkEvidence) => void;
}

/** Which logs a running witness took up and gave up. */
export interface FollowedLogs {
  added: string[];
  removed: string[];
}

/** Opens the state and begins to answer. Throws ConfigError where the state is missing, foreign or in use. */
export function createWitness(options: WitnessOptions): Witness {
  return new Witness(options);
}

export class Witness implements Cosigner {
  readonly kind = 'witness';
  readonly #options: WitnessOptions;
  readonly #state: StateFile;
  readonly #logs = new Map<string, WatchedLog>();
  /** What `#logs` was made with. */
  readonly #vkeys = new Map<string, string>();

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.#state = StateFile.open(options.stateFile, { kind: 'witness', name: options.keys[0].name });
    try {
      for (const log of options.logs) this.#watch(log);
    } catch (error) {
      this.#state[Symbol.dispose]();
      throw error;
    }
  }

  get keys(): CosignerKeys {
    return this.#options.keys;
  }

  addCheckpoint(body: Uint8Array): Promise<string> {
    return routeCheckpoint(this.#logs, body);
  }

  newestNote(originHash: string): string | undefined {
    return routeMonitor(this.#logs, originHash);
  }

  status(): LogStatus[] {
    return [...this.#logs.values()].map((log) => log.status());
  }

  counts(): LogCounts[] {
    return [...this.#logs.values()].map((log) => log.counts());
  }

  /**
   * Goes on with these logs, while it runs. A log that was not followed begins at size 0 where the state has never
   * seen it; one that is left out keeps its place in the state.
   */
  async follow(logs: readonly WitnessLog[]): Promise<FollowedLogs> {
    const removed = [...this.#logs.keys()].filter((origin) => !logs.some((log) => log.origin === origin));
    const changed = logs.filter((log) => this.#vkeys.get(log.origin) !== textOf(log));
    const added = changed.filter(({ origin }) => !this.#logs.has(origin)).map(({ origin }) => origin);
    this.#state.begin(added);
    await Promise.all(
      [...removed, ...changed.map(({ origin }) => origin)].map((origin) => this.#drop(origin)),
    );
    for (const log of changed) this.#watch(log);
    return { added, removed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
    this.#state[Symbol.dispose]();
  }

  #watch(log: WitnessLog): void {
    const { keys, now, checkpointsPerSecond, onFork } = this.#options;
    const limits = { ...(checkpointsPerSecond && { checkpointsPerSecond }), ...(onFork && { onFork }) };
    const watched = new WatchedLog({ ...log, ...limits, judge: growthOnly }, this.#state, keys, now);
    this.#logs.set(log.origin, watched);
    this.#vkeys.set(log.origin, textOf(log));
  }

  async #drop(origin: string): Promise<void> {
    const log = this.#logs.get(origin);
    this.#logs.delete(origin);
    this.#vkeys.delete(origin);
    await log?.close();
  }
}

function textOf({ vkeys }: WitnessLog): string {
  return vkeys.map(formatVerifierKey).join(' ');
}
