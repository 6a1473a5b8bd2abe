/** A real system for tests: every process, on free ports, in a folder of its own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientDescription,
  type CloudLogKey,
  createStandby,
  type Layout,
  layoutOf,
  type StorePlace,
  Supervisor,
  type SupervisorOptions,
  type SystemAlgorithms,
  type SystemDescription,
  type TokenOptions,
} from '@tallystick/server';
import { createTestSystem } from '@tallystick/testkit';

type Limits = { strangersPerMinute: number; credentialPerMinute: number };
const unlimited: Limits = { strangersPerMinute: 1_000_000, credentialPerMinute: 10_000_000 };
/** Tests ask faster than callers do. */
export const noLimits: Record<'public' | 'admin' | 'ops', Limits> = {
  public: unlimited,
  admin: unlimited,
  ops: unlimited,
};

export interface RealSystemOptions {
  /** Where its folder is made; the folder for temporary files where it is left out. */
  parent?: string;
  server?: Record<string, unknown>;
  /** Where its log, root and authority keys are made. */
  token?: TokenOptions;
  /** Where its log key is. */
  cloud?: CloudLogKey;
  /** Where its log is; a file where it is left out. */
  store?: StorePlace;
  /** Free ones at each start, where they are left out. */
  ports?: SystemDescription['ports'];
  /** Both, where it is left out. */
  algorithms?: SystemAlgorithms;
}

export class RealSystem {
  readonly directory: string;
  readonly layout: Layout;
  readonly lines: string[] = [];
  readonly restarts: string[] = [];
  #supervisor: Supervisor | null = null;
  readonly #options: RealSystemOptions;

  private constructor(directory: string, layout: Layout, options: RealSystemOptions) {
    this.directory = directory;
    this.layout = layout;
    this.#options = options;
  }

  /** Makes and starts a system. */
  static async start(options: RealSystemOptions = {}): Promise<RealSystem> {
    const system = await RealSystem.create(options);
    await system.up();
    return system;
  }

  static async create(options: RealSystemOptions = {}): Promise<RealSystem> {
    const directory = mkdtempSync(join(options.parent ?? tmpdir(), 'tally-system-'));
    const layout = await createTestSystem(join(directory, 'data'), {
      ...(options.ports && { ports: options.ports }),
      ...(options.algorithms && { algorithms: options.algorithms }),
      ...(options.store && { store: options.store }),
      ...(options.token && { token: options.token }),
      ...(options.cloud && { cloud: options.cloud }),
    });
    return new RealSystem(directory, layout, options);
  }

  /** A system that is there already, in the folder `data` of `directory`; not started. */
  static in(directory: string, options: RealSystemOptions = {}): RealSystem {
    return new RealSystem(directory, layoutOf(join(directory, 'data')), options);
  }

  /** Makes a second server for the log of this system, which is in a database; not started. */
  async standby(logUrl: string): Promise<RealSystem> {
    const directory = mkdtempSync(join(tmpdir(), 'tally-standby-'));
    const layout = await createStandby({
      from: this.layout.root,
      directory: join(directory, 'data'),
      address: { here: 'http://one.example', there: 'http://two.example' },
      cosigners: {},
      logUrl,
      ports: { public: 0, admin: 0, ops: 0 },
      now: Date.now(),
    });
    return new RealSystem(directory, layout, this.#options);
  }

  async up(overrides: Partial<SupervisorOptions> = {}): Promise<void> {
    this.#supervisor = await Supervisor.start(
      {
        directory: this.layout.root,
        server: { limits: noLimits, ...this.#options.server },
        ...overrides,
      },
      {
        onLine: (process, line) => this.lines.push(`${process}: ${line}`),
        onRestart: (process, cause) => this.restarts.push(`${process}: ${cause}`),
      },
    );
  }

  async down(): Promise<void> {
    await this.#supervisor?.stop();
    this.#supervisor = null;
  }

  get isUp(): boolean {
    return this.#supervisor !== null;
  }

  get supervisor(): Supervisor {
    if (this.#supervisor === null) throw new Error('the system is down');
    return this.#supervisor;
  }

  get client(): ClientDescription {
    return JSON.parse(readFileSync(this.layout.client, 'utf8')) as ClientDescription;
  }

  /** What signed requests say that they are for. */
  get system(): string {
    return (JSON.parse(readFileSync(this.layout.system, 'utf8')) as SystemDescription).genesis;
  }

  get mirrorToken(): string {
    return readFileSync(this.layout.secrets.mirrorToken, 'utf8').trim();
  }

  /** Process id by name: `server`, `signer`, `witness-1`, `witness-2`, `replayer-1`; throws where it does not run. */
  pid(name: string): number {
    const pid = this.supervisor.pidOf(name);
    if (pid === undefined) throw new Error(`${name} is not running`);
    return pid;
  }

  /** Sends a signal, at once and without asking the process. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    process.kill(this.pid(name), signal);
  }

  /** Number of durable entries, counted by asking for each after the published ones: a status may be a moment old. */
  async size(): Promise<number> {
    for (let size = await this.publishedSize().catch(() => 0); ; size++) {
      const answer = await this.admin('GET', `/v1/log/entries/${size}`);
      if (answer.status === 404) return size;
      if (answer.status !== 200) throw new Error(`entry ${size}: ${answer.status} ${answer.text}`);
    }
  }

  /** Size of the newest published checkpoint. */
  async publishedSize(): Promise<number> {
    const answer = await this.public('GET', '/log/checkpoint');
    if (answer.status !== 200) throw new Error(`no checkpoint: ${answer.status} ${answer.text}`);
    return Number(answer.text.split('\n')[1]);
  }

  /** Resolves when everything durable is published. */
  async published(timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const [published, size] = [await this.publishedSize(), await this.size()];
      if (published === size) return;
      if (Date.now() > deadline)
        throw new Error(`${published} of ${size} entries are published\n${this.lines.slice(-20).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** An administrator's request; the body of the answer as JSON. */
  async admin(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const { adminUrl, token } = this.client;
    return request(adminUrl, method, path, body, { authorization: `Bearer ${token}`, ...headers });
  }

  async public(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return request(this.client.publicUrl, method, path, body, headers);
  }

  async ops(path: string): Promise<Answer> {
    return request(this.supervisor.urls.ops, 'GET', path, undefined, {});
  }

  /** Resolves when changes are taken. */
  async ready(timeoutMs = 30_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const answer = await this.ops('/readyz').catch(() => null);
      if (answer?.status === 200) return;
      if (Date.now() > deadline)
        throw new Error(`not ready: ${answer?.text}\n${this.lines.slice(-20).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Makes the product and plan that tests sell. */
  async sellPro(): Promise<void> {
    const entitlements = { pdf: { type: 'boolean' }, tokens: { type: 'quota' } };
    await this.must('POST', '/v1/products', { code: 'pro', name: 'Pro', entitlements });
    await this.must('POST', '/v1/plans', {
      product: 'pro',
      code: 'pro-yearly',
      name: 'Pro, yearly',
      term: { length: 'P1Y' },
      entitlements: { pdf: { value: true }, tokens: { limit: 1000, per: 'P1M', over: 'block' } },
    });
  }

  /** An administrator's request that must succeed. */
  async must<T = Record<string, never>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<T> {
    const answer = await this.admin(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** undefined where the body is not JSON. */
  json: unknown;
}

async function request(
  url: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const isJson = body !== undefined && typeof body !== 'string';
  const init: RequestInit = {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body }),
  };
  const response = await fetch(`${url}${path}`, init);
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}
