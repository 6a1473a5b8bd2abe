/**
 * A client that changes licenses without pause and never gives up: what is not answered is asked again under the
 * same idempotency key, until the server says how it ended.
 */
import { randomUUID } from 'node:crypto';
import { isProblemCode, problems } from '@tallystick/contract';
import type { KeptPromise } from '@tallystick/core';
import type { Answer, RealSystem } from './real-system.ts';
import type { SeededRandom } from './seeded-random.ts';
import { sleep } from './waiting.ts';

/** A change that the server acknowledged. */
export interface Acknowledged {
  license: string;
  type: string;
  rev: number;
  index: number;
  leaf: string;
  key: string;
  promises: KeptPromise[];
}

interface MutationJson {
  changes: { type: string; subject: { id: string }; rev: number; index: number; leaf: string }[];
  promises: KeptPromise[];
  document: { id: string; status: { state: string } };
  licenseKey?: string;
}

interface Owned {
  id: string;
  rev: number;
  state: string;
}

const commandTimeoutMs = 90_000;

export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** License keys by license id. */
  readonly licenseKeys: Map<string, string> = new Map();
  /** What an answer said that it should not have said. */
  readonly faults: string[] = [];
  retries: number = 0;
  reads: number = 0;
  #isStopping = false;
  #clients: Promise<void>[] = [];
  readonly #system: RealSystem;
  readonly #random: SeededRandom;

  constructor(system: RealSystem, random: SeededRandom) {
    this.#system = system;
    this.#random = random;
  }

  start(clients: number): void {
    this.#clients = Array.from({ length: clients }, () => this.#client());
  }

  /** Lets every client finish the command that it is at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  /** A few licenses per client, each changed until it is revoked. */
  async #client(): Promise<void> {
    try {
      while (!this.#isStopping) await this.#oneLicense();
    } catch (error) {
      this.faults.push(String(error));
    }
  }

  async #oneLicense(): Promise<void> {
    const issued = await this.#change('/v1/licenses', { plan: 'pro-yearly', licensee: 'Contoso' });
    const owned: Owned = { id: issued.document.id, rev: 0, state: 'active' };
    if (issued.licenseKey === undefined) this.faults.push(`no license key for ${owned.id}`);
    else this.licenseKeys.set(owned.id, issued.licenseKey);
    while (!this.#isStopping && owned.state !== 'revoked') {
      const verb = this.#nextVerb(owned);
      const body = verb === 'suspend' ? { reason: 'payment' } : verb === 'revoke' ? { reason: 'refund' } : {};
      const { document, changes } = await this.#change(`/v1/licenses/${owned.id}/${verb}`, body);
      if (changes[0]?.rev !== owned.rev + 1)
        this.faults.push(`${owned.id}: rev ${changes[0]?.rev} after ${owned.rev}`);
      owned.rev += 1;
      owned.state = document.status.state;
      await this.#read(owned);
    }
  }

  #nextVerb({ state }: Owned): 'suspend' | 'reinstate' | 'revoke' {
    if (this.#random.below(6) === 0) return 'revoke';
    return state === 'active' ? 'suspend' : 'reinstate';
  }

  async #change(path: string, body: object): Promise<MutationJson> {
    const key = randomUUID();
    const answer = await this.#untilAnswered('POST', path, body, { 'idempotency-key': key });
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    const result = answer.json as MutationJson;
    if (result.changes.length !== 1) this.faults.push(`${path}: ${result.changes.length} changes`);
    for (const { subject, type, rev, index, leaf } of result.changes) {
      this.acknowledged.push({ license: subject.id, type, rev, index, leaf, key, promises: result.promises });
    }
    return result;
  }

  /** What was acknowledged is seen by every later read. */
  async #read(owned: Owned): Promise<void> {
    const answer = await this.#untilAnswered('GET', `/v1/licenses/${owned.id}`);
    const item = answer.json as { rev: number; document: { status: { state: string } } };
    this.reads += 1;
    if (answer.status !== 200 || item.rev !== owned.rev || item.document.status.state !== owned.state) {
      this.faults.push(
        `read of ${owned.id} at rev ${owned.rev}: ${answer.status} ${answer.text.slice(0, 300)}`,
      );
    }
  }

  async #untilAnswered(
    method: string,
    path: string,
    body?: object,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    const deadline = Date.now() + commandTimeoutMs;
    let last = 'nothing';
    while (Date.now() < deadline) {
      const answer = await this.#system
        .admin(method, path, body, headers)
        .catch((error: unknown) => String(error));
      if (typeof answer !== 'string' && !isRetryable(answer)) return answer;
      last = typeof answer === 'string' ? answer : answer.text;
      this.retries += 1;
      await sleep(50 + this.#random.below(100));
    }
    throw new Error(`${method} ${path}: no answer within ${commandTimeoutMs} ms; last: ${last}`);
  }
}

function isRetryable({ status, json }: Answer): boolean {
  if (status < 400) return false;
  const { code } = (json ?? {}) as { code?: string };
  return (
    code !== undefined && isProblemCode(code) && problems[code].retryable && code !== 'not_published_yet'
  );
}
