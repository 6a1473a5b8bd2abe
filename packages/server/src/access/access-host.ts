/** What happens in the thread of the access log: its file, and its publishing. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import {
  AccessLogError,
  accessUsage,
  demandMark,
  type FoundPage,
  findRecords,
  type LeavesProof,
  proveLeaves,
  SegmentStore,
} from '@tallystick/access';
import { keyIdOf } from '@tallystick/core';
import { SignerClient } from '@tallystick/signer/client';
import type { AccessCalls, AccessPublication, AccessThreadConfig } from './messages.ts';
import { AccessPublisher, isContradiction } from './publisher.ts';

/** Milliseconds after which a file that does not fit is looked at again. */
const misfitMs = 5000;
/** Segments between two looks at what else is asked. */
const droppedAtOnce = 16;
/** Milliseconds that the last checkpoint may take at the end. */
const lastPublishMs = 1000;

export class AccessHost implements AsyncDisposable {
  readonly #config: AccessThreadConfig;
  readonly #signer: SignerClient;
  readonly #post: (publication: AccessPublication) => void;
  /** null while it cannot be opened, and after a write whose end nobody knows: it is read anew then. */
  #opened: { store: SegmentStore; publisher: AccessPublisher } | null = null;
  #opening: Promise<{ store: SegmentStore; publisher: AccessPublisher }> | null = null;
  /** Number of the record that is the first of this process. */
  #base: number | null = null;
  /** Why this is not the log that signer and witnesses know: nothing more is written into it. */
  #contradiction: string | null = null;
  /** Why the file could not be opened, and when that was found. */
  #misfit: { error: AccessLogError; at: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #publishing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(config: AccessThreadConfig, post: (publication: AccessPublication) => void) {
    this.#config = config;
    this.#signer = new SignerClient(config.signerSocket);
    this.#post = post;
  }

  start(): void {
    this.#schedule();
  }

  /** Durable when it resolves. Where it rejects, nobody knows, and the same may be asked again. */
  async append({ first, lines, closes, inputs }: AccessCalls['append']['input']): Promise<null> {
    if (this.#contradiction !== null) throw new AccessLogError('tail', this.#contradiction);
    const { store } = await this.#open();
    this.#base ??= store.next - first;
    try {
      store.append(this.#base + first, lines, closes, inputs);
    } catch (error) {
      // After a sync that failed, what SQLite has in memory is not what is on disk.
      await this.#close();
      throw error;
    }
    return null;
  }

  /** The first leaf. */
  async identity(): Promise<Uint8Array> {
    const { store } = await this.#open();
    const leaf = store.leaf(0);
    if (leaf === undefined) throw new AccessLogError('identity', 'leaf 0 is missing');
    return leaf;
  }

  async find({ query, start, limit }: AccessCalls['find']['input']): Promise<FoundPage> {
    const { store } = await this.#open();
    return findRecords(store, query, { start, limit });
  }

  /** What is not published by then goes at the next start. */
  async drop({ before }: AccessCalls['drop']['input']): Promise<null> {
    for (let next: number | null = 1; next !== null && !this.#isStopped; ) {
      const { store } = await this.#open();
      next = store.drop(before, next, droppedAtOnce);
      // Records come in between.
      await new Promise(setImmediate);
    }
    return null;
  }

  async prove({ indexes }: AccessCalls['prove']['input']): Promise<LeavesProof | null> {
    const { store } = await this.#open();
    return proveLeaves(store, indexes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#publishing;
    // The last of the records may be published, too: nobody waits long for that.
    const last = this.#opened?.publisher.publish().catch(() => {});
    await Promise.race([last, after(lastPublishMs, undefined, { ref: false })]);
    await this.#close();
    await this.#signer[Symbol.asyncDispose]();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#publishing = this.#publish().finally(() => this.#schedule());
    }, this.#config.accessLog.intervalMs);
  }

  async #publish(): Promise<void> {
    const opened = await this.#open().catch(() => null);
    if (opened === null) return;
    let trouble: string | null = null;
    try {
      await opened.publisher.publish();
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
      if (isContradiction(error)) this.#contradiction = `this access log is not the newest: ${trouble}`;
    }
    this.#post({
      size: opened.store.size,
      published: opened.publisher.published,
      trouble,
      contradiction: this.#contradiction,
    });
  }

  #open(): Promise<{ store: SegmentStore; publisher: AccessPublisher }> {
    if (this.#opened !== null) return Promise.resolve(this.#opened);
    // What does not fit will not fit a second later, and finding that out takes reading all of it.
    if (this.#misfit !== null && performance.now() - this.#misfit.at < misfitMs)
      return Promise.reject(this.#misfit.error);
    this.#opening ??= this.#openAnew()
      .catch((error: unknown) => {
        if (error instanceof AccessLogError) this.#misfit = { error, at: performance.now() };
        throw error;
      })
      .finally(() => {
        this.#opening = null;
      });
    return this.#opening;
  }

  async #openAnew(): Promise<{ store: SegmentStore; publisher: AccessPublisher }> {
    const { file, origin } = this.#config.accessLog;
    const { access: mark, keys } = await this.#signer.hello();
    if (mark?.origin !== origin)
      throw new Error(`the signer does not sign ${origin}: name it as "access" in its configuration`);
    if (!existsSync(file)) {
      if (mark.size > 0)
        throw new AccessLogError(
          'tail',
          `${file} is missing, and the signer signed ${mark.size} leaves of it`,
        );
      const key = keys.find(({ usages }) => usages.includes(accessUsage));
      if (key === undefined) throw new Error('the signer has no access key');
      SegmentStore.create(file, await this.#signer.attest([keyIdOf({ alg: key.alg, key: key.key })]));
    }
    const store = SegmentStore.openToWrite(file, { random: randomBytes });
    try {
      // An older file would be written on, and be another history, before anybody noticed.
      demandMark(mark, store.tree);
    } catch (error) {
      store[Symbol.dispose]();
      throw error;
    }
    const publisher = new AccessPublisher(this.#config, this.#signer, store, () => Date.now());
    this.#opened = { store, publisher };
    return this.#opened;
  }

  async #close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    opened?.publisher.close();
    opened?.store[Symbol.dispose]();
  }
}
