/** A custody report as it grows: entries and causes, each once, until they are put in order. */
import {
  type CauseStatement,
  type CustodyCause,
  type CustodyEntry,
  type CustodySubject,
  custodyLimits,
  readCauseStatement,
} from '@tallystick/core';
import { type CheckedRevision, checkCause, signedRequestOf } from '../content.ts';
import { LedgerError } from '../errors.ts';
import type { SubjectChainParts } from './subject-chain.ts';

/** An entry before the causes have their order. */
type DraftEntry = Omit<CustodyEntry, 'cause'> & { causeIndex: number | null };

export class CustodyDraft {
  readonly #parts: SubjectChainParts;
  /** Entries under the checkpoint. */
  readonly #size: number;
  readonly subjects: CustodySubject[] = [];
  /** Of all keys that signed something, but for the authority's. */
  readonly keyids: Set<string> = new Set();
  readonly #entries = new Map<number, DraftEntry>();
  /** By the log index of their commands' first records. */
  readonly #causes = new Map<number, CustodyCause & { statement: CauseStatement }>();
  #bytes = 0;

  constructor(parts: SubjectChainParts, size: number) {
    this.#parts = parts;
    this.#size = size;
  }

  addSubject({ id, map }: CustodySubject): void {
    this.subjects.push({ id, map });
  }

  /** Adds an entry; one that is there already gets what it lacks. Throws LedgerError (`report_too_large`). */
  add(subject: string | null, revision: CheckedRevision, isShown: boolean): void {
    const { index, entry, content, record } = revision;
    const { document, salt } = content;
    const known = this.#entries.get(index);
    const shown = isShown && document !== null && salt !== null ? { bytes: document, salt } : null;
    const path = known?.path ?? this.#parts.state.tree.inclusionProof(index, this.#size);
    this.#entries.set(index, {
      index,
      subject: subject ?? known?.subject ?? null,
      entry,
      path,
      document: shown ?? known?.document ?? null,
      causeIndex: known?.causeIndex ?? null,
    });
    // The authority's keys are in the trust root.
    const isAuthority = record.record.type.startsWith('namespace.');
    if (!isAuthority) for (const { keyid } of record.envelope.signatures) this.keyids.add(keyid);
    this.#grow(entry.length + path.length * 36 + (shown?.bytes.length ?? 0) + 256);
  }

  /**
   * Shows who asked for an entry that was added, and says what that is; null where it is not held any more. The request that
   * was signed is shown unless the cause was added without it.
   */
  async addCause(revision: CheckedRevision, showsRequest = true): Promise<CauseStatement | null> {
    const { cause: index } = revision.content;
    const entry = this.#entries.get(revision.index);
    let found = this.#causes.get(index);
    if (found === undefined) {
      const stored = await this.#parts.store.cause(index);
      if (stored === undefined) return null;
      signedRequestOf(checkCause(revision, stored), stored);
      const { salt, document, signed } = stored;
      const shown = showsRequest && signed !== null ? { signed } : {};
      found = { salt, document, ...shown, statement: readCauseStatement(document) };
      this.#causes.set(index, found);
      this.#grow(document.length + (shown.signed?.bytes.length ?? 0) + 128);
    }
    if (entry !== undefined) entry.causeIndex = index;
    return found.statement;
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
    return { entries, causes, statements: causes.map(({ statement }) => statement) };
  }

  /** Bytes as they are before base64 makes four of three. */
  #grow(bytes: number): void {
    this.#bytes += bytes;
    if ((this.#bytes * 4) / 3 <= custodyLimits.bytes * 0.95 && this.#entries.size <= custodyLimits.entries)
      return;
    throw new LedgerError(
      'report_too_large',
      `a report has at most ${custodyLimits.bytes / 1_048_576} MiB: ask for less of the history with from and to`,
    );
  }
}
