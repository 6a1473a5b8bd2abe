/** Takes namespace revisions into the log, each once. */
import { changedAuthorities, equalBytes } from '@tallystick/core';
import type { Change } from '@tallystick/license';
import { LedgerError } from './errors.ts';
import type { Governing } from './governing.ts';
import type { HandOver } from './hand-over.ts';
import {
  checkCommitments,
  type PlacedRevision,
  placeRevision,
  type RevisionContext,
  type SignedRevision,
} from './place-revision.ts';
import type { RevisionReader } from './read/revision-reader.ts';
import type { ExecutedQuietly } from './sequence/approved-batches.ts';
import type { AppliedChange, Judge, Submission } from './sequence/batch.ts';
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

  /**
   * A dry run only checks it. What is new is judged where `judge` says how. Throws LedgerError (`namespace_refused`) and what
   * `judge` throws.
   */
  async take(
    signed: SignedRevision,
    dryRun: boolean,
    judge: Judge | null,
  ): Promise<{ change: AppliedChange; isNew: boolean }> {
    const { sequencer, state, handOver } = this.#parts;
    return sequencer.whileQuiet(async () => {
      const known = await this.#newest();
      if (known !== null && equalBytes(known.entry, signed.entry)) {
        checkCommitments(signed);
        return { change: known.change, isNew: false };
      }
      const placed = await this.#place(signed, state.size);
      if (judge !== null) await sequencer.judgeQuietly(judge, [placed.applied.change]);
      if (dryRun) return { change: { ...placed.applied, index: null, leaf: null }, isNew: true };
      await sequencer.appendQuietly([placed.stored], placed);
      await handOver.namespace(signed.entry, signed.document);
      return { change: placed.applied, isNew: true };
    });
  }

  /** Takes it together with the record that a request for it was carried out, which `submission` asks for. Rejects as `take`. */
  async execute(signed: SignedRevision, submission: Submission): Promise<ExecutedQuietly> {
    const { sequencer, handOver } = this.#parts;
    return sequencer.whileQuiet(async () => {
      const executed = await sequencer.executeQuietly(submission, async (index) => {
        const revision = await this.#place(signed, index);
        return { entries: [revision.stored], revision };
      });
      if (executed.placed !== null && !submission.dryRun)
        await handOver.namespace(signed.entry, signed.document);
      return executed;
    });
  }

  #place(signed: SignedRevision, index: number): Promise<PlacedRevision> {
    const { sequencer, state, trust, reader, keys, now, governing } = this.#parts;
    this.#checkAuthorityStays();
    return placeRevision(signed, {
      index,
      state,
      trust: trust.current,
      current: governing.namespace,
      reader,
      keys: keys.all,
      now: now(),
      lastAt: sequencer.lastAt,
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
