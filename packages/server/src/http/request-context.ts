/** One request on its way: who makes it, and what was decided about it. */
import type { Asked, Caller } from '@tallystick/gate';
import type { AccessClient } from '../access/access-client.ts';
import type { ContentExport } from '../contents/content-export.ts';
import type { Gate } from '../gate.ts';
import type { Verdict } from '../ledger-thread/gate/gatekeeper.ts';
import type { Input, LedgerAnswer, LedgerClient } from '../ledger-thread/ledger-client.ts';
import type { LedgerStatus, ServiceMethod } from '../ledger-thread/messages.ts';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { OpenLogin } from '../login/open-login.ts';
import type { Metrics } from '../metrics.ts';
import type { ShadowRuns } from '../shadow/shadow-runs.ts';

/** What answers requests. */
export interface Answering {
  ledger: LedgerClient;
  metrics: Metrics;
  /** null where no access log is kept. */
  access: AccessClient | null;
  gate: Gate;
  login: OpenLogin;
  contents: ContentExport;
  shadows: ShadowRuns;
}

/** Who sends a request, before anybody is known. */
export interface Peer {
  /** IP address. */
  address: string;
  userAgent: string;
}

export class RequestContext {
  readonly caller: Caller | null;
  readonly metrics: Metrics;
  readonly gate: Gate;
  readonly access: AccessClient | null;
  readonly login: OpenLogin;
  readonly contents: ContentExport;
  readonly shadows: ShadowRuns;
  readonly peer: Peer;
  readonly #ledger: LedgerClient;
  readonly #asked: string | null;
  /** What was decided; null before that, and where nobody has to be known. */
  verdict: Verdict | null = null;

  /** @param asked null for routes that nobody has to be known for */
  constructor(
    { ledger, metrics, access, gate, login, contents, shadows }: Answering,
    asked: Asked | null,
    peer: Peer,
  ) {
    this.#ledger = ledger;
    this.metrics = metrics;
    this.access = access;
    this.gate = gate;
    this.login = login;
    this.contents = contents;
    this.shadows = shadows;
    this.peer = peer;
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
