/** A server beside another one on the same store, with a signer of its own: same keys, another mark and journal. */
import { join } from 'node:path';
import { type Ledger, type LedgerParts, Projections, type Store } from '@tallystick/ledger';
import { onlineKeys } from '@tallystick/server';
import { createMark, Journal, type LoggedDocument, Mark, type Signer } from '@tallystick/signer';
import { openLedger, startSigner, type TestWorld } from './system.ts';

export class SecondServer implements AsyncDisposable {
  readonly signer: Signer;
  readonly mark: Mark;
  readonly journal: Journal;
  readonly journalFile: string;
  readonly #world: TestWorld;
  #ledger: Ledger | null = null;

  private constructor(
    world: TestWorld,
    parts: Pick<SecondServer, 'mark' | 'journal' | 'journalFile'>,
    isShared: boolean,
  ) {
    this.#world = world;
    this.mark = parts.mark;
    this.journal = parts.journal;
    this.journalFile = parts.journalFile;
    const { identity, trust, now } = world;
    this.signer = startSigner(onlineKeys(identity.keys), parts, [trust], now, { isShared });
  }

  /** Sets one up as `tally init` would on another machine: it has seen nothing of the log but its beginning. */
  static async prepare(
    world: TestWorld,
    { isShared = true }: { isShared?: boolean } = {},
  ): Promise<SecondServer> {
    const { trust, directory, now, store } = world;
    const markFile = join(directory, 'second-mark.db');
    const journalFile = join(directory, 'second-journal');
    await createMark(markFile, trust, await publicDocuments(store));
    const mark = Mark.open(markFile, trust.log.origin);
    const journal = Journal.open(journalFile, mark, now);
    return new SecondServer(world, { mark, journal, journalFile }, isShared);
  }

  /** Opens the ledger on the store, as whoever writes it from now on. */
  async takeOver(parts: Partial<LedgerParts>): Promise<Ledger> {
    const { signer, mark, journal } = this;
    const projections = new Projections(':memory:');
    const opened = await openLedger({ ...this.#world, signer, mark, journal, projections }, parts);
    this.#ledger = opened.ledger;
    return opened.ledger;
  }

  /** What it took over; null before. */
  get ledger(): Ledger | null {
    return this.#ledger;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ledger?.[Symbol.asyncDispose]();
    await this.journal[Symbol.asyncDispose]();
    this.mark[Symbol.dispose]();
  }
}

async function publicDocuments(store: Store): Promise<LoggedDocument[]> {
  const entries = await store.entries(0, 10);
  return entries.flatMap(({ entry, content }) =>
    content !== null && /^(?:namespace|brake)$/.test(content.id) && content.document !== null
      ? [{ entry, document: content.document }]
      : [],
  );
}
