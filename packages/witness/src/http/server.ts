/**
 * The HTTP side of a cosigner: three routes, and limits on everything that a stranger could send too much of.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock, Cosigner } from '../cosigner.ts';
import { ConfigError, messageOf, Refusal } from '../errors.ts';
import { bodyLengthMax } from './add-checkpoint-request.ts';
import { type Answer, answerRefusal, plain } from './answers.ts';
import { renderPage } from './page.ts';

export interface ServerOptions {
  cosigner: Cosigner;
  host: string;
  /** 0 takes any free port. */
  port: number;
  now: Clock;
  /** Told of faults of ours, which callers see as 500. */
  reportFault: (error: unknown) => void;
  /** `add-checkpoint` requests accepted within one second; default 500. */
  requestsPerSecondMax?: number;
  /** Requests handled at the same time; default 64. */
  requestsAtOnceMax?: number;
}

export interface CosignerServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
}

/** How long requests under way may take to end when the server stops. */
const stopTimeoutMs = 700;

/** Listens. Throws ConfigError where the address cannot be had. */
export async function startServer(options: ServerOptions): Promise<CosignerServer> {
  const handler = new RequestHandler(options);
  const server = createServer(
    { requestTimeout: 15_000, headersTimeout: 10_000, keepAliveTimeout: 30_000, maxHeaderSize: 16 * 1024 },
    (request, response) => void handler.handle(request, response),
  );
  server.maxConnections = 512;
  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => stop(server) };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new ConfigError(`cannot listen: ${error.message}`, { cause: error }));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
}

/** Lets requests under way end, for a while; what hangs then is cut. */
async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), stopTimeoutMs);
  await closed;
  clearTimeout(timer);
}

class RequestHandler {
  readonly #options: ServerOptions;
  #atOnce = 0;
  /** The second that `#inSecond` counts. */
  #second = 0;
  #inSecond = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      if (!(error instanceof Refusal)) this.#options.reportFault(error);
      answer = error instanceof Refusal ? answerRefusal(error) : plain(500, 'internal error\n');
    }
    send(request, response, answer);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const path = request.url?.split('?', 1)[0];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (path === '/add-checkpoint') {
      return request.method === 'POST'
        ? this.#addCheckpoint(request)
        : plain(405, 'use POST\n', { allow: 'POST' });
    }
    const read = this.#options.cosigner.read?.(path ?? '', request.headers.authorization) ?? null;
    if (read === null && path !== '/' && path !== '/healthz') return plain(404, 'not found\n');
    if (!isRead) return plain(405, 'use GET\n', { allow: 'GET, HEAD' });
    if (read !== null) return read;
    return path === '/' ? this.#page() : this.#health();
  }

  async #addCheckpoint(request: IncomingMessage): Promise<Answer> {
    this.#countRequest();
    this.#atOnce += 1;
    try {
      return plain(200, await this.#options.cosigner.addCheckpoint(await readBody(request)));
    } finally {
      this.#atOnce -= 1;
    }
  }

  #countRequest(): void {
    const { now, requestsPerSecondMax = 500, requestsAtOnceMax = 64 } = this.#options;
    const second = Math.floor(now());
    if (second !== this.#second) this.#inSecond = 0;
    this.#second = second;
    this.#inSecond += 1;
    if (this.#inSecond > requestsPerSecondMax) throw new Refusal(429, 'too many requests');
    if (this.#atOnce >= requestsAtOnceMax) throw new Refusal(503, 'too many requests at once');
  }

  #page(): Answer {
    const headers = { 'content-security-policy': "default-src 'none'" };
    return {
      status: 200,
      contentType: 'text/html; charset=utf-8',
      body: renderPage(this.#options.cosigner),
      headers,
    };
  }

  #health(): Answer {
    const { cosigner } = this.#options;
    const { kind, keys } = cosigner;
    const body = `${JSON.stringify({ status: 'ok', kind, name: keys[0].name, logs: cosigner.status() })}\n`;
    return { status: 200, contentType: 'application/json', body };
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of request as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > bodyLengthMax) throw new Refusal(413, `body of more than ${bodyLengthMax} bytes`);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(400, `body cut short: ${messageOf(error)}`, { cause: error });
  }
  return new Uint8Array(Buffer.concat(parts, length));
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  // A body that was not read to its end would be taken for the next request.
  const isWhole = request.complete;
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    'content-length': Buffer.byteLength(answer.body),
    'x-content-type-options': 'nosniff',
    ...(isWhole ? {} : { connection: 'close' }),
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}
