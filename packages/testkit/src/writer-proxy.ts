/**
 * A load balancer in front of several servers, as the operating pages describe it: asks each of them again and again
 * whether it writes the log, sends connections to the one that does, and cuts those to one that no longer does.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';

export interface Balanced {
  /** Where `/primary` is asked; null while there is no server. */
  opsUrl: () => string | null;
  port: () => number;
}

const checkMs = 100;
const answerMsMax = 500;

export class WriterProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Set after both servers have an address, which they have only after the proxy has. */
  servers: readonly Balanced[] = [];
  /** Who wrote at the last look, and the connections to it. */
  #writer: Balanced | null = null;
  #isStopped = false;
  readonly #checking: Promise<void>;

  private constructor() {
    this.#server = createServer((client) => this.#join(client));
    this.#checking = this.#check();
  }

  static async start(): Promise<WriterProxy> {
    const proxy = new WriterProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#checking;
    this.#cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #check(): Promise<void> {
    while (!this.#isStopped) {
      const writing = await Promise.all(this.servers.map((server) => writes(server)));
      const writer = this.servers.find((_, nth) => writing[nth] === true) ?? null;
      if (writer !== this.#writer) this.#cut();
      this.#writer = writer;
      await after(checkMs);
    }
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    if (this.#writer === null) {
      client.destroy();
      return;
    }
    const server = connect(this.#writer.port(), '127.0.0.1');
    client.pipe(server).pipe(client);
    this.#track(client, server);
    this.#track(server, client);
  }

  #track(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
  }
}

async function writes({ opsUrl }: Balanced): Promise<boolean> {
  const url = opsUrl();
  if (url === null) return false;
  try {
    const answer = await fetch(`${url}/primary`, { signal: AbortSignal.timeout(answerMsMax) });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}
