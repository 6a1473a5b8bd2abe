/** A log's server that hands out something else at one path: what a dishonest mirror, or a failing disk, does. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class AlteringProxy {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Flips a bit of what `url` has below `path`: in the middle, or where `place` says. */
  static async start(
    url: string,
    path: string,
    place: (body: Buffer) => number = ({ length }) => length >> 1,
  ): Promise<AlteringProxy> {
    const server = createServer((request, response) => {
      const { authorization = '' } = request.headers;
      const forward = async (): Promise<void> => {
        const answer = await fetch(`${url}${request.url}`, { headers: { authorization } });
        const body = Buffer.from(await answer.arrayBuffer());
        const at = place(body);
        if (request.url?.startsWith(path)) body.writeUInt8(body.readUInt8(at) ^ 1, at);
        response.writeHead(answer.status).end(body);
      };
      forward().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AlteringProxy(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
