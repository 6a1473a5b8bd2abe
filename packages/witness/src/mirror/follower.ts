/** Follows a log that does not ask this replayer to cosign: looks at what it has published, again and again. */
import { setTimeout as after } from 'node:timers/promises';
import { IntegrityError, parseSignedCheckpoint, type SignedCheckpoint } from '@tallystick/core';
import { messageOf, Refusal } from '../errors.ts';
import { fetchBytes, type HttpSource } from '../replayer/http-source.ts';

interface FollowerParts {
  /** The log's server. */
  source: HttpSource;
  /** Replays up to a checkpoint and cosigns it, where it is newer than the last. Throws Refusal. */
  follow: (checkpoint: SignedCheckpoint) => Promise<void>;
  /** Told why it does not get on, once for each reason. */
  report: (message: string) => void;
}

const pauseMs = 500;
const noteLengthMax = 64 * 1024;

export class Follower {
  readonly #parts: FollowerParts;
  readonly #running: Promise<void>;
  #trouble: string | null = null;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#running = this.#run();
  }

  /** Resolves when nothing is under way; the signal of the source has been aborted. */
  async end(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#parts.source;
    while (!signal.aborted) {
      try {
        await this.#look();
        this.#trouble = null;
      } catch (error) {
        if (!signal.aborted) this.#tell(error);
      }
      await after(pauseMs, undefined, { signal, ref: false }).catch(() => null);
    }
  }

  async #look(): Promise<void> {
    const { source, follow } = this.#parts;
    const bytes = await fetchBytes(source, 'checkpoint', noteLengthMax);
    if (bytes !== null) await follow(parseSignedCheckpoint(bytes));
  }

  /** What the log hands out may be anything: this looks again, and only a fault of ours is more than a line. */
  #tell(error: unknown): void {
    const isExpected = error instanceof Refusal || error instanceof IntegrityError;
    const message = isExpected ? error.message : `fault: ${messageOf(error)}`;
    if (message !== this.#trouble) this.#parts.report(message);
    this.#trouble = message;
  }
}
