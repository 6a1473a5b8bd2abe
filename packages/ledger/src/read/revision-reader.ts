/** Reads revisions of subjects, each checked against the log before anybody sees it. */
import { equalBytes } from '@tallystick/core';
import type { Current } from '@tallystick/license';
import { type CheckedRevision, checkRevision } from '../content.ts';
import { IntegrityAlarm, LedgerError } from '../errors.ts';
import type { LogState } from '../log-state.ts';
import type { Store } from '../store/store.ts';
import { RecentMap } from './recent-map.ts';

const cachedMax = 20_000;
/** More entries than this are not looked through for what waits for a checkpoint. */
const unpublishedMax = 100_000;
/** There is a revision, and it is not in memory. */
export const unread: unique symbol = Symbol('unread');

export class RevisionReader {
  readonly #store: Store;
  readonly #state: LogState;
  /** Revisions by log index; entries are immutable, so nothing here goes stale. */
  readonly #cache = new RecentMap<number, Current>(cachedMax);

  constructor(store: Store, state: LogState) {
    this.#store = store;
    this.#state = state;
  }

  /**
   * The newest committed revision of a subject as far as that is known without reading: undefined where there is
   * none, `unread` where the store has to be asked.
   */
  known(id: string): Current | undefined | typeof unread {
    const index = this.#state.newestOf(id)?.index;
    return index === undefined ? undefined : (this.#cache.get(index) ?? unread);
  }

  /** The newest committed revision of a subject; throws IntegrityAlarm where its bytes were altered. */
  async current(id: string): Promise<Current | undefined> {
    const head = this.#state.head(this.#state.keyOf(id));
    if (head === undefined) return undefined;
    const cached = this.#cache.get(head.index);
    if (cached !== undefined) return cached;
    const { current } = await this.revision(id, head.index);
    if (current === null) throw new IntegrityAlarm(head.index, 'the newest document was removed');
    this.remember(head.index, current);
    return current;
  }

  /** The revision of a subject at a log index, checked; throws IntegrityAlarm, and LedgerError as below. */
  async revision(id: string, index: number): Promise<CheckedRevision> {
    const stored = await this.#store.entry(index);
    if (stored === undefined) throw new IntegrityAlarm(index, 'the entry is missing');
    const revision = checkRevision(stored, this.#state.tree.leaf(index));
    const isAboutIt = equalBytes(revision.record.record.subject, this.#state.keyOf(id));
    if (revision.content.id !== id || !isAboutIt)
      throw new IntegrityAlarm(index, `the entry is not about ${id}`);
    if (revision.current === null) await this.#demandNewest(id, index);
    return revision;
  }

  /**
   * What was erased is gone before that is published: whoever follows a log meanwhile finds the newest revision that it
   * knows without its document. Throws LedgerError where that is so.
   */
  async #demandNewest(id: string, index: number): Promise<void> {
    const key = this.#state.keyOf(id);
    if (this.#state.head(key)?.index !== index) return;
    const newer = await this.#store.leaves(this.#state.size, unpublishedMax);
    if (newer.some(({ subject }) => subject !== null && equalBytes(subject, key)))
      throw new LedgerError('not_published_yet', `${id} was erased, which waits for its checkpoint`);
  }

  /** Keeps a revision that was just committed at hand. */
  remember(index: number, current: Current): void {
    this.#cache.set(index, current);
  }
}
