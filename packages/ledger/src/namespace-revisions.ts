/** Takes namespace revisions into the log, each once. */
import { equalBytes } from '@tallystick/core';
import type { Change } from '@tallystick/license';
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
}

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
      };
      const placed = await placeRevision(signed, context);
      if (dryRun) return { change: { ...placed.applied, index: null, leaf: null }, isNew: true };
      await sequencer.appendSigned(placed);
      return { change: placed.applied, isNew: true };
    });
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
