/** Serves a test log's entries, documents and keys, with a place to tamper with each answer. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeEntryBundle, parseTilePath, publicKeyJson, tileWidth, utf8 } from '@tallystick/core';
import { type TestLog, testNamespace } from './test-log.ts';

export const entryToken = 'entry-token-of-the-test';

export const contentToken = 'content-token-of-the-test';

/** What is answered instead of `bytes` at `path`; null for 404. */
export type Tamper = (
  path: string,
  bytes: Uint8Array | null,
) => Uint8Array | null | Promise<Uint8Array | null>;

interface Answer {
  status: number;
  bytes: Uint8Array | null;
}

export class LogServer implements AsyncDisposable {
  readonly #server: Server;
  tamper: Tamper = (_path, bytes) => bytes;
  /** Paths asked for, in order. */
  readonly asked: string[] = [];
  /** What is answered to who asks for the documents from an index up to another one; null for 404. */
  contents: (from: number, to: number) => Promise<Uint8Array | null> = async () => null;
  /** The published checkpoint; null before the first. */
  published: string | null = null;

  private constructor(log: TestLog) {
    const answer = async (path: string, authorization: string | undefined): Promise<Answer> => {
      // Asked again and again, in its own time.
      if (path !== '/log/checkpoint') this.asked.push(path);
      if (path.startsWith('/log/tile/') && authorization !== `Bearer ${entryToken}`)
        return { status: 401, bytes: null };
      const [, from, to] = /^\/log\/contents\/(\d+)\?to=(\d+)$/.exec(path) ?? [];
      if (from !== undefined && to !== undefined) {
        const isMirror = authorization === `Bearer ${contentToken}`;
        const batch = isMirror ? await this.contents(Number(from), Number(to)) : null;
        return { status: isMirror ? (batch === null ? 404 : 200) : 401, bytes: batch };
      }
      const found =
        path === '/log/checkpoint'
          ? this.published === null
            ? null
            : utf8(this.published)
          : find(log, path);
      const bytes = await this.tamper(path, found);
      return { status: bytes === null ? 404 : 200, bytes };
    };
    this.#server = createServer((request, response) => {
      void answer(request.url ?? '', request.headers.authorization).then(({ status, bytes }) => {
        response.writeHead(status).end(bytes);
      });
    });
  }

  static async start(log: TestLog): Promise<LogServer> {
    const server = new LogServer(log);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }
}

function find(log: TestLog, path: string): Uint8Array | null {
  if (path === `/trust/${testNamespace}/keys`) {
    return utf8(JSON.stringify({ keys: log.publicKeys.map(publicKeyJson) }));
  }
  const document = path.startsWith(`/trust/${testNamespace}/`) ? path.split('/').slice(3).join('/') : '';
  if (document !== '') return log.documents.get(document) ?? null;
  const tile = parseTilePath(path.slice('/log/'.length));
  const first = tile.index * tileWidth;
  if (first + tile.width > log.size) return null;
  return encodeEntryBundle(log.entries.slice(first, first + tile.width));
}
