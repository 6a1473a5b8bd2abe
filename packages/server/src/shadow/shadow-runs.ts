/**
 * The shadows of this server: one at a time, in a thread of its own, and which of them somebody has seen.
 *
 * Whoever asks is answered within moments, with how far it is, and asks again; a finished one is handed out once, and from then
 * on its policy counts as looked at.
 */
import { setTimeout as after } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { ShadowAnswer, ShadowProgress, ShadowReport } from '@tallystick/contract';
import { formatInstant } from '@tallystick/core';
import { type PolicySource, policySetHash, schemaHash } from '@tallystick/gate';
import { startWorker } from '@tallystick/ledger/thread';
import type { AccessClient } from '../access/access-client.ts';
import type { ServerConfig } from '../config.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { FromShadow, ShadowTask } from './messages.ts';
import type { ShadowSpan } from './shadow-policy.ts';

/** Milliseconds until an answer says how far it is. */
const answerMs = 1000;
const dayMs = 86_400_000;
/** How long what was seen counts, and how far back it has to go. */
const seenMs = dayMs;
const spanMs = 7 * dayMs;
const seenMax = 16;

interface Run {
  name: string;
  /** The policy that was in force when it began. */
  under: string;
  worker: Worker;
  progress: ShadowProgress;
  /** Resolves once it has come to its end; never rejects. */
  ended: Promise<unknown>;
  outcome: { report: ShadowReport } | { problem: ServiceProblem } | null;
}

export class ShadowRuns implements AsyncDisposable {
  readonly #config: Pick<ServerConfig, 'store' | 'storePasswordFile' | 'accessLog'>;
  readonly #access: AccessClient | null;
  readonly #inForce: () => PolicySource;
  #run: Run | null = null;
  /** Newest last, by the hashes of the policy. */
  readonly #seen = new Map<string, { report: ShadowReport; under: string }>();

  constructor(
    config: Pick<ServerConfig, 'store' | 'storePasswordFile' | 'accessLog'>,
    access: AccessClient | null,
    inForce: () => PolicySource,
  ) {
    this.#config = config;
    this.#access = access;
    this.#inForce = inForce;
  }

  /** The report where it is ready, and else how far it is. Rejects with ServiceProblem. */
  async ask(candidate: PolicySource, span: ShadowSpan): Promise<ShadowAnswer> {
    const name = `${nameOf(candidate)} ${span.from} ${span.to}`;
    if (this.#run !== null && this.#run.name !== name && this.#run.outcome === null)
      throw new ServiceProblem('overloaded', 'another shadow is under way: one at a time');
    if (this.#run?.name !== name) this.#run = await this.#begin(name, candidate, span);
    const run = this.#run;
    await Promise.race([run.ended, after(answerMs)]);
    const { outcome, progress } = run;
    if (outcome === null) return { progress, report: null };
    if (this.#run === run) this.#run = null;
    if ('problem' in outcome) throw outcome.problem;
    this.#keep(nameOf(candidate), { report: outcome.report, under: run.under });
    return { progress: null, report: outcome.report };
  }

  /** Why a policy should not be put in force yet, as one sentence with what to do; null where nothing is in the way. */
  problemOf(candidate: PolicySource): string | null {
    const report = this.#seen.get(nameOf(candidate))?.report;
    const now = Date.now();
    if (report === undefined || Date.parse(report.at) < now - seenMs)
      return `Nobody has looked here within a day what it would have decided otherwise. ${advice}`;
    const isShort = report.from !== null && Date.parse(report.from) > Date.parse(report.at) - spanMs;
    if (isShort || report.to !== null)
      return `What was looked at is not all of the last seven days. ${advice}`;
    const { denied, allowed, unknown } = report;
    if (denied + allowed + unknown === 0) return null;
    return `It would have let in ${allowed} requests that were denied, and denied ${denied} that were allowed; of ${unknown} nobody knows. ${despite}`;
  }

  /** The hashes of the policy that was in force when somebody looked; null where nobody did. */
  underOf(candidate: PolicySource): string | null {
    return this.#seen.get(nameOf(candidate))?.under ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#run?.outcome !== null) return;
    this.#run.worker.postMessage('stop');
    await this.#run.ended;
  }

  async #begin(name: string, candidate: PolicySource, { from, to }: ShadowSpan): Promise<Run> {
    // Before what was asked until now is read: what another policy decides from here on is not in it.
    const under = nameOf(this.#inForce());
    const { store, storePasswordFile, accessLog } = this.#config;
    // What was asked until now belongs to it.
    await this.#access?.flush().catch(() => {
      throw new ServiceProblem('access_log_unavailable', 'what was asked last is not on disk');
    });
    const { schema, policies } = candidate;
    const task: ShadowTask = {
      place: { store, storePasswordFile },
      accessFile: accessLog?.file ?? null,
      droppedBefore: this.#access?.droppedBefore ?? null,
      candidate: { schema, policies },
      from,
      to,
      at: formatInstant(Date.now()),
    };
    const worker = startWorker(new URL('./shadow.worker.ts', import.meta.url), task);
    const run: Run = {
      name,
      under,
      worker,
      progress: { step: 'entries', done: 0, total: 0 },
      ended: new Promise((resolve) => worker.once('exit', resolve)),
      outcome: null,
    };
    worker.on('message', (message: FromShadow) => {
      if ('progress' in message) run.progress = message.progress;
      else run.outcome = 'report' in message ? message : { problem: problemOf(message) };
    });
    worker.on('error', (error: Error) => {
      run.outcome = { problem: new ServiceProblem('internal', error.message) };
    });
    return run;
  }

  #keep(name: string, seen: { report: ShadowReport; under: string }): void {
    this.#seen.delete(name);
    this.#seen.set(name, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > seenMax && oldest !== undefined) this.#seen.delete(oldest);
  }
}

const despite = 'Correct it, or publish it with despiteShadow and a reason, which are logged with it.';
const advice = `Run tally access policy shadow on it first, without --to, or publish it with despiteShadow and a reason, which are logged with it.`;

function nameOf(candidate: PolicySource): string {
  return `${policySetHash(candidate)} ${schemaHash(candidate)}`;
}

function problemOf({ failed, isOfCandidate }: Extract<FromShadow, { failed: string }>): ServiceProblem {
  return isOfCandidate
    ? new ServiceProblem('input_invalid', failed, '$.policies')
    : new ServiceProblem('internal', `the shadow cannot be run: ${failed}`);
}
