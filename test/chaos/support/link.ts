/** What lies between two parties: passes bytes on, until it is told to cut, to hold or to refuse. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

type Mode = 'open' | 'held' | 'closed';

export class Link implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; server: Socket }>();
  #mode: Mode = 'open';

  private constructor(target: () => number | null) {
    this.#server = createServer((client) => this.#join(client, target()));
  }

  /** @param target the port of the loopback that a new connection leads to; null refuses it */
  static async start(target: () => number | null): Promise<Link> {
    const link = new Link(target);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends what is connected; what was said already arrives. New connections pass. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      if (this.#mode === 'held') server.destroy();
      else server.end();
    }
  }

  /** From now on nothing arrives in either direction, and nobody is told. */
  hold(): void {
    this.#mode = 'held';
    for (const { client, server } of this.#pairs) {
      client.pause();
      server.pause();
    }
  }

  /** Ends what is connected, and refuses what comes. */
  close(): void {
    this.cut();
    this.#mode = 'closed';
  }

  /** Lets pass what was held and what comes. */
  open(): void {
    this.#mode = 'open';
    for (const { client, server } of this.#pairs) {
      client.resume();
      server.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await closed;
  }

  #join(client: Socket, target: number | null): void {
    client.on('error', () => client.destroy());
    if (this.#mode === 'closed' || target === null) {
      client.destroy();
      return;
    }
    const server = connect(target, '127.0.0.1');
    const pair = { client, server };
    this.#pairs.add(pair);
    server.on('error', () => server.destroy());
    client.on('data', (part: Buffer) => server.write(part));
    server.on('data', (part: Buffer) => client.write(part));
    client.on('close', () => {
      if (server.destroyed) this.#pairs.delete(pair);
      else server.end();
    });
    server.on('close', () => {
      if (client.destroyed) this.#pairs.delete(pair);
      else client.end();
    });
    if (this.#mode === 'held') {
      client.pause();
      server.pause();
    }
  }
}
