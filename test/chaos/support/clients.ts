/**
 * Clients that issue, change and read licenses at whichever server writes, and keep what they saw of it.
 *
 * What is not answered is asked again under the same idempotency key. What was refused because of the state of the service,
 * with the promise that nothing was changed, is now and then left at that, so that the promise can be held against the log.
 */
import { randomUUID } from 'node:crypto';
import { isProblemCode, problems } from '@tallystick/contract';
import { SeededRandom } from '../../system/support/seeded-random.ts';
import { sleep } from '../../system/support/waiting.ts';
import type { Arena, Party } from './arena.ts';
import { type Seen, type SeenChange, textOf } from './history.ts';

const answerMsMax = 1500;
const patienceMs = 60_000;
const againMs = 40;
const thinkMs = { least: 30, most: 120 };
/** Of those that are known, the newest ones are changed: they are contended for. */
const contended = 12;

interface Answer {
  party: Party;
  status: number;
  /** Whether the server said that another one writes. */
  follows: boolean;
  json: Record<string, unknown>;
}

interface ChangeAnswer {
  changes: { subject: { id: string }; rev: number; index: number }[];
  document: unknown;
}

const verbs = {
  suspend: { reason: 'payment' },
  reinstate: {},
  revoke: { reason: 'refund' },
} as const;

