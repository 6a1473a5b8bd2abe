/** One request on its way: who makes it, and what was decided about it. */
import type { Asked, Caller } from '@tallystick/gate';
import type { Gate } from '../gate.ts';
import type { Verdict } from '../ledger-thread/gate/judgment.ts';
import type { Input, LedgerAnswer, LedgerClient } from '../ledger-thread/ledger-client.ts';
import type { LedgerStatus, ServiceMethod } from '../ledger-thread/messages.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { Metrics } from '../metrics.ts';

export class RequestContext {
  readonly caller: Caller | null;
  readonly metrics: Metrics;
  readonly gate: Gate;
  readonly #ledger: LedgerClient;
  readonly #asked: string | null;
  /** What was decided; null before that, and where nobody has to be known. */
  verdict: Verdict | null = null;

  /** @param asked null for routes that nobody has to be known for */
  constructor(parts: { ledger: LedgerClient; metrics: Metrics; gate: Gate }, asked: Asked | null) {
    this.#ledger = parts.ledger;
    this.metrics = parts.metrics;
    this.gate = parts.gate;
    this.caller = asked?.caller ?? null;
    this.#asked = asked === null ? null : JSON.stringify(asked);
  }

  get status(): LedgerStatus {
    return this.#ledger.status;
  }

  /** Asks the ledger on behalf of the caller; rejects with ServiceProblem. */
  readonly ask = async <M extends ServiceMethod>(method: M, input: Input<M>): Promise<LedgerAnswer> => {
    try {
      const answer = await this.#ledger.ask(method, input, this.#asked);
      this.verdict = answer.verdict;
      return answer;
    } catch (error) {
      if (error instanceof ServiceProblem) this.verdict = error.verdict;
      throw error;
    }
  };

  /** As `ask`, for the answer's text alone. */
  readonly call = async <M extends ServiceMethod>(method: M, input: Input<M>): Promise<string> =>
    (await this.ask(method, input)).body;
}
