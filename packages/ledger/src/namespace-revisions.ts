/** Takes namespace revisions into the log, each once. */
import { changedAuthorities, equalBytes } from '@tallystick/core';
import type { Change } from '@tallystick/license';
import { LedgerError } from './errors.ts';
import type { Governing } from './governing.ts';
import type { HandOver } from './hand-over.ts';
import {
  checkCommitments,
  placeRevision,
  type RevisionContext,
  type SignedRevision,
} from './place-revision.ts';
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
  handOver: HandOver;
}

const subject = { type: 'namespace', id: 'namespace' } as const;

export class NamespaceRevisions {
  readonly #parts: RevisionParts;

  constructor(parts: RevisionParts) {
    this.#parts = parts;
  }

  /** A dry run only checks it. Throws LedgerError (`namespace_refused`). */
  async take(signed: SignedRevision, dryRun: boolean): Promise<{ change: AppliedChange; isNew: boolean }> {
    const { sequencer, state, trust, keys, now, governing, handOver } = this.#parts;
    return sequencer.whileQuiet(async () => {
      const known = await this.#newest();
      if (known !== null && equalBytes(known.entry, signed.entry)) {
        checkCommitments(signed);
        return { change: known.change, isNew: false };
      }
      this.#checkAuthorityStays();
      const context = {
        index: state.size,
        state,
        trust: trust.current,
        current: governing.namespace,
        keys: keys.all,
        now: now(),
        lastAt: sequencer.lastAt,
      };
      const placed = await placeRevision(signed, context);
      if (dryRun) return { change: { ...placed.applied, index: null, leaf: null }, isNew: true };
      await sequencer.appendQuietly([placed.stored], placed);
      await handOver.namespace(signed.entry, signed.document);
      return { change: placed.applied, isNew: true };
    });
  }

  /**
   * A version of the trust root that was kept and then not logged may be known to the signer already, which then takes
   * nothing that the authority before it signed.
   */
  #checkAuthorityStays(): void {
    const { trust, governing } = this.#parts;
    let before = trust.current;
    for (const next of trust.unlogged) {
      if (changedAuthorities(before, next).includes(governing.namespace.ns)) {
        const why = `version ${next.version} of the trust root, which changes the authority, was begun to be published`;
        throw new LedgerError('namespace_refused', `${why}: publish it again first`);
      }
      before = next;
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
