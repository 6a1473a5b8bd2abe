/**
 * Replays one log up to a checkpoint.
 *
 * The state is owned by the queue's running task. It never holds an entry that was not judged, with one exception:
 * signatures are checked behind, so when one fails the state is dropped and rebuilt from the file at the next
 * call, which then checks that entry's signature before taking it in.
 *
 * What failed half-way is kept in memory: the next call goes on from there, so a long log is caught up with even
 * by a caller that loses patience. A crash starts to judge again at the cosigned size, with the entries that are on disk.
 */
import {
  equalBytes,
  type LogTree,
  leafHash,
  type PastMap,
  type SignedCheckpoint,
  type TrustRoot,
} from '@tallystick/core';
import type { CheckpointJudge, Clock } from '../cosigner.ts';
import type { EntryKeeper } from '../mirror/entry-keeper.ts';
import type { CosignedHead, StateFile } from '../state/state-file.ts';
import { applyEntry, latestInstant } from './entry-rules.ts';
import type { EntryRun } from './entry-tiles.ts';
import { badSignature } from './record-signatures.ts';
import type { ReplayState } from './replay-state.ts';
import { forgetPersisted, loadReplay, persistReplay } from './replay-store.ts';
import type { RuleContext } from './rule-context.ts';
import { SignatureChecks } from './signature-checks.ts';
import type { SignaturePool } from './signature-pool.ts';
import type { TrustSource } from './trust-source.ts';
import { Violation } from './violation.ts';

export interface ReplayOptions {
  origin: string;
  genesis: Uint8Array;
  /** Where entries come from, and where they stay. */
  keeper: EntryKeeper;
  trustSource: TrustSource;
  /** Ends a replay between two runs of entries. */
  signal: AbortSignal;
  pool: SignaturePool;
  file: StateFile;
  now: Clock;
  /** Told of every violation, once per refusal. */
  report(violation: Violation): void;
  /** Told the size of every checkpoint that continues the cosigned one of `cosigned` entries, before it is judged. */
  offered(size: number, cosigned: number): void;
  /** The smallest size for which maps are asked for; default none. */
  mapsFrom?: () => number;
}

