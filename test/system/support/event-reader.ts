/** A follower of `GET /v1/events`, as an application would write one. */
import type { RealSystem } from './real-system.ts';
import { eventually } from './waiting.ts';

export interface ServerEvent {
  type: string;
  /** null for events without one. */
  id: number | null;
  data: Record<string, unknown>;
}

export class EventReader {
  readonly events: ServerEvent[] = [];
  /** Settles when the stream has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();

  private constructor(body: ReadableStream<Uint8Array>) {
    this.ended = this.#read(body).catch(() => {});
  }

  /** `lastEventId` is left out to begin now. */
  static async open(system: RealSystem, lastEventId?: number): Promise<EventReader> {
    const { adminUrl, token } = system.client;
    const abort = new AbortController();
    const headers = {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
    };
    const response = await fetch(`${adminUrl}/v1/events`, { headers, signal: abort.signal });
    if (response.status !== 200 || response.body === null) throw new Error(`no events: ${response.status}`);
    const reader = new EventReader(response.body);
    reader.#abort.signal.addEventListener('abort', () => abort.abort());
    return reader;
  }

  /** The newest id that came, which is where to resume; null where there was none. */
  get lastEventId(): number | null {
    return this.events.findLast(({ id }) => id !== null)?.id ?? null;
  }

  of(type: string): ServerEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  async until(what: string, is: (event: ServerEvent) => boolean, timeoutMs = 20_000): Promise<ServerEvent> {
    return eventually(`an event: ${what}`, () => this.events.find(is), timeoutMs);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = new Map(
      block
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
    );
    const type = fields.get('event');
    if (type === undefined) return;
    const id = fields.get('id');
    const data = JSON.parse(fields.get('data') ?? 'null') as Record<string, unknown>;
    this.events.push({ type, id: id === undefined ? null : Number(id), data });
  }
}
