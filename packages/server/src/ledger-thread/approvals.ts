/** Four eyes: commands that wait for the approval of others, and are carried out once they have it. */
import { createHash } from 'node:crypto';
import { type Asked, bareResource, missingRoles, resourceOf } from '@tallystick/gate';
import type { Submission, SubmitResult } from '@tallystick/ledger';
import {
  type ApprovalDocument,
  type ApprovalRequest,
  type Command,
  compareInstants,
  isSignedCommand,
  rolesAt,
  type SignedCommand,
} from '@tallystick/license';
import { ApprovalNeeded, StillCounting } from './gate/approval-needs.ts';
import { authorAsked } from './gate/author-asked.ts';
import type { Judgment } from './gate/judgment.ts';
import type { MutateInput } from './mutations.ts';
import type { ServedLog } from './served-log.ts';
import { ServiceProblem } from './service-problem.ts';
import { type ShownChange, shownChange } from './shown-document.ts';
import { problemOfSigned, SignedElsewhere } from './signed-elsewhere.ts';
import { resourceIn } from './subject-reads.ts';

/** What a command that was carried out came to. */
export type Carried = Extract<SubmitResult, { changes: unknown }>;

/** What came of a command that enough have approved. */
export interface Execution {
  done: boolean;
  changes: ShownChange[];
  /** Why it was not carried out; the request waits on, and may be tried again. */
  problem: { code: string; detail: string } | null;
}

/** Greater than every id. */
const newest = '\u{10ffff}';
const openMax = 50;
const nobody = { who: { kind: 'nobody', id: 'nobody' }, why: null } as const;

/** What is to be stored where it has to wait. */
export type Waiting = Pick<MutateInput, 'why' | 'request'> & { command: Command | SignedCommand };

export class Approvals {
  readonly #ledger: ServedLog;
  readonly #signed: SignedElsewhere;
  /** By author: what is stored for the same reason is stored once. */
  readonly #storing = new Map<string, Promise<unknown>>();

  constructor(ledger: ServedLog, signed: SignedElsewhere) {
    this.#ledger = ledger;
    this.#signed = signed;
  }

