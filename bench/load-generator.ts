import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type HttpResponse, ResponseReader } from './http-response.ts';
import { percentile } from './report.ts';
import type { LoadRequest, RequestGenerator } from './targets.ts';

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Unmeasured time before the measurement. */
  readonly warmupSeconds: number;
  /** How long to measure. */
  readonly seconds: number;
  /** Ends the measurement early, after this many measured responses. */
  readonly requestsMax: number;
  readonly next: RequestGenerator;
}

/** What one run measured; every number covers the measured window only, except `sent` and `statuses`. */
export interface LoadResult {
  readonly connections: number;
  readonly seconds: number;
  /** Responses that arrived in the window, whatever their status. */
  readonly responses: number;
  /** 2xx responses per second: failures do not count as work done. */
  readonly ratePerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly non2xx: number;
  /** Connections that broke with a request outstanding, in the whole run. */
  readonly connectionErrors: number;
  /** Requests written in the whole run, with warm-up and the last ones drained. */
  readonly sent: number;
  /** Responses by status in the whole run. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Body of the first response outside 2xx, for the diagnosis. */
  readonly firstFailure?: string;
  /** Processor time that the generator itself took in the window, as a share of one core. */
  readonly generatorCpu: number;
}

const CONNECTION_ERRORS_MAX = 100;

function encode(request: LoadRequest, host: string): string {
  let text = `${request.method} ${request.path} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const name in request.headers) text += `${name}: ${request.headers[name]}\r\n`;
  return `${text}Content-Length: ${Buffer.byteLength(request.body)}\r\n\r\n${request.body}`;
}

/**
 * Keeps every connection busy with one request at a time (a closed loop, no pipelining) and counts. Latency runs
 * from writing a request to having its whole response.
 */
class LoadRun {
  readonly #options: LoadOptions;
  readonly #host: string;
  readonly #sockets = new Set<Socket>();
  readonly #latencies: number[] = [];
  readonly #statuses = new Map<number, number>();
  readonly #finished: { promise: Promise<void>; resolve: () => void; reject: (reason: Error) => void };
  #phase: 'warmup' | 'measuring' | 'draining' = 'warmup';
  #startedAt = 0;
  #endedAt = 0;
  #cpuAtStart: NodeJS.CpuUsage = { user: 0, system: 0 };
  #cpu: NodeJS.CpuUsage = { user: 0, system: 0 };
  #sent = 0;
  #succeeded = 0;
  #connectionErrors = 0;
  #firstFailure: string | undefined;
  #measureTimer: NodeJS.Timeout | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#host = `${options.host}:${options.port}`;
    this.#finished = Promise.withResolvers<void>();
  }

  async run(): Promise<LoadResult> {
    const { connections, warmupSeconds } = this.#options;
    const timer = setTimeout(() => this.#startMeasuring(), warmupSeconds * 1000);
    try {
      for (let index = 0; index < connections; index++) this.#open();
      await this.#finished.promise;
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#measureTimer);
      this.#phase = 'draining';
      for (const socket of this.#sockets) socket.destroy();
    }
    return this.#result();
  }

  #startMeasuring(): void {
    this.#phase = 'measuring';
    this.#cpuAtStart = process.cpuUsage();
    this.#startedAt = performance.now();
    this.#measureTimer = setTimeout(() => this.#stopMeasuring(), this.#options.seconds * 1000);
  }

  #stopMeasuring(): void {
    if (this.#phase !== 'measuring') return;
    this.#phase = 'draining';
    this.#endedAt = performance.now();
    this.#cpu = process.cpuUsage(this.#cpuAtStart);
  }

  #open(): void {
    const reader = new ResponseReader();
    const socket = connect({ host: this.#options.host, port: this.#options.port, noDelay: true });
    let writtenAt = 0;
    const send = (): void => {
      const text = encode(this.#options.next(), this.#host);
      this.#sent++;
      writtenAt = performance.now();
      socket.write(text, 'utf8');
    };
    this.#sockets.add(socket);
    socket.on('connect', send);
    socket.on('data', (chunk: Buffer) => {
      try {
        const response = reader.push(chunk);
        if (response === undefined) return;
        this.#count(response, performance.now() - writtenAt);
        if (this.#phase === 'draining' || response.close) this.#retire(socket);
        else send();
      } catch (error) {
        this.#finished.reject(error as Error);
      }
    });
    // The close event follows and does the counting.
    socket.on('error', () => {});
    socket.on('close', () => this.#lost(socket));
  }

  #count(response: HttpResponse, latencyMs: number): void {
    const { status } = response;
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    const succeeded = status >= 200 && status <= 299;
    if (!succeeded) this.#firstFailure ??= `${status} ${response.body.slice(0, 500)}`;
    if (this.#phase !== 'measuring') return;
    this.#latencies.push(latencyMs);
    if (succeeded) this.#succeeded++;
    if (this.#latencies.length >= this.#options.requestsMax) this.#stopMeasuring();
  }

  /** Takes a connection out after its last response; the last of them ends the run. */
  #retire(socket: Socket): void {
    this.#sockets.delete(socket);
    socket.destroy();
    if (this.#phase !== 'draining') this.#open();
    else if (this.#sockets.size === 0) this.#finished.resolve();
  }

  #lost(socket: Socket): void {
    if (!this.#sockets.has(socket)) return;
    this.#connectionErrors++;
    if (this.#connectionErrors > CONNECTION_ERRORS_MAX) {
      this.#finished.reject(
        new Error(`gave up after ${CONNECTION_ERRORS_MAX} broken connections to ${this.#host}`),
      );
      return;
    }
    this.#retire(socket);
  }

  #result(): LoadResult {
    const seconds = (this.#endedAt - this.#startedAt) / 1000;
    const latencies = this.#latencies.toSorted((a, b) => a - b);
    return {
      connections: this.#options.connections,
      seconds,
      responses: latencies.length,
      ratePerSecond: this.#succeeded / seconds,
      p50Ms: percentile(latencies, 50),
      p99Ms: percentile(latencies, 99),
      maxMs: percentile(latencies, 100),
      non2xx: latencies.length - this.#succeeded,
      connectionErrors: this.#connectionErrors,
      sent: this.#sent,
      statuses: Object.fromEntries(this.#statuses),
      ...(this.#firstFailure === undefined ? {} : { firstFailure: this.#firstFailure }),
      generatorCpu: (this.#cpu.user + this.#cpu.system) / 1e6 / seconds,
    };
  }
}

/** Loads one server and measures it. Throws when the server cannot be reached or does not speak HTTP/1.1. */
export function generateLoad(options: LoadOptions): Promise<LoadResult> {
  return new LoadRun(options).run();
}
