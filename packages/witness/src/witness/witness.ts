/** The witness: says that a log only ever grew, and knows nothing of what is in it. */

import type { VerifierKey } from '@tallystick/core';
import { type Clock, type Cosigner, growthOnly, routeCheckpoint, WatchedLog } from '../cosigner.ts';
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
}

/** Opens the state and begins to answer. Throws ConfigError where the state is missing, foreign or in use. */
export function createWitness(options: WitnessOptions): Cosigner {
  const { keys, now } = options;
  const state = StateFile.open(options.stateFile, { kind: 'witness', name: keys[0].name });
  try {
    const logs = new Map(
      options.logs.map((log) => [
        log.origin,
        new WatchedLog({ ...log, judge: growthOnly }, state, keys, now),
      ]),
    );
    return {
      kind: 'witness',
      keys,
      addCheckpoint: (body) => routeCheckpoint(logs, body),
      status: () => [...logs.values()].map((log) => log.status()),
      async [Symbol.asyncDispose](): Promise<void> {
        await Promise.all([...logs.values()].map((log) => log.close()));
        state[Symbol.dispose]();
      },
    };
  } catch (error) {
    state[Symbol.dispose]();
    throw error;
  }
}