  /** Does what is asked for, or stores it where others have to approve it first, and throws the problem that says so. */
  async orStore<T>(waiting: () => Waiting, judgment: Judgment, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      judgment.failed();
      if (error instanceof StillCounting) {
        await error.counted;
        return this.orStore(waiting, judgment, work);
      }
      if (!(error instanceof ApprovalNeeded)) throw error;
      throw await this.#storeOnce(waiting(), judgment, error.isBulk);
    }
  }

  async #storeOnce(input: Waiting, judgment: Judgment, isBulk: boolean): Promise<ServiceProblem> {
    const { command } = input;
    const isSigned = isSignedCommand(command);
    if (!isBulk && !isSigned) return this.#store(input, judgment);
    const text = JSON.stringify(command);
    // What was signed elsewhere has no idempotency key, and is the same where it says the same.
    const isSame = isBulk ? () => true : (other: object) => JSON.stringify(other) === text;
    const author = authorOf(judgment);
    const before = this.#storing.get(author);
    const stored = (before ?? Promise.resolve())
      .catch(() => null)
      .then(async () => {
        const open = await this.#openRequest(author, command.type, judgment, isSame);
        return open === undefined ? this.#store(input, judgment) : this.#waiting(open, judgment.now);
      });
    this.#storing.set(author, stored);
    try {
      return await stored;
    } finally {
      if (this.#storing.get(author) === stored) this.#storing.delete(author);
    }
  }

  async #store({ command, why, request }: Waiting, judgment: Judgment): Promise<ServiceProblem> {
    const stored = { type: 'approval.request', command: { ...command } } as const;
    const { changes } = carriedOut(
      await this.#ledger.submit({
        command: stored,
        cause: nobody,
        gate: judgment.environment(why),
        judge: judgment.judgeWaiting(why),
        request: requestOf(request),
        dryRun: false,
      }),
    );
    const [main] = changes;
    if (main?.current.document.type !== 'approval') throw new Error('what waits is no request for approval');
    if (main.index !== null) judgment.committed(main.index);
    return this.#waiting(main.current.document, judgment.now);
  }

  /** A request of an author for a command of this type that still waits, and is not void. */
  async #openRequest(
    author: string,
    type: string,
    { now, rules }: Judgment,
    isSame: (command: object) => boolean,
  ): Promise<ApprovalDocument | undefined> {
    const { epoch } = this.#ledger.governing.namespace;
    for (const state of ['pending', 'approved']) {
      const page = { before: newest, limit: openMax };
      const found = await this.#ledger.read.listed('approval', { of: author, state }, page);
      for (const { current } of found) {
        const document = current?.document;
        if (document?.type !== 'approval' || document.command['type'] !== type) continue;
        const isBound = document.policy === rules.hash && document.epoch === epoch;
        if (isBound && compareInstants(now, document.notAfter) < 0 && isSame(document.command))
          return document;
      }
    }
    return undefined;
  }

  async #waiting(document: ApprovalDocument, at: string): Promise<ServiceProblem> {
    const { id, notAfter, approvers, author } = document;
    const wanted = approvers.map(({ role, count }) => `${count} of ${role}`).join(' and ');
    const missing = missingRoles(approvers, author.principal, await this.#rolesOf(at));
    const isUnable = missing.length > 0;
    const advice = isUnable
      ? `Nobody else has the role ${missing.join(' or ')}: somebody has to be given it first.`
      : `See tally approval show ${id}.`;
    const detail = `Stored as ${id}, which waits for approval by ${wanted}, until ${notAfter}. ${advice}`;
    return new ServiceProblem('approval_required', detail, undefined, { approval: id, notAfter });
  }

  async #rolesOf(at: string): Promise<Map<string, string[]>> {
    const page = { before: newest, limit: 1000 };
    const found = await this.#ledger.read.listed('principal', { state: 'active' }, page);
    return new Map(
      found.flatMap(({ current }) =>
        current?.document.type === 'principal'
          ? [[current.document.id, rolesAt(current.document, at)] as const]
          : [],
      ),
    );
  }

  /** Throws where the command that is to wait could not be carried out by whoever asks, if it were approved. */
  async checkCommand(input: MutateInput, { command }: ApprovalRequest, judgment: Judgment): Promise<void> {
    const { asked } = judgment;
    if (asked === null) throw new ServiceProblem('unauthorized');
    const { type } = command;
    if (typeof type !== 'string' || type.startsWith('approval.')) return;
    if (isSignedCommand(command)) {
      await this.#checkSigned(input, command, judgment.of({ ...asked, action: type }));
      return;
    }
    const waiting = command as unknown as Command;
    const inner = judgment.of({ ...asked, action: waiting.type });
    carriedOut(
      await this.#ledger.submit({
        command: waiting,
        cause: nobody,
        gate: judgment.environment(input.why),
        judge: inner.judge(waiting, {
          why: input.why,
          isDryRun: true,
          seen: input,
        }),
        see: inner.see(waiting),
        request: null,
        dryRun: true,
      }),
    );
  }

  async #checkSigned({ why }: MutateInput, stored: object, judgment: Judgment): Promise<void> {
    const command = SignedElsewhere.read(stored);
    await this.#signed.check(command, judgment.judge(command, { why, isDryRun: true }));
  }

  /** What came of a command that was stored under the idempotency key of its own request. */
  async recall(approval: string, judgment: Judgment): Promise<Carried> {
    const document = await this.#request(approval);
    const { state, notAfter, rejected } = document;
    if (state === 'executed') {
      const result = await this.#execute(document, judgment.of(await this.#asked(document, judgment)), null);
      const [main] = result.changes;
      if (main !== undefined)
        judgment.repeat(await resourceIn(this.#ledger, main.current.document), document.why);
      return result;
    }
    const isOpen = state === 'pending' || state === 'approved';
    if (isOpen && compareInstants(judgment.now, notAfter) < 0)
      throw await this.#waiting(document, judgment.now);
    const because = rejected?.why ?? null;
    const end = isOpen
      ? `waited until ${notAfter}`
      : `was ${state}${because === null ? '' : ` (${because})`}`;
    throw new ServiceProblem('state_forbids', `The request ${approval} ${end}. Ask anew, under another key.`);
  }

  /** Carries a command out that enough have approved, for somebody who asks for that. */
  async execute(input: MutateInput, approval: string, judgment: Judgment): Promise<Carried> {
    const document = await this.#request(approval, judgment);
    const author = judgment.of(await this.#asked(document, judgment));
    const result = await this.#execute(document, author, { input, judgment });
    if (result.repeated)
      judgment.repeat(
        resourceOf(document, () => undefined),
        input.why,
      );
    return result;
  }

  /** Carries a command out at once where the approval just given was the last that it needed. */
  async afterApproval(approval: string, judgment: Judgment): Promise<{ execution?: Execution }> {
    const document = await this.#request(approval);
    if (document.state !== 'approved' && document.state !== 'executed') return {};
    try {
      const author = judgment.of(await this.#asked(document, judgment));
      const { changes } = await this.#execute(document, author, null);
      return { execution: { done: true, changes: changes.map(shownChange), problem: null } };
    } catch (error) {
      // The approval stands; whatever stands in the way of the command is told and may go away.
      const detail = error instanceof Error ? error.message : String(error);
      const problem = problemOfSigned(error) ?? { code: 'not_committed', detail };
      return { execution: { done: false, changes: [], problem } };
    }
  }

  /**
   * Under a key of its own that no caller can send, so that it happens once, whoever triggers it, and is found again.
   */
  async #execute(
    document: ApprovalDocument,
    author: Judgment,
    executor: { input: MutateInput; judgment: Judgment } | null,
  ): Promise<Carried> {
    const { id, why } = document;
    const command = { type: 'approval.execute', approval: id } as const;
    const judgeAuthor = author.judgeApproved(id);
    const submission: Submission = {
      command,
      cause: nobody,
      gate: author.environment(why),
      judge: (view, changes, environment) => {
        if (executor !== null) {
          const { judgment, input } = executor;
          judgment.judge(input.command, { why: input.why })(view, changes, environment);
        }
        // A command that is refused changes nothing; that says more than who might have asked for it.
        if (changes.length === 0) return nobody;
        return asAuthor(() => judgeAuthor(view, changes, environment));
      },
      request: { key: `execution of ${id}`, hash: createHash('sha256').update(id).digest() },
      dryRun: executor?.input.dryRun ?? false,
    };
    const result = carriedOut(await this.#carryOut(document, submission));
    const [first] = result.changes;
    if (!result.repeated && typeof first?.index === 'number') {
      author.committed(first.index);
      author.approved(String(document.command['type']));
    }
    return result;
  }

  async #carryOut({ state, command }: ApprovalDocument, submission: Submission): Promise<SubmitResult> {
    // What was carried out is found again, however it was done.
    if (state === 'executed' || !isSignedCommand(command)) return this.#ledger.submit(submission);
    return this.#signed.execute(SignedElsewhere.read(command), submission);
  }

  /** The request as it is now. For somebody who asks about it, what is not there is judged as well. */
  async #request(id: string, judgment?: Judgment): Promise<ApprovalDocument> {
    const document = (await this.#ledger.read.current(id))?.document;
    if (document?.type === 'approval') return document;
    const absent = new ServiceProblem(
      'subject_unknown',
      `There is no approval ${id}. Check the id.`,
      '$.approval',
    );
    judgment?.read(bareResource('Approval'), absent);
    throw absent;
  }

  async #asked(document: ApprovalDocument, { now }: Judgment): Promise<Asked> {
    return authorAsked(this.#ledger.read, document, now);
  }
}

function authorOf({ asked }: Judgment): string {
  if (asked === null) throw new ServiceProblem('unauthorized');
  return asked.caller.principal;
}

/** Whoever triggers the command is not whom it is denied to. */
function asAuthor<T>(judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    if (!(error instanceof ServiceProblem) || error.code === 'approval_void') throw error;
    throw new ServiceProblem('state_forbids', `Who asked for this may not do it any more: ${error.message}`);
  }
}

/** What was done; throws what it was refused for. */
export function carriedOut(result: SubmitResult): Carried {
  if (!('refused' in result)) return result;
  const { code, message, path, details } = result.refused;
  throw new ServiceProblem(code, message, path, details);
}

export function requestOf(request: MutateInput['request']): Submission['request'] {
  return request && { key: request.key, hash: Buffer.from(request.hash, 'base64') };
}
