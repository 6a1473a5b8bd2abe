/**
 * Documents for mirrors: read, checked and sealed in a thread of its own, with a connection of its own, so that neither
 * requests nor changes wait for that. It starts when the first mirror asks.
 */

import { decodeBase64 } from '@tallystick/core';
import { Thread, ThreadError } from '@tallystick/ledger/thread';
import type { ServerConfig } from '../config.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import { raiseAlarm } from '../raise-alarm.ts';
import type { ContentThreadConfig, SealedAnswer, SealedQuestion } from './messages.ts';

/** Entries in one batch. */
const entriesMax = 1024;
/** Batches that may wait at once: each mirror asks for one after the other. */
const waitingMax = 8;

type Told = Parameters<typeof raiseAlarm>[0];

export class ContentExport implements AsyncDisposable {
  readonly entriesMax: number = entriesMax;
  readonly #config: ServerConfig;
  readonly #told: Told;
  #thread: Promise<Thread> | null = null;
  #waiting = 0;

  /** @param told of each part in the store that is not what the log commits to */
  constructor(config: ServerConfig, told: Told) {
    this.#config = config;
    this.#told = told;
  }

  /**
   * A batch from `from` on, sealed to the content key of a principal; `leaves` are those of its entries, in base64.
   * Throws ServiceProblem.
   */
  async sealed(
    principal: string,
    { from, size, leaves }: { from: number; size: number; leaves: string },
  ): Promise<Uint8Array> {
    const publicKey = Object.entries(this.#config.contentKeys).find(([id]) => id === principal)?.[1];
    if (publicKey === undefined) throw new ServiceProblem('content_key_missing');
    if (this.#waiting >= waitingMax) throw new ServiceProblem('overloaded', 'too many mirrors ask at once');
    const question: SealedQuestion = { from, size, leaves: decodeBase64(leaves), publicKey };
    this.#waiting += 1;
    const started = this.#started();
    try {
      const { bytes, alarms } = (await (await started).call('seal', question)) as SealedAnswer;
      for (const alarm of alarms) raiseAlarm(this.#told, 'integrity', alarm);
      return bytes;
    } catch (error) {
      if (error instanceof ThreadError && error.isOfEnded) this.#forget(started);
      throw problemOf(error);
    } finally {
      this.#waiting -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const thread = await this.#thread?.catch(() => null);
    await thread?.[Symbol.asyncDispose]();
  }

  #started(): Promise<Thread> {
    if (this.#thread === null) {
      const { store, storePasswordFile, trustRoot } = this.#config;
      const place = { store, ...(storePasswordFile !== undefined && { storePasswordFile }) };
      const started = Thread.start(new URL('./content.worker.ts', import.meta.url), {
        place,
        trustRoot,
      } satisfies ContentThreadConfig);
      // One that could not start, or has ended, is started again for the next one that asks.
      started.catch(() => this.#forget(started));
      this.#thread = started;
    }
    return this.#thread;
  }

  #forget(started: Promise<Thread>): void {
    if (this.#thread === started) this.#thread = null;
  }
}

function problemOf(error: unknown): unknown {
  if (!(error instanceof ThreadError)) return error;
  if (error.original === 'StoreUnavailable') return new ServiceProblem('store_unavailable');
  if (error.original === 'EntryAltered') return new ServiceProblem('integrity', error.message);
  return new ServiceProblem('overloaded', `documents cannot be read at the moment: ${error.message}`);
}
