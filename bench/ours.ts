/** Tallystick as a benchmark's subject: every process of it, with customers to sell to. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type ClientDescription,
  type CreateSystemOptions,
  createSystem,
  Supervisor,
} from '@tallystick/server';

export interface OursOptions {
  directory: string;
  customers: number;
  synchronous: 'full' | 'off';
  /** A database for the log. */
  store?: CreateSystemOptions['store'];
  /** Where log, root and authority keys are; sealed files where it is left out. */
  token?: CreateSystemOptions['token'];
  /** What root, log and cosigners sign with; both algorithms where left out. */
  algorithms?: CreateSystemOptions['algorithms'];
  /** Milliseconds between two checkpoints; the server's own where left out. */
  intervalMs?: number;
  /** True judges nobody: for measuring what judging costs. */
  isGateOpen?: boolean;
  /** False keeps none: for measuring what it costs. */
  accessLog?: boolean;
}

const plan = 'pro';
const openGate = fileURLToPath(new URL('open-gate.ts', import.meta.url));

export class Ours {
  readonly customersFile: string;
  readonly #supervisor: Supervisor;

  private constructor(supervisor: Supervisor, customersFile: string) {
    this.#supervisor = supervisor;
    this.customersFile = customersFile;
  }

  /** Makes a system, starts it and creates its product, plan and customers. */
  static async start(options: OursOptions): Promise<Ours> {
    const { directory, customers, synchronous, store, token, algorithms, intervalMs, isGateOpen, accessLog } =
      options;
    mkdirSync(directory, { recursive: true });
    const data = join(directory, 'data');
    await createSystem({
      directory: data,
      ns: 'acme',
      name: 'Acme',
      mode: 'test',
      support: { name: null, email: null, url: null },
      origin: 'bench.example/log',
      ports: { public: 0, admin: 0, ops: 0 },
      offlineMax: 'P90D',
      now: Date.now(),
      ...(store === undefined ? {} : { store }),
      ...(token === undefined ? {} : { token }),
      ...(algorithms === undefined ? {} : { algorithms }),
    });
    // Cosigners are paused for whole rounds: that must not stop the taking of changes.
    const times = { stallMs: 3_600_000, ...(intervalMs === undefined ? {} : { intervalMs }) };
    // The load comes from one place and one credential; what the server can do is what is measured.
    const unlimited = { strangersPerMinute: 100_000_000, credentialPerMinute: 100_000_000 };
    const server = {
      ...(accessLog === false && { accessLog: undefined }),
      synchronous,
      times,
      limits: { public: unlimited, admin: unlimited, ops: unlimited },
    };
    const supervisor = await Supervisor.start(
      { directory: data, server, ...(isGateOpen === true && { serverProgram: openGate }) },
      { onLine: () => {}, onRestart: (name, cause) => process.stderr.write(`${name} died: ${cause}\n`) },
    );
    const ours = new Ours(supervisor, join(directory, 'customers.json'));
    await ours.ready();
    await ours.#seed(customers);
    return ours;
  }

  get client(): ClientDescription {
    return JSON.parse(readFileSync(this.#supervisor.layout.client, 'utf8')) as ClientDescription;
  }

  get layout(): Supervisor['layout'] {
    return this.#supervisor.layout;
  }

  /** Process ids by name. */
  pidOf(name: string): number {
    return this.#supervisor.pidOf(name) ?? 0;
  }

  /** What `/readyz` says; null while the server does not answer. */
  async readiness(): Promise<{ reads: { ready: boolean }; mutations: { ready: boolean } } | null> {
    const answer = await fetch(`${this.#supervisor.urls.ops}/readyz`).catch(() => null);
    return (await answer?.json().catch(() => null)) as Awaited<ReturnType<Ours['readiness']>>;
  }

  /** Stops the clock of all cosigners, or lets it go on. */
  pauseCosigners(isPaused: boolean): void {
    for (const name of ['witness-1', 'witness-2', 'replayer-1']) {
      process.kill(this.pidOf(name), isPaused ? 'SIGSTOP' : 'SIGCONT');
    }
  }

  /** Resolves when changes are taken and everything is published. */
  async ready(): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.#supervisor.urls.ops}/readyz`).catch(() => null);
      const isCaughtUp = answer?.status === 200 && (await this.pending()) === 0;
      if (isCaughtUp) return;
      await after(50);
    }
  }

  /** Durable entries that are not published. */
  async pending(): Promise<number> {
    const status = (await this.request('GET', '/v1/log')) as { pending: { count: number } };
    return status.pending.count;
  }

  async request(method: string, path: string, body?: object): Promise<unknown> {
    const { adminUrl, token } = this.client;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const init =
      body === undefined
        ? { method, headers: { authorization: headers.authorization } }
        : { method, headers, body: JSON.stringify(body) };
    const response = await fetch(`${adminUrl}${path}`, init);
    const json: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(json)}`);
    return json;
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop();
  }

  async #seed(customers: number): Promise<void> {
    await this.request('POST', '/v1/products', {
      code: plan,
      name: 'Pro',
      entitlements: { pdf: { type: 'boolean' } },
    });
    await this.request('POST', '/v1/plans', {
      product: plan,
      code: plan,
      name: 'Pro',
      term: { length: 'P1Y' },
      entitlements: { pdf: { value: true } },
    });
    const ids: string[] = [];
    const references = Array.from({ length: customers }, (_, at) => `customer-${at}`);
    const create = async (): Promise<void> => {
      for (let reference = references.pop(); reference !== undefined; reference = references.pop()) {
        const { document } = (await this.request('POST', '/v1/customers', {
          reference,
          name: reference,
        })) as { document: { id: string } };
        ids.push(document.id);
      }
    };
    await Promise.all(Array.from({ length: 48 }, create));
    writeFileSync(this.customersFile, JSON.stringify(ids));
    await this.ready();
  }
}
