/** A replayer that follows documents, over a log that has some. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { encodeEnvelope, parseTrustRoot, verifyBundle, verifyTrustChain } from '@tallystick/core';
import {
  type ContentOptions,
  type ContentPublicKey,
  createContentKey,
  type PlainPart,
  parseBatches,
  partKinds,
} from '../../src/index.ts';
import type { DocumentedLog } from './documented-log.ts';
import { contentToken } from './log-server.ts';
import { bearer, pathOf } from './mirror-setup.ts';
import { ReplaySetup } from './replay-setup.ts';

export class ContentMirror implements AsyncDisposable {
  readonly log: DocumentedLog;
  readonly setup: ReplaySetup;
  readonly publicKey: ContentPublicKey;
  readonly keyFile: string;
  /** What the log's server says instead of the truth; the range may be another one, too. */
  lie: (parts: PlainPart[], range: { from: number; to: number }) => PlainPart[] = (parts) => parts;
  /** Ranges that were asked for. */
  readonly asked: { from: number; to: number }[] = [];

  private constructor(log: DocumentedLog, setup: ReplaySetup) {
    this.log = log;
    this.setup = setup;
    this.keyFile = join(setup.folder, 'content.key');
    this.publicKey = createContentKey(this.keyFile);
    setup.server.contents = async (from, to) => {
      this.asked.push({ from, to });
      const range = { from, to: Math.min(to, from + 1024) };
      return log.sealed(this.publicKey, range, this.lie(log.parts(from, range.to), range));
    };
  }

  static async start(log: DocumentedLog, opens = true): Promise<ContentMirror> {
    const mirror = new ContentMirror(log, await ReplaySetup.start(log));
    mirror.configure(opens);
    await mirror.setup.restart();
    return mirror;
  }

  get file(): string {
    return join(this.setup.folder, 'contents.db');
  }

  /** From the next start on. */
  configure(opens: boolean, changes: Partial<ContentOptions> = {}): void {
    const keyFile = opens ? this.keyFile : null;
    this.setup.contents = {
      file: this.file,
      token: contentToken,
      publicKey: this.publicKey,
      keyFile,
      ...changes,
    };
  }

  /** Forgets all documents and starts anew, which fetches them again. */
  async begin(opens = true): Promise<void> {
    await this.setup.close();
    for (const end of ['', '-wal', '-shm']) rmSync(`${this.file}${end}`, { force: true });
    this.setup.lines.length = 0;
    this.configure(opens);
    await this.setup.restart();
  }

  get status(): NonNullable<
    NonNullable<ReturnType<ReplaySetup['replayer']['status']>[number]['mirror']>['contents']
  > {
    const status = this.setup.replayer.status()[0]?.mirror?.contents;
    if (status === undefined) throw new Error('documents are not followed');
    return status;
  }

  /** Has what is new in the log cosigned and published, and waits until its documents were fetched. */
  async follow(): Promise<void> {
    await this.publish();
    await this.until(() => this.status.fetched === this.log.size);
  }

  async publish(): Promise<void> {
    if (this.setup.cosigned < this.log.size) await this.setup.add();
    this.setup.server.published = this.log.published();
    const path = pathOf('published');
    await this.until(() =>
      String(this.setup.replayer.read?.(path, '')?.body).includes(`\n${this.log.size}\n`),
    );
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let tries = 0; !isSo(); tries++) {
      if (tries > 500) throw new Error(`it never came to that: ${JSON.stringify(this.setup.lines)}`);
      await after(10);
    }
  }

  /** Messages of an event that the mirror told. */
  told(event: string): string[] {
    return this.setup.lines.filter((line) => line['event'] === event).map((line) => String(line['message']));
  }

  /** What is answered to who asks for a license file; null for another path. */
  bundle(
    id: string,
    { authorization = bearer, rest = '' }: { authorization?: string; rest?: string } = {},
  ): { status: number; body: string } | null {
    const path = pathOf(`bundle/acme/${id}${rest}`);
    const answer = this.setup.replayer.read?.(path, authorization) ?? null;
    return answer && { status: answer.status, body: String(answer.body) };
  }

  /** Sealed bytes of a part of an entry, as the mirror hands them out; null where it has none. */
  sealed(index: number, kind: number = partKinds.content): Uint8Array | null {
    const answer = this.setup.replayer.read?.(pathOf(`contents/${Math.floor(index / 256)}`), bearer);
    const parts = parseBatches(answer?.body as Uint8Array).flatMap((batch) => batch.parts);
    return parts.find((part) => part.index === index && part.kind === kind)?.sealed ?? null;
  }

  /** Everything in the files of the documents, as text. */
  files(): string {
    const { folder } = this.setup;
    return readdirSync(folder)
      .filter((name) => name.startsWith('contents.db'))
      .map((name) => readFileSync(join(folder, name), 'latin1'))
      .join('\n');
  }

  /** What clients make of a license file, who have pinned the first trust root. */
  async verified(text: string): ReturnType<typeof verifyBundle> {
    const trust = parseTrustRoot(this.log.entries[0] as Uint8Array);
    const pin = await verifyTrustChain([encodeEnvelope(trust.envelope)]);
    return verifyBundle(Buffer.from(text), { pin, namespace: 'acme' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.setup[Symbol.asyncDispose]();
  }
}
