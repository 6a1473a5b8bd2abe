/** Keeps both threads' knowledge of who may use the system up to the log. */

import { formatInstant } from '@tallystick/core';
import { type Directory, defaultPolicyDocument } from '@tallystick/gate';
import { type AppliedChange, LedgerError } from '@tallystick/ledger';
import { isGateSubject } from '@tallystick/license';
import type { FromLedger } from '../messages.ts';
import type { ServedLog } from '../served-log.ts';
import { loadDirectory } from './load-directory.ts';

const retryMs = 500;

export class AccessRegister implements Disposable {
  readonly #log: Pick<ServedLog, 'read' | 'submit' | 'mutations'>;
  readonly #directory: Directory;
  readonly #post: (message: FromLedger) => void;
  /** Size of the log that was followed last. */
  #followed = -1;
  #isFollowing = false;
  #isClaiming = false;
  #retry: NodeJS.Timeout | null = null;
  #isDisposed = false;

  constructor(
    log: Pick<ServedLog, 'read' | 'submit' | 'mutations'>,
    directory: Directory,
    post: (message: FromLedger) => void,
  ) {
    this.#log = log;
    this.#directory = directory;
    this.#post = post;
  }

  /**
   * Reads everybody anew where the log grew since. One that takes longer than the time between two calls is waited for: on a log
   * that goes on growing there would be more and more of them.
   */
  async follow(size: number, onFailure: (message: string) => void): Promise<void> {
    if (this.#isFollowing || size === this.#followed) return;
    this.#isFollowing = true;
    await this.load(onFailure);
    this.#followed = size;
    this.#isFollowing = false;
  }

  /**
   * Reads everybody anew. Where that fails nobody else is let in, least of all whoever set the system up, and it is tried again
   * until it is done.
   */
  async load(onFailure: (message: string) => void): Promise<void> {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    try {
      await loadDirectory(this.#log, this.#directory);
      this.#directory.seal(false);
    } catch (error) {
      // A log that is not sound changes nothing and serves nothing; what is wrong with it may be asked for.
      if (this.#log.mutations?.problem !== 'integrity') this.#directory.seal();
      // While a server comes up, what it has to look in may still be on its way.
      const isPassing = error instanceof LedgerError && error.problem === 'overloaded';
      if (!isPassing)
        onFailure(
          `who may use the system cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        );
      if (!this.#isDisposed) this.#retry = setTimeout(() => void this.load(() => {}), retryMs);
    }
    this.#post({ access: this.#directory.documents() });
    this.#claim();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
  }

  /** Takes in what was committed. */
  take(changes: readonly AppliedChange[]): void {
    const documents = changes.flatMap(({ current: { document } }) =>
      isGateSubject(document.type) && document.type !== 'approval' ? [document] : [],
    );
    if (documents.length === 0) return;
    for (const document of documents) this.#directory.apply(document);
    this.#post({ access: documents });
    this.#claim();
  }

  /** With its first administrator a system gets its policy, which says for good that it is somebody's. */
  #claim(): void {
    const directory = this.#directory;
    const isDue = directory.policy === null && directory.hasAdministrator(formatInstant(Date.now()));
    if (!isDue || this.#isClaiming || this.#log.mutations !== null) return;
    this.#isClaiming = true;
    const submission = {
      command: { type: 'policy.publish', ...defaultPolicyDocument() },
      cause: { who: { kind: 'system', id: 'gate' }, why: 'somebody can let others in now' },
      request: null,
      dryRun: false,
    } as const;
    // What fails here is tried again with the next change and at the next start.
    void this.#log
      .submit(submission)
      .catch(() => null)
      .finally(() => {
        this.#isClaiming = false;
      });
  }
}
