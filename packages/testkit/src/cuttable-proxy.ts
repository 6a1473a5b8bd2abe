/** A TCP proxy that tests hold up and cut: what lies between two processes, misbehaving on command. */
import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  client: Socket;
  server: Socket;
  held: Buffer[];
}

export class CuttableProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #isHolding = false;

  private constructor(target: number) {
    this.#server = createServer((client) => this.#join(client, target));
  }

  /** Stands in front of a port of the loopback. */
  static async start(target: number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** From now on nothing that clients say arrives, until `deliver`. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Resolves when something is held. */
  async holds(): Promise<void> {
    while (![...this.#pairs].some(({ held }) => held.length > 0))
      await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Cuts every client off. What they said is still on its way. New connections pass. */
  cut(): void {
    this.#isHolding = false;
    for (const { client } of this.#pairs) client.destroy();
  }

  /** Lets everything that was held arrive, of clients that are gone, too; then nothing is on its way any more. */
  async deliver(): Promise<void> {
    const late = [...this.#pairs].filter(({ held }) => held.length > 0);
    await Promise.all(
      late.map(async (pair) => {
        const closed = new Promise((resolve) => pair.server.once('close', resolve));
        pair.server.end(Buffer.concat(pair.held.splice(0)));
        await closed;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, target: number): void {
    const server = connect(target, '127.0.0.1');
    const pair: Pair = { client, server, held: [] };
    this.#pairs.add(pair);
    client.on('error', () => {});
    server.on('error', () => {});
    client.on('data', (part: Buffer) => {
      if (this.#isHolding) pair.held.push(part);
      else server.write(part);
    });
    server.on('data', (part: Buffer) => {
      if (!client.destroyed) client.write(part);
    });
    client.on('close', () => {
      if (pair.held.length === 0) server.end();
    });
    server.on('close', () => {
      this.#pairs.delete(pair);
      client.destroy();
    });
  }
}
