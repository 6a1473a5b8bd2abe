/** Makes custody reports: everything that happened to a license under the published checkpoint, with its proofs. */
import {
  type CauseStatement,
  type CustodyCause,
  type CustodyEntry,
  type CustodyReport,
  type CustodySubject,
  custodyGaps,
  custodyLimits,
  encodeCustodyReport,
  readCauseStatement,
} from '@tallystick/core';
import { type CheckedRevision, checkCause } from '../content.ts';
import { IntegrityAlarm, LedgerError } from '../errors.ts';
import type { Published } from '../publish/publisher.ts';
import type { BundleMaker } from './bundle-maker.ts';
import { type ChainHead, chainHead, readChain, readHead, type SubjectChainParts } from './subject-chain.ts';

export interface CustodyRequest {
  /** Instants: revisions from `from` on and before `to` are shown in full; no limit where left out. */
  from?: string | undefined;
  to?: string | undefined;
  /** The newest trust root that the reader has pinned; 1 where left out. */
  trustVersion?: number | undefined;
}

export class CustodyMaker {
  readonly #parts: SubjectChainParts & { bundles: BundleMaker };

  constructor(parts: SubjectChainParts & { bundles: BundleMaker }) {
    this.#parts = parts;
  }

  /**
   * The report on a license, as text; null for one that the checkpoint does not cover. Throws IntegrityAlarm where stored
   * bytes do not fit the log, and LedgerError (`report_too_large`).
   */
  async make(license: string, request: CustodyRequest, published: Published): Promise<string | null> {
    const { state, bundles } = this.#parts;
    const draft = new Draft(this.#parts, published.size);
    const heads = ['namespace', 'brake', license].map((id) =>
      chainHead(id, state, bundles.mapUnder(published.size)),
    );
    const [namespace, brake, head] = heads;
    if (head == null) return null;
    if (namespace == null || brake == null) throw new IntegrityAlarm(0, 'namespace or brake is missing');
    await draft.addNewest(namespace);
    await draft.addNewest(brake);
    const range = await draft.addLicense(head, request);
    const { entries, causes, statements } = draft.sorted();
    return encodeCustodyReport({
      ns: state.ns,
      license,
      range,
      trust: await bundles.trustSteps(request.trustVersion ?? 1, published),
      anchor: await bundles.anchorOf(published),
      keys: bundles.keysOf(draft.keyids),
      subjects: draft.subjects,
      entries,
      causes,
      gaps: custodyGaps({ license, range, entries }, statements),
    });
  }
}

/** An entry before the causes have their order. */
type DraftEntry = Omit<CustodyEntry, 'cause'> & { causeIndex: number | null };

/** A report as it grows. */
class Draft {
  readonly #parts: SubjectChainParts;
  readonly #size: number;
  readonly subjects: CustodySubject[] = [];
  readonly keyids = new Set<string>();
  readonly #entries = new Map<number, DraftEntry>();
  /** By the log index of their commands' first records. */
  readonly #causes = new Map<number, CustodyCause>();
  #bytes = 0;

  constructor(parts: SubjectChainParts, size: number) {
    this.#parts = parts;
    this.#size = size;
  }

  /** The newest revision of a public document. */
  async addNewest(head: ChainHead): Promise<void> {
    this.subjects.push({ id: head.id, map: head.map });
    this.#add(head.id, await readHead(this.#parts, head), true);
  }

  /** Every revision of the license, with documents and causes of those that were asked for. Returns which these are. */
  async addLicense(head: ChainHead, { from, to }: CustodyRequest): Promise<CustodyReport['range']> {
    this.subjects.push({ id: head.id, map: head.map });
    const shown: number[] = [];
    for await (const revision of readChain(this.#parts, head)) {
      const { rev, at } = revision.record.record;
      const isShown = (from === undefined || at >= from) && (to === undefined || at < to);
      const entry = this.#add(head.id, revision, isShown);
      if (!isShown) continue;
      shown.push(rev);
      entry.causeIndex = await this.#addCause(revision);
    }
    const [first] = shown;
    return first === undefined ? null : { from: first, to: shown.at(-1) ?? first };
  }

  /** Entries and causes in the order of the log. */
  sorted(): { entries: CustodyEntry[]; causes: CustodyCause[]; statements: CauseStatement[] } {
    const places = new Map<number, number>();
    const entries = [...this.#entries.values()]
      .sort((a, b) => a.index - b.index)
      .map(({ causeIndex, ...entry }) => {
        if (causeIndex !== null && !places.has(causeIndex)) places.set(causeIndex, places.size);
        return { ...entry, cause: causeIndex === null ? null : (places.get(causeIndex) ?? null) };
      });
    const causes = [...places.keys()].flatMap((index) => this.#causes.get(index) ?? []);
    return { entries, causes, statements: causes.map(({ document }) => readCauseStatement(document)) };
  }

  #add(subject: string, revision: CheckedRevision, isShown: boolean): DraftEntry {
    const { index, entry, content, record } = revision;
    const { document, salt } = content;
    const path = this.#parts.state.tree.inclusionProof(index, this.#size);
    const added: DraftEntry = {
      index,
      subject,
      entry,
      path,
      document: isShown && document !== null && salt !== null ? { bytes: document, salt } : null,
      causeIndex: null,
    };
    this.#entries.set(index, added);
    // The authority's keys are in the trust root.
    if (subject !== 'namespace') for (const { keyid } of record.envelope.signatures) this.keyids.add(keyid);
    this.#grow(entry.length + path.length * 36 + (added.document?.bytes.length ?? 0) + 256);
    return added;
  }

  /** null where the cause is not held any more. */
  async #addCause(revision: CheckedRevision): Promise<number | null> {
    const { cause: index } = revision.content;
    if (this.#causes.has(index)) return index;
    const stored = await this.#parts.store.cause(index);
    if (stored === undefined) return null;
    checkCause(revision, stored);
    this.#causes.set(index, { salt: stored.salt, document: stored.document });
    this.#grow(stored.document.length + 128);
    return index;
  }

  /** Bytes as they are before base64 makes four of three. */
  #grow(bytes: number): void {
    this.#bytes += bytes;
    if ((this.#bytes * 4) / 3 <= custodyLimits.bytes * 0.95 && this.#entries.size < custodyLimits.entries)
      return;
    throw new LedgerError(
      'report_too_large',
      `a report has at most ${custodyLimits.bytes / 1_048_576} MiB: ask for less of the history with from and to`,
    );
  }
}
