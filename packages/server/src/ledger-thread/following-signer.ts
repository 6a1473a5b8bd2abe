/**
 * The signer of a server that follows: shown what the log signed elsewhere, so that its mark and its journal say it, and
 * asked whether it is there at all before it is needed.
 */
import { base64 } from '@tallystick/core';
import type { Follower } from '@tallystick/ledger';
import type { SignerClient } from '@tallystick/signer/client';
import type { LedgerStatus } from './messages.ts';

/** Each time costs the signer a durable write. */
const intervalMs = 5000;

export class FollowingSigner implements AsyncDisposable {
  readonly #signer: SignerClient;
  readonly #follower: Follower;
  readonly #onTrouble: (error: Error) => void;
  #status: LedgerStatus['signer'] = { connected: true, mark: null };
  #complaint: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** @param onTrouble told once of each reason for which the signer does not follow */
  constructor(signer: SignerClient, follower: Follower, onTrouble: (error: Error) => void) {
    this.#signer = signer;
    this.#follower = follower;
    this.#onTrouble = onTrouble;
    this.#schedule(0);
  }

  get status(): LedgerStatus['signer'] {
    return this.#status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#show().finally(() => this.#schedule(intervalMs));
    }, delayMs);
  }

  async #show(): Promise<void> {
    try {
      const { mark } = await this.#signer.hello();
      this.#know(mark);
      const { published } = this.#follower;
      if (mark.size < published.size) {
        await this.#signer.follow(published.note, this.#follower.proofFrom(mark.size));
        this.#know(published);
      }
      this.#complaint = null;
    } catch (error) {
      const trouble = error instanceof Error ? error : new Error(String(error));
      if (trouble.name === 'SignerUnavailable') this.#status = { ...this.#status, connected: false };
      if (trouble.message === this.#complaint) return;
      this.#complaint = trouble.message;
      this.#onTrouble(trouble);
    }
  }

  #know({ size, root }: { size: number; root: Uint8Array }): void {
    this.#status = { connected: true, mark: { size, root: base64(root) } };
  }
}
