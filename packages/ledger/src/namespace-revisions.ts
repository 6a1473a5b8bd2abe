/** Takes namespace revisions into the log, each once. */
import { setTimeout as after } from 'node:timers/promises';
import { equalBytes } from '@tallystick/core';
import type { Change } from '@tallystick/license';
import { asError, LedgerError } from './errors.ts';
import type { Governing } from './governing.ts';
import { placeRevision, type RevisionContext, type SignedRevision } from './place-revision.ts';
import type { RevisionReader } from './read/revision-reader.ts';
import type { AppliedChange } from './sequence/batch.ts';
import type { Sequencer } from './sequence/sequencer.ts';
import type { TrustHistory } from './trust-history.ts';

export interface RevisionParts {
  state: RevisionContext['state'];
  trust: TrustHistory;
  keys: { readonly all: RevisionContext['keys'] };
  /** Milliseconds. */
  now: () => number;
  governing: Governing;
  reader: RevisionReader;
  sequencer: Sequencer;
  /** Hands the newest namespace to the signer. */
  present: () => Promise<void>;
}

const presentAgainMs = 500;

const subject = { type: 'namespace', id: 'namespace' } as const;

export class NamespaceRevisions {
  readonly #parts: RevisionParts;

  constructor(parts: RevisionParts) {
    this.#parts = parts;
  }

  /** A dry run only checks it. Throws LedgerError (`namespace_refused`). */
  async take(signed: SignedRevision, dryRun: boolean): Promise<{ change: AppliedChange; isNew: boolean }> {
    const { sequencer, state, trust, keys, now, governing } = this.#parts;
    return sequencer.whileQuiet(async () => {
      const known = await this.#newest();
      if (known !== null && equalBytes(known.entry, signed.entry))
        return { change: known.change, isNew: false };
      const context = {
        state,
        trust: trust.current,
        current: governing.namespace,
        keys: keys.all,
        now: now(),
        lastAt: sequencer.lastAt,
      };
      const placed = await placeRevision(signed, context);
      if (dryRun) return { change: { ...placed.applied, index: null, leaf: null }, isNew: true };
      await sequencer.appendSigned(placed);
      await this.#handOver();
      return { change: placed.applied, isNew: true };
    });
  }

  /**
   * Nothing may be signed under the namespace of before, so commands wait until the signer has the new one. Where it
   * will not take it, the log stops; where this process ends first, the next one begins with it.
   */
  async #handOver(): Promise<void> {
    const { sequencer, present } = this.#parts;
    for (;;) {
      const failure = await present().then(() => null, asError);
      if (failure === null) return;
      if (failure.name !== 'SignerUnavailable') {
        const message = `the signer does not take the namespace that was logged: ${failure.message}`;
        sequencer.halt(new LedgerError('signer_refused', message, { cause: failure }));
        return;
      }
      if (sequencer.isStopping) {
        sequencer.refuseQueued(new LedgerError('stopping', 'the server is stopping'));
        return;
      }
      await after(presentAgainMs);
    }
  }

  async #newest(): Promise<{ entry: Uint8Array; change: AppliedChange } | null> {
    const { state, reader } = this.#parts;
    const head = state.head(state.keyOf(subject.id));
    if (head === undefined) return null;
    const { current, index, leaf, record, entry } = await reader.revision(subject.id, head.index);
    if (current === null) return null;
    const { document, rev } = current;
    const change = { type: record.record.type, subject, rev, document, companion: null } as Change;
    return { entry, change: { change, current, at: record.record.at, index, leaf } };
  }
}