export class ReplayJudge implements CheckpointJudge {
  readonly #options: ReplayOptions;
  readonly #log: number;
  #state: ReplayState | null = null;
  /** Indexes at which a signature turned out bad after its entry was taken in. */
  readonly #suspects = new Set<number>();
  /** True while the state stands exactly at a checkpoint that was judged good. */
  #isReady = false;
  #isJudging = false;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#log = options.file.logId(options.origin);
  }

  /** Rebuilds the state, so that a start fails early where the file is damaged. */
  load(): void {
    this.#load(this.#options.file.head(this.#log));
  }

  /** The tree, which begins with what was cosigned. */
  get tree(): LogTree {
    return this.#known.tree;
  }

  /** The trust root that governs what was judged last; null before the first entry. */
  get trust(): TrustRoot | null {
    return this.#known.trust;
  }

  /** The state at the cosigned head, which the next replay may change; null while one is under way. */
  atHead(): ReplayState | null {
    if (this.#isJudging) return null;
    const head = this.#options.file.head(this.#log);
    return this.#state?.size === head.size ? this.#state : this.#load(head);
  }

  /** The map under the first `size` entries; null where that is not told any more. To be used without a wait in between. */
  mapUnder(size: number): PastMap | null {
    const { map } = this.#known;
    return size < map.oldestSize ? null : map.at(size);
  }

  /** Maps under fewer entries are not asked for any more. */
  forgetMapsBefore(size: number): void {
    this.#state?.map.forgetBefore(size);
  }

  /** Whether anything was logged of a subject, also beyond what is cosigned. */
  isInMap(key: Uint8Array): boolean {
    return this.#known.map.head(key) !== undefined;
  }

  /** Subject type of the record at an index, such as `customer`; null for an entry that is no record. */
  typeAt(index: number): string | null {
    const { kinds } = this.#known;
    const name = kinds.names[kinds.at(index)] ?? '';
    return name === '' ? null : name.slice(name.indexOf(' ') + 1);
  }

  async judge(checkpoint: SignedCheckpoint, head: CosignedHead): Promise<void> {
    this.#isReady = false;
    this.#options.offered(checkpoint.size, head.size);
    // The head was judged when it was cosigned.
    if (checkpoint.size === head.size) return;
    if (this.#state !== null && this.#state.size > checkpoint.size) this.#state = null;
    this.#isJudging = true;
    try {
      await this.#replayFrom(head, checkpoint);
    } catch (error) {
      if (error instanceof Violation) this.#options.report(error);
      throw error;
    } finally {
      this.#isJudging = false;
    }
    this.#isReady = true;
  }

  persist(): void {
    if (!this.#isReady || this.#state === null) return;
    persistReplay(this.#options.file, this.#log, this.#state);
    this.#options.keeper.persist();
  }

  persisted(): void {
    if (this.#isReady && this.#state !== null) {
      forgetPersisted(this.#state);
      this.#options.keeper.persisted();
      this.#suspects.clear();
    }
    this.#isReady = false;
  }

  get #known(): ReplayState {
    return this.#state ?? this.#load(this.#options.file.head(this.#log));
  }

  #load(head: CosignedHead): ReplayState {
    const state = loadReplay(
      this.#options.file,
      this.#log,
      head,
      this.#options.genesis,
      this.#options.mapsFrom?.(),
    );
    this.#state = state;
    this.#options.keeper.beginAt(head.size);
    return state;
  }

  /**
   * Goes on from what is in memory or on disk. What is there beyond the cosigned head belongs to a checkpoint that was
   * not cosigned, and the log may have taken that one back: then, once, from the head.
   */
  async #replayFrom(head: CosignedHead, checkpoint: SignedCheckpoint): Promise<void> {
    const state = this.#state ?? this.#load(head);
    const isAhead = state.size > head.size;
    try {
      await this.#replay(state, checkpoint);
    } catch (error) {
      if (!(error instanceof Violation) || error.rule !== 'root') throw error;
      const mayBeOld = isAhead || this.#options.keeper.usedDisk;
      this.#options.keeper.discardFrom(head.size);
      if (!mayBeOld) throw error;
      await this.#replay(this.#load(head), checkpoint);
    }
  }

  async #replay(state: ReplayState, checkpoint: SignedCheckpoint): Promise<void> {
    const checks = new SignatureChecks(this.#options.pool);
    let found: Violation | null;
    try {
      found = await this.#judgeEntries(state, checkpoint.size, checks);
    } catch (error) {
      await this.#settle(checks);
      throw error;
    }
    const judged = found?.index ?? checkpoint.size;
    found = (await this.#settle(checks)) ?? found;
    // Entries that the checkpoint does not commit to say nothing about the log: only this makes a violation its own.
    if (!equalBytes(state.tree.root(), checkpoint.root)) {
      this.#state = null;
      throw new Violation(
        'root',
        checkpoint.size - 1,
        'the entries handed over are not those of the checkpoint',
      );
    }
    state.tree.truncate(judged);
    if (found !== null) throw found;
    if (!state.lastIsMapRoot) {
      throw new Violation('last-leaf', checkpoint.size - 1, 'the checkpoint does not end in a map root');
    }
  }

  /**
   * Takes in entries up to `size`, or up to the first violation, which is returned. Behind that, only the leaves are
   * appended to the tree: the state is not the log's then until the tree is truncated.
   */
  async #judgeEntries(state: ReplayState, size: number, checks: SignatureChecks): Promise<Violation | null> {
    const { genesis, trustSource, now, signal, keeper } = this.#options;
    let found: Violation | null = null;
    const from = state.size;
    try {
      for await (const run of keeper.entries(from, size)) {
        const latestAt = latestInstant(now());
        const context = { genesis, trustSource, checks, latestAt, suspects: this.#suspects };
        if (found !== null) appendLeaves(state, run, 0, found);
        else {
          try {
            found = await takeRun(state, run, context);
          } finally {
            keeper.keep(run, (found?.index ?? state.size) - run.start);
          }
        }
        await checks.room();
        if (found === null && checks.firstBad !== null) found = badSignature(checks.firstBad);
        signal.throwIfAborted();
      }
    } catch (error) {
      if (found !== null) state.tree.truncate(Math.max(found.index, from));
      throw error;
    }
    return found;
  }

  /** Waits for the signatures. Where one is bad the state holds an entry that it must not, and is dropped. */
  async #settle(checks: SignatureChecks): Promise<Violation | null> {
    try {
      await checks.drain();
    } catch (error) {
      this.#state = null;
      throw error;
    }
    if (checks.firstBad === null) return null;
    this.#suspects.add(checks.firstBad);
    this.#state = null;
    return badSignature(checks.firstBad);
  }
}

/** Takes in a run of entries. On a violation the rest is hashed, and the violation returned. */
async function takeRun(state: ReplayState, run: EntryRun, context: RuleContext): Promise<Violation | null> {
  for (const [at, entry] of run.entries.entries()) {
    try {
      const pending = applyEntry(state, entry, context);
      if (pending !== undefined) await pending;
    } catch (error) {
      if (error instanceof Violation) return appendLeaves(state, run, at, error);
      throw error;
    }
  }
  return null;
}

function appendLeaves(state: ReplayState, run: EntryRun, from: number, found: Violation): Violation {
  for (const entry of run.entries.slice(from)) state.tree.append(leafHash(entry));
  return found;
}