export class Clients {
  readonly seen: Seen[] = [];
  /** When changes were acknowledged, by the clock of `performance`. */
  readonly acknowledgedAt: number[] = [];
  /** What no answer should have been. */
  readonly oddities: string[] = [];
  readonly #arena: Arena;
  readonly #licenses: string[] = [];
  #isStopping = false;
  #running: Promise<void>[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  start(count: number, seed: number): void {
    this.#running = Array.from({ length: count }, (_, nth) => this.#client(new SeededRandom(seed + nth)));
  }

  /** Lets everybody finish what they are at. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
  }

  /** Issues a license and resolves with its id once a published checkpoint covers it. */
  async issuePublished(): Promise<string> {
    const id = await this.#change(null, this.#arena.parties[0], '/v1/licenses?wait=published', order);
    if (id === null) throw new Error(`no license was issued\n${this.#arena.lastLines()}`);
    return id;
  }

  /** The longest time from `since` on without any acknowledgment, in milliseconds. */
  silence(since: number): number {
    const later = [...this.acknowledgedAt.filter((at) => at > since), performance.now()];
    return later.reduce(({ longest, last }, at) => ({ longest: Math.max(longest, at - last), last: at }), {
      longest: 0,
      last: since,
    }).longest;
  }

  async #client(random: SeededRandom): Promise<void> {
    let preferred: Party = random.pick(this.#arena.parties);
    while (!this.#isStopping) {
      const id = this.#licenses.at(
        -1 - random.below(Math.min(contended, Math.max(1, this.#licenses.length))),
      );
      const draw = random.below(10);
      if (id === undefined || draw < 3) await this.#change(random, preferred, '/v1/licenses', order);
      else if (draw < 6) {
        const verb = random.pick(verbsByChance);
        await this.#change(random, preferred, `/v1/licenses/${id}/${verb}`, verbs[verb], id);
      } else preferred = await this.#read(random, preferred, id);
      await sleep(thinkMs.least + random.below(thinkMs.most - thinkMs.least));
    }
  }

  /**
   * Asks for a change until it is known how it ended; the id of the license where it was made.
   *
   * @param random says where to leave it at that; null never does
   */
  async #change(
    random: SeededRandom | null,
    preferred: Party,
    path: string,
    body: object,
    of: string | null = null,
  ): Promise<string | null> {
    const key = randomUUID();
    const begun = performance.now();
    const left = (outcome: SeenChange['outcome'], id = of ?? ''): null => {
      this.seen.push({ kind: 'change', key, id, begun, ended: performance.now(), outcome });
      return null;
    };
    let party = preferred;
    let isOpen = false;
    for (const deadline = begun + patienceMs; performance.now() < deadline; ) {
      const answer = await this.#ask(party, 'POST', path, body, key);
      if (answer !== null && answer.status < 300) return this.#done(key, begun, answer);
      const code = answer?.json['code'];
      const ending = endingOf(answer);
      if (ending === 'open') isOpen = true;
      // What was under way when the answer came may still arrive, and be carried out.
      if (ending === 'refused') return left(isOpen ? 'unknown' : { refused: path.split('/').at(-1) ?? '' });
      if (ending === 'odd') this.oddities.push(`${path}: ${answer?.status} ${JSON.stringify(answer?.json)}`);
      if (ending === 'odd') return left('unknown');
      if (ending === 'unchanged' && code !== 'standby' && !isOpen && random?.below(3) === 0)
        return left('not_done');
      party = this.#arena.other(party);
      await sleep(againMs);
    }
    this.oddities.push(`${path}: no answer within ${patienceMs} ms`);
    return left('unknown');
  }

  #done(key: string, begun: number, { json, status, party }: Answer): string | null {
    const ended = performance.now();
    const { changes, document } = json as unknown as ChangeAnswer;
    const [change] = changes;
    if (change === undefined || changes.length !== 1) {
      this.oddities.push(`${status} of ${party.name} with ${changes.length} changes`);
      return null;
    }
    const { subject, rev, index } = change;
    const outcome = { done: { index, rev, document: textOf(document) } };
    this.seen.push({ kind: 'change', key, id: subject.id, begun, ended, outcome });
    this.acknowledgedAt.push(ended);
    if (rev === 0) this.#licenses.push(subject.id);
    return subject.id;
  }

  /** Reads once; where to ask next. */
  async #read(random: SeededRandom, preferred: Party, id: string): Promise<Party> {
    // Those that follow are read as well: they may be behind.
    const party = random.below(4) === 0 ? this.#arena.other(preferred) : preferred;
    const begun = performance.now();
    const answer = await this.#ask(party, 'GET', `/v1/licenses/${id}`);
    const isThere = answer?.status === 200;
    if (answer === null || (!isThere && answer.status !== 404)) {
      if (endingOf(answer) === 'odd')
        this.oddities.push(`GET: ${answer?.status} ${JSON.stringify(answer?.json)}`);
      return this.#arena.other(party);
    }
    this.seen.push({
      kind: 'read',
      id,
      rev: isThere ? Number(answer.json['rev']) : -1,
      document: isThere ? textOf(answer.json['document']) : '',
      follower: answer.follows ? party.name : null,
      begun,
      ended: performance.now(),
    });
    return answer.follows ? this.#arena.other(party) : party;
  }

  /** null where no answer came. */
  async #ask(
    party: Party,
    method: string,
    path: string,
    body?: object,
    key?: string,
  ): Promise<Answer | null> {
    const { token } = party.system.client;
    try {
      const answer = await fetch(`http://127.0.0.1:${party.clients.port}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...(key !== undefined && { 'idempotency-key': key }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(answerMsMax),
      });
      const json = (await answer.json()) as Record<string, unknown>;
      const { status, headers } = answer;
      return { party, status, follows: headers.has('tally-follows'), json };
    } catch {
      return null;
    }
  }
}

const verbsByChance = ['suspend', 'reinstate', 'suspend', 'reinstate', 'revoke'] as const;
const order = { plan: 'pro-yearly', licensee: 'Contoso' };

/** What an answer without success says: nothing was changed for now or for good, nobody knows, or what it never should. */
function endingOf(answer: Answer | null): 'unchanged' | 'refused' | 'open' | 'odd' {
  if (answer === null) return 'open';
  const { status, json } = answer;
  const code = String(json['code']);
  if (!isProblemCode(code)) return 'odd';
  if (code === 'outcome_unknown') return 'open';
  if (code === 'integrity' || code === 'internal') return 'odd';
  if (problems[code].retryable) return status === 503 ? 'unchanged' : 'odd';
  return status === 409 || status === 422 ? 'refused' : 'odd';
}
