/** The rules that every replayer applies, applied to a log that is watched. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { base64, type LogTree, type TrustRoot, utf8 } from '@tallystick/core';
import type { Cosigner } from '../cosigner.ts';
import { Refusal } from '../errors.ts';
import { keyFromSeed } from '../keys.ts';
import { fetchEntries } from '../replayer/entry-tiles.ts';
import { HttpTrustSource } from '../replayer/http-trust-source.ts';
import { createReplayer } from '../replayer/replayer.ts';
import { Violation } from '../replayer/violation.ts';
import { initState } from '../state/state-file.ts';
import type { BrokenRule } from './evidence.ts';
import type { Tip } from './monitor-state.ts';
import { firstViolation, RecordingSource } from './replay-entries.ts';

export interface RuleCheckOptions {
  trust: TrustRoot;
  logUrl: string;
  trustUrl: string;
  token: string;
  /** The replayer's memory, made where it is missing. */
  stateFile: string;
  signal: AbortSignal;
  /** Threads that check signatures. */
  workers: number;
  /** Seconds. */
  now: () => number;
}

export type RuleProblem = { violation: Violation } | { unavailable: string };

/** A replayer of a monitor has a name for its state alone: nobody ever sees what it cosigns. */
const name = 'monitor';
const timeoutMs = 10_000;
/** Bytes of entries that an evidence file may hold. */
const entriesLengthMax = 48 * 1024 * 1024;

export class RuleCheck implements AsyncDisposable {
  readonly #options: RuleCheckOptions;
  readonly #replayer: Cosigner;
  /** Indexes whose breach no file can prove. */
  readonly #unprovable = new Set<number>();

  /** Throws ConfigError. */
  constructor(options: RuleCheckOptions) {
    this.#options = options;
    const { trust, logUrl, trustUrl, token, stateFile, workers, now } = options;
    const { origin, vkeys } = trust.log;
    if (!existsSync(stateFile)) initState({ stateFile, kind: 'replayer', name, origins: [origin] });
    this.#replayer = createReplayer({
      keys: [keyFromSeed(name, randomBytes(32))],
      stateFile,
      logs: [{ origin, vkeys, logUrl, trustUrl, token, genesis: trust.genesis }],
      now,
      workers,
    });
  }

  /** Entries that obey. */
  get size(): number {
    return this.#replayer.status()[0]?.size ?? 0;
  }

  /** Replays up to the tip. `tree` is the tree under it. */
  async advance(tip: Tip, tree: LogTree): Promise<RuleProblem | null> {
    const { size } = this;
    if (size >= tip.size) return null;
    const proof = tree.consistencyProof(size, tip.size).map((hash) => `${base64(hash)}\n`);
    try {
      await this.#replayer.addCheckpoint(utf8(`old ${size}\n${proof.join('')}\n${tip.note}`));
      return null;
    } catch (error) {
      if (error instanceof Violation && error.rule !== 'root' && error.rule !== 'tile')
        return { violation: error };
      if (error instanceof Refusal) return { unavailable: error.message };
      throw error;
    }
  }

  /** Everything that shows what entry `index` breaks; null where that is too much for a file, or is not served now. */
  async evidence(tip: Tip, tree: LogTree, index: number): Promise<BrokenRule | null> {
    if (this.#unprovable.has(index)) return null;
    try {
      const found = await this.#collect(tip, tree, index);
      if (found === null) this.#unprovable.add(index);
      return found;
    } catch (error) {
      if (error instanceof Refusal) return null;
      throw error;
    }
  }

  async #collect(tip: Tip, tree: LogTree, index: number): Promise<BrokenRule | null> {
    const { logUrl, trustUrl, token, signal, trust, now } = this.#options;
    const entries: Uint8Array[] = [];
    let length = 0;
    for await (const run of fetchEntries({ baseUrl: logUrl, token, timeoutMs, signal }, 0, index + 1)) {
      for (const entry of run.entries) {
        entries.push(entry);
        length += entry.length;
      }
      if (length > entriesLengthMax) return null;
    }
    const source = new RecordingSource(new HttpTrustSource({ baseUrl: trustUrl, timeoutMs, signal }));
    const violation = await firstViolation(entries, source, {
      genesis: trust.genesis,
      nowSeconds: now(),
      endsCheckpoint: index + 1 === tip.size,
    });
    if (violation === null || violation.index !== index) return null;
    return {
      kind: 'broken-rule',
      rule: violation.rule,
      index,
      note: tip.note,
      entries,
      proof: tree.consistencyProof(index + 1, tip.size),
      documents: source.documents,
      keys: [...source.keysOf].map(([ns, keys]) => ({ ns, keys })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replayer[Symbol.asyncDispose]();
  }
}
