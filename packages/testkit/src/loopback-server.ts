/** An HTTP server on this machine that can be taken away, put back, and made to fail as real ones do. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

export interface HeardRequest {
  method: string;
  /** Path and query as they came. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface GivenAnswer {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** What to do instead of answering: nothing for ever, or cut the connection. */
export type LoopbackFault = 'hang' | 'cut';

export class LoopbackServer {
  readonly #server: Server;
  readonly #scheme: 'http' | 'https';
  readonly #sockets = new Set<Socket>();
  #port = 0;
  /** Requests that came in. */
  count = 0;
  fault: LoopbackFault | GivenAnswer | null = null;

  private constructor(
    answer: (request: HeardRequest) => GivenAnswer,
    tls: { cert: string; key: string } | null,
  ) {
    const handle = async (request: IncomingMessage): Promise<GivenAnswer | LoopbackFault> => {
      const body = Buffer.concat(await request.toArray());
      this.count += 1;
      if (this.fault !== null) return this.fault;
      return answer({
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body,
      });
    };
    this.#scheme = tls === null ? 'http' : 'https';
    this.#server = tls === null ? createServer() : createTlsServer(tls);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (request, response) => {
      void handle(request).then((given) => {
        if (given === 'hang') return;
        if (given === 'cut') request.socket.destroy();
        else
          response
            .writeHead(given.status, { 'content-type': 'application/json', ...given.headers })
            .end(given.body);
      });
    });
  }

  static async start(
    answer: (request: HeardRequest) => GivenAnswer,
    tls: { cert: string; key: string } | null = null,
  ): Promise<LoopbackServer> {
    const server = new LoopbackServer(answer, tls);
    await server.putBack();
    return server;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  /** Nobody can connect any more, and who was connected is not. */
  async takeAway(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutConnections();
    await closed;
  }

  /** Listens where it did before. */
  async putBack(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.takeAway();
  }
}
