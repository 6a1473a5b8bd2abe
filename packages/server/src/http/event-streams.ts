/**
 * Server-sent events. Slow readers are cut off rather than waited for: they come back with the index of
 * the last event they got and miss nothing that was published.
 */
import type { ServerResponse } from 'node:http';
import { type EventData, encodeEvent, keepAlive } from '@tallystick/contract';
import type { LedgerClient } from '../ledger-thread/ledger-client.ts';
import type { EventMessage } from '../ledger-thread/messages.ts';
import { securityHeaders } from './security-headers.ts';

const streamsMax = 256;
const bufferedMax = 1024 * 1024;
const keepAliveMs = 15_000;
const recordsPerRead = 1000;

interface Stream {
  response: ServerResponse;
  /** Whether its reader may go on. */
  isLive: () => boolean;
  /** Published records are told up to here. */
  next: number;
  /** The event of the newest checkpoint, which is told behind the records under it; null once it was. */
  checkpoint: string | null;
  isReading: boolean;
}

export class EventStreams {
  readonly #streams = new Set<Stream>();
  readonly #timer: NodeJS.Timeout;
  #ledger: LedgerClient | null = null;

  constructor() {
    this.#timer = setInterval(() => {
      for (const stream of this.#streams) this.#write(stream, keepAlive);
    }, keepAliveMs);
    this.#timer.unref();
  }

  attach(ledger: LedgerClient): void {
    this.#ledger = ledger;
  }

  get count(): number {
    return this.#streams.size;
  }

  get isFull(): boolean {
    return this.#streams.size >= streamsMax;
  }

  /**
   * Takes over a response. `lastEventId` is the log index after which to resume; null begins now. Ends as soon as
   * `isLive` says no.
   */
  open(response: ServerResponse, lastEventId: number | null, isLive: () => boolean): void {
    // Its reader went while it was judged: that it has closed is not told again, and its place would never be free.
    if (response.destroyed) return;
    const published = this.#ledger?.status.published?.size ?? 0;
    const stream: Stream = {
      response,
      isLive,
      next: lastEventId === null ? published : lastEventId + 1,
      checkpoint: lastEventId === null ? null : this.#newestCheckpoint(),
      isReading: false,
    };
    response.writeHead(200, {
      ...securityHeaders,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    response.write(keepAlive);
    this.#streams.add(stream);
    if (this.#streams.size === 1) this.#ledger?.listen(true);
    response.on('close', () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#ledger?.listen(false);
    });
    void this.#catchUp(stream);
  }

  /** What a stream that resumes is told last. */
  #newestCheckpoint(): string | null {
    const published = this.#ledger?.status.published ?? null;
    return published && encodeEvent('checkpoint.published', published);
  }

  send(event: EventMessage): void {
    for (const stream of this.#streams) {
      if (event.type !== 'checkpoint.published') this.#write(stream, event.data);
      else {
        stream.checkpoint = event.data;
        void this.#catchUp(stream);
      }
    }
  }

  /** Ends the streams of those who may not go on: to be called when that may have changed. */
  endStale(): void {
    for (const { isLive, response } of this.#streams) if (!isLive()) response.end();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.response.end();
  }

  /** Tells of every published record that the stream has not been told of, then of the checkpoint; also of what comes meanwhile. */
  async #catchUp(stream: Stream): Promise<void> {
    const ledger = this.#ledger;
    if (ledger === null || stream.isReading) return;
    stream.isReading = true;
    try {
      while (this.#streams.has(stream)) {
        const end = ledger.status.published?.size ?? 0;
        if (stream.next < end) await this.#readOn(stream, ledger, end);
        else if (stream.checkpoint === null) break;
        else {
          this.#write(stream, stream.checkpoint);
          stream.checkpoint = null;
        }
      }
    } catch {
      // The stream cannot say what it cannot read; the client resumes where it stands.
      stream.response.destroy();
    } finally {
      stream.isReading = false;
    }
  }

  async #readOn(stream: Stream, ledger: LedgerClient, end: number): Promise<void> {
    const to = Math.min(end, stream.next + recordsPerRead);
    const { body } = await ledger.ask('eventsBetween', { from: stream.next, to }, null);
    for (const record of JSON.parse(body) as EventData['entry.published'][])
      this.#write(stream, encodeEvent('entry.published', record));
    stream.next = to;
  }

  #write(stream: Stream, text: string): void {
    if (!stream.isLive()) stream.response.end();
    else if (stream.response.writableLength > bufferedMax) stream.response.destroy();
    else stream.response.write(text);
  }
}
