/** Makes custody reports: everything that happened to a license under the published checkpoint, with its proofs. */
import {
  type CauseStatement,
  type CustodyReport,
  custodyGaps,
  encodeCustodyReport,
  policiesId,
} from '@tallystick/core';
import type { CheckedRevision } from '../content.ts';
import { IntegrityAlarm } from '../errors.ts';
import type { Published } from '../publish/publisher.ts';
import type { BundleMaker } from './bundle-maker.ts';
import { CustodyDraft } from './custody-draft.ts';
import {
  type ChainHead,
  chainHead,
  readAt,
  readChain,
  readHead,
  type SubjectChainParts,
} from './subject-chain.ts';

export interface CustodyRequest {
  /** Instants: revisions from `from` on and before `to` are shown in full; no limit where left out. */
  from?: string | undefined;
  to?: string | undefined;
  /** The newest trust root that the reader has pinned; 1 where left out. */
  trustVersion?: number | undefined;
}

/** A change that is to be explained: who asked for it, and what allowed it. */
interface Explained {
  index: number;
  statement: CauseStatement;
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
    const writing = new CustodyWriting(this.#parts, published.size);
    const range = await writing.addAll(license, request);
    if (range === undefined) return null;
    const { entries, causes, statements } = writing.draft.sorted();
    return encodeCustodyReport({
      ns: state.ns,
      license,
      range,
      trust: await bundles.trustSteps(request.trustVersion ?? 1, published),
      anchor: await bundles.anchorOf(published),
      keys: bundles.keysOf(writing.draft.keyids),
      subjects: writing.draft.subjects,
      entries,
      causes,
      access: null,
      gaps: custodyGaps({ license, range, entries, causes, access: null }, statements),
    });
  }
}

/** One report being written. */
class CustodyWriting {
  readonly #parts: SubjectChainParts & { bundles: BundleMaker };
  readonly #size: number;
  readonly draft: CustodyDraft;

  constructor(parts: SubjectChainParts & { bundles: BundleMaker }, size: number) {
    this.#parts = parts;
    this.#size = size;
    this.draft = new CustodyDraft(parts, size);
  }

  /** Returns which revisions are shown in full; undefined where there is no such license. */
  async addAll(license: string, request: CustodyRequest): Promise<CustodyReport['range'] | undefined> {
    const head = this.#head(license);
    if (head === null) return undefined;
    for (const id of ['namespace', 'brake'] as const) {
      const newest = this.#head(id);
      if (newest === null) throw new IntegrityAlarm(0, `the ${id} is missing`);
      this.draft.addSubject(newest);
      this.draft.add(id, await readHead(this.#parts, newest), true);
    }
    const { range, explained } = await this.#addLicense(head, request);
    for (const id of named(explained, ({ approvals }) => approvals?.approval))
      explained.push(...(await this.#addApproval(id)));
    for (const { statement } of explained) await this.#addDecision(statement);
    for (const id of named(explained, ({ who }) => who.id))
      if (id.startsWith('prn_')) await this.#addInForce(id, explained, () => true);
    for (const id of named(explained, ({ who }) => who.credential))
      if (id.startsWith('crd_')) await this.#addInForce(id, explained, isPublicCredential);
    const decided = explained.filter(({ statement }) => statement.decision !== null);
    if (decided.length > 0) await this.#addInForce(policiesId, decided, () => true);
    return range;
  }

  #head(id: string): ChainHead | null {
    return chainHead(id, this.#parts.state, this.#parts.bundles.mapUnder(this.#size));
  }

  /** Every revision of the license, with documents and causes of those that were asked for. */
  async #addLicense(
    head: ChainHead,
    { from, to }: CustodyRequest,
  ): Promise<{ range: CustodyReport['range']; explained: Explained[] }> {
    this.draft.addSubject(head);
    const explained: Explained[] = [];
    const shown: number[] = [];
    for await (const revision of readChain(this.#parts, head)) {
      const { rev, at } = revision.record.record;
      const isShown = (from === undefined || at >= from) && (to === undefined || at < to);
      this.draft.add(head.id, revision, isShown);
      if (!isShown) continue;
      shown.push(rev);
      await this.#explain(revision, explained);
    }
    const [first] = shown;
    const range = first === undefined ? null : { from: first, to: shown.at(-1) ?? first };
    return { range, explained };
  }

  /** A request for approval, with who approved it. */
  async #addApproval(id: string): Promise<Explained[]> {
    const explained: Explained[] = [];
    const head = this.#head(id);
    if (head === null) throw new IntegrityAlarm(0, `a cause names ${id}, which was never logged`);
    this.draft.addSubject(head);
    for await (const revision of readChain(this.#parts, head)) {
      this.draft.add(id, revision, true);
      await this.#explain(revision, explained);
    }
    return explained;
  }

  async #explain(revision: CheckedRevision, explained: Explained[]): Promise<void> {
    const statement = await this.draft.addCause(revision);
    if (statement !== null) explained.push({ index: revision.index, statement });
  }

  /** A decision that stands whole in the cause of another command. */
  async #addDecision({ decision }: CauseStatement): Promise<void> {
    if (decision === null || !('same' in decision)) return;
    const revision = await readAt(this.#parts, decision.same);
    this.draft.add(null, revision, false);
    // What was signed for another change is nobody else's business.
    await this.draft.addCause(revision, false);
  }

  /** A subject with the documents that were in force when something happened, or the proof that there is none. */
  async #addInForce(
    id: string,
    explained: readonly Explained[],
    mayShow: (revision: CheckedRevision) => boolean,
  ): Promise<void> {
    const { state, bundles } = this.#parts;
    const head = this.#head(id);
    if (head === null) {
      this.draft.addSubject({ id, map: bundles.mapUnder(this.#size).prove(state.keyOf(id)) });
      return;
    }
    const times = explained.filter(({ statement }) => concerns(id, statement)).map(({ index }) => index);
    this.draft.addSubject(head);
    let held: CheckedRevision | null = null;
    const add = (revision: CheckedRevision | null, until: number): void => {
      if (revision === null) return;
      const isInForce = times.some((time) => time > revision.index && time <= until);
      this.draft.add(id, revision, isInForce && mayShow(revision));
    };
    for await (const revision of readChain(this.#parts, head)) {
      add(held, revision.index);
      held = revision;
    }
    add(held, Number.POSITIVE_INFINITY);
  }
}

function concerns(id: string, { who }: CauseStatement): boolean {
  return id === policiesId || who.id === id || who.credential === id;
}

function named(
  explained: readonly Explained[],
  name: (statement: CauseStatement) => string | null | undefined,
): Set<string> {
  return new Set(explained.flatMap(({ statement }) => name(statement) ?? []));
}

/** What verifies the others is for nobody else: a hash of a password can be guessed at. */
const publicKinds: ReadonlySet<string> = new Set(['http_signature', 'passkey', 'oidc', 'spiffe']);

function isPublicCredential({ current }: CheckedRevision): boolean {
  return current?.document.type === 'credential' && publicKinds.has(current.document.kind);
}
