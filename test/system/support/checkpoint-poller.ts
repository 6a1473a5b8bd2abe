/** A stranger who keeps every checkpoint that the log ever shows, in the order in which it was shown. */
import { equalBytes, type LogTree, type TrustRoot, verifyConsistency } from '@tallystick/core';
import { verifyPublished } from './log-walk.ts';
import type { RealSystem } from './real-system.ts';
import { sleep } from './waiting.ts';

export class CheckpointPoller {
  readonly notes: string[] = [];
  #isStopping = false;
  readonly #polling: Promise<void>;

  constructor(system: RealSystem, everyMs = 20) {
    this.#polling = this.#poll(system, everyMs);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#polling;
  }

  /** Throws unless every checkpoint seen verifies, continues the one before, and lies on `tree`. Returns their sizes. */
  async verify(trust: TrustRoot, tree: LogTree): Promise<number[]> {
    let before: { size: number; root: Uint8Array; asOf: number } | null = null;
    const sizes: number[] = [];
    for (const note of this.notes) {
      const seen = await verifyPublished(note, trust);
      if (before !== null) {
        if (seen.size < before.size) throw new Error(`the log went back from ${before.size} to ${seen.size}`);
        const proof = tree.consistencyProof(before.size, seen.size);
        verifyConsistency(before.size, before.root, seen.size, seen.root, proof);
      }
      if (!equalBytes(tree.root(seen.size), seen.root))
        throw new Error(`another history of size ${seen.size} was shown`);
      before = seen;
      sizes.push(seen.size);
    }
    return sizes;
  }

  async #poll(system: RealSystem, everyMs: number): Promise<void> {
    while (!this.#isStopping) {
      const answer = await system.public('GET', '/log/checkpoint').catch(() => null);
      if (answer?.status === 200 && this.notes.at(-1) !== answer.text) this.notes.push(answer.text);
      await sleep(everyMs);
    }
  }
}
