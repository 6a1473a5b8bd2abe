/** The judgment of one request: made once, kept for the record, and never left out. */
import { type Asked, type Effect, effectOf, type Identity, noEffect, type Resource } from '@tallystick/gate';
import type { CauseInput, GateCause, Judge } from '@tallystick/ledger';
import type { Command, GateEnvironment, SignedCommand, View } from '@tallystick/license';
import type { Seen } from '../mutations.ts';
import { ServiceProblem } from '../service-problem.ts';
import { ApprovalNeeded, type Need } from './approval-needs.ts';
import { checkDrop } from './check-drop.ts';
import { checkPublication } from './check-publication.ts';
import { absentSubject, commandResource, nameIn } from './command-resource.ts';
import type { Decided, Gatekeeper, Rules, Subjects, Verdict } from './gatekeeper.ts';
import { narrowedView, productsOf } from './narrowed-view.ts';

/** Where nobody is known nothing is judged, and nothing may be asked that needs it. */
const nobody = (): ServiceProblem => new ServiceProblem('unauthorized');

/** What these put into the log names the policy that they are under. */
const bindsToRules: ReadonlySet<string> = new Set(['approval.request', 'approval.approve']);

const unseen = 'Nobody has looked what it would have decided otherwise.';

export interface JudgeOptions {
  why: string | null;
  /** Who approved it; null for what nobody had to. */
  approvals?: GateCause['approvals'];
  isDryRun?: boolean;
  /** As of the request; where nobody says otherwise, nobody has looked. */
  seen?: Seen;
}

export class Judgment {
  readonly asked: Asked | null;
  readonly #gatekeeper: Gatekeeper;
  #decided: Decided | null = null;
  #isCarried = false;
  /** What the author had asked for when what others approved was judged: as whoever reads the log counts it. */
  #countedBefore: ReadonlySet<object> = new Set();

  /** What the command that was judged last has to wait for. */
  need: Need = { kind: 'nothing' };

  constructor(gatekeeper: Gatekeeper, asked: Asked | null) {
    this.#gatekeeper = gatekeeper;
    this.asked = asked;
  }

  /** The judgment of somebody else's request under the same rules. */
  of(asked: Asked): Judgment {
    return new Judgment(this.#gatekeeper, asked);
  }

  /** Whether somebody has judged; a request that was carried out without it must not be answered. */
  get isMade(): boolean {
    return this.#decided !== null || this.#gatekeeper.isOpen;
  }

  /** What is to be recorded of it. Not for nothing: what it says once it does not say again. */
  takeVerdict(): Verdict | null {
    return this.#decided === null ? null : this.#gatekeeper.takeVerdict(this.#decided);
  }

  /**
   * Judges a request that reads. Throws ServiceProblem where it may not; `absent` where the caller may not know either
   * that there is something.
   */
  read(resource: Resource, absent?: ServiceProblem): void {
    this.#judgeCommitted(resource, { reason: false, approved: false }, absent);
  }

  /**
   * Judges a request that puts what was signed elsewhere into the log, as it is where others have approved it: what they have
   * not is judged again where it is put there.
   */
  submit(resource: Resource, why: string | null): void {
    this.#judgeCommitted(resource, { reason: why !== null, approved: true });
  }

  /** Judges a request that was carried out before, and is told again what came of it. */
  repeat(resource: Resource, why: string | null, effect: Effect = noEffect): void {
    this.#judgeCommitted(resource, { reason: why !== null, approved: true, effect });
  }

  #judgeCommitted(
    resource: Resource,
    { effect = noEffect, ...said }: { reason: boolean; approved: boolean; effect?: Effect },
    absent?: ServiceProblem,
  ): void {
    const { asked } = this;
    if (asked === null) throw nobody();
    if (this.#gatekeeper.isOpen) return;
    const { directory } = this.#gatekeeper;
    const at = this.#gatekeeper.now();
    const identity = this.#gatekeeper.identify(asked, committedSubjects(directory), at);
    const rules = this.#gatekeeper.rules();
    const decided = this.#gatekeeper.decide(asked, identity, resource, effect, {
      at,
      ...this.#gatekeeper.governing(),
      ...said,
      rules,
    });
    this.#decided = decided;
    if (!decided.decision.allowed) throw denial(decided, rules, absent);
  }

  /** Who asks, and the rules in force, for a command. */
  environment(why: string | null): GateEnvironment {
    const { asked } = this;
    if (asked === null) throw nobody();
    const { principal, credential, session } = asked.caller;
    const { content, hash } = this.rules;
    return {
      actor: { principal, credential, session },
      why,
      approvals: content.approvals,
      policy: hash,
    };
  }

  /**
   * What of the state a command about plans and licenses may refer to: what is of products that the caller has nothing
   * to do with is answered like what does not exist.
   */
  see({ type }: Command): (view: View, at: string) => View {
    return (view, at) => {
      if (this.asked === null || this.#gatekeeper.isOpen || !/^(?:license|plan)\./.test(type)) return view;
      const identity = this.#gatekeeper.identify(this.asked, subjectsOf(view), at);
      const products = identity && productsOf(identity, at);
      return products === null ? view : narrowedView(view, products);
    };
  }

  /** The rules in force, as of the newest committed policy. */
  get rules(): Rules {
    return this.#gatekeeper.rules();
  }

  /** Now, as an instant. */
  get now(): string {
    return this.#gatekeeper.now();
  }

  /** Judges a command; called by the sequencer on the snapshot that the command was decided on. */
  judge(
    command: Command | SignedCommand,
    { why, approvals = null, isDryRun = false, seen = {} }: JudgeOptions,
  ): Judge {
    return (view, changes, { at, lock, epoch }) => {
      const { asked } = this;
      if (asked === null) throw nobody();
      if (this.#gatekeeper.isOpen) return { who: whoOf(asked), why };
      const identity = this.#gatekeeper.identify(asked, subjectsOf(view), at);
      const rules = this.#gatekeeper.rules(view.subject('policy', 'policies')?.document ?? null);
      if (bindsToRules.has(command.type)) this.#checkRules(view);
      const resource = commandResource(view, command, changes);
      const effect = effectOf(changes, (type, id) => view.subject(type, id)?.document);
      if (approvals === null && !command.type.startsWith('approval.')) {
        const { approvals: approvalRules } = rules.content;
        const proposal = { asked, command, changes, effect, rules: approvalRules, view, at };
        this.need = this.#gatekeeper.needs.of({ ...proposal, request: this, isDryRun });
      }
      // What waits is judged as it will be once others have approved it, and then again.
      const waits = this.need.kind === 'approval';
      const approved = approvals !== null || waits;
      const circumstances = { at, lock, epoch, reason: why !== null, approved, rules };
      const decided = this.#gatekeeper.decide(asked, identity, resource, effect, circumstances);
      this.#decided = decided;
      if (!decided.decision.allowed)
        throw denial(
          decided,
          rules,
          this.#absent({ asked, identity, command, resource, rules, at, lock, epoch }),
        );
      if (changes.length > 0) {
        const { shadowProblem = unseen, shadowedUnder = null } = seen;
        checkPublication(asked.caller, command, { why, rules, shadowProblem, shadowedUnder });
        checkDrop(command, at, this.#gatekeeper.keepAtLeast);
      }
      if (this.need.kind === 'approval' && !isDryRun) throw new ApprovalNeeded(this.need.isBulk);
      return this.#cause(asked, decided, { why, approvals });
    };
  }

  /**
   * Lets a command be stored that this has judged and that has to wait; judges that it is still whoever asked. It is judged
   * again before it is carried out.
   */
  judgeWaiting(why: string | null): Judge {
    return (view, _changes, { at }) => {
      const { asked } = this;
      const decided = this.#decided;
      if (asked === null || decided === null) throw nobody();
      this.#gatekeeper.identify(asked, subjectsOf(view), at);
      this.#checkRules(view);
      return this.#cause(asked, decided, { why, approvals: null });
    };
  }

  /** Judges what others have approved, on the request as it is there. */
  judgeApproved(approval: string): Judge {
    return (view, changes, environment) => {
      const request = view.subject('approval', approval)?.document;
      if (request === undefined) throw new ServiceProblem('subject_unknown');
      this.#checkRules(view);
      const by = request.approvals.map(({ principal, credential, at }) => ({ principal, credential, at }));
      this.#countedBefore = this.#gatekeeper.needs.counts.asked(request.author.principal);
      const command = request.command as unknown as Command;
      // Who asked for it has looked, and those who approved it were free to.
      const judge = this.judge(command, {
        why: request.why,
        approvals: { approval, by },
        seen: { shadowProblem: null },
      });
      return judge(view, changes, environment);
    };
  }

  /** What is asked for under one policy is not to be bound to another that is on its way into the log. */
  #checkRules(view: View): void {
    const { hash } = this.#gatekeeper.rules(view.subject('policy', 'policies')?.document ?? null);
    if (hash !== this.rules.hash) throw new ServiceProblem('approval_void');
  }

  /** What was judged comes to nothing. */
  failed(): void {
    if (this.asked !== null) this.#gatekeeper.needs.counts.remove(this.asked.caller.principal, this);
  }

  /** Others have approved a command of this type: counting begins anew for what its rules count. */
  approved(type: string): void {
    const { asked } = this;
    for (const { actions } of this.rules.content.approvals)
      if (asked !== null && actions.includes(type))
        this.#gatekeeper.needs.counts.clear(asked.caller.principal, actions, this.#countedBefore);
  }

  #cause(
    asked: Asked,
    decided: Decided,
    { why, approvals }: { why: string | null; approvals: GateCause['approvals'] },
  ): CauseInput {
    const decision = this.#gatekeeper.causeDecision(decided);
    this.#isCarried = 'input' in decision;
    return causeOf(asked, why, { decision, approvals });
  }

  /** Takes note of where the log has the decision, once it is durable. */
  committed(index: number): void {
    if (this.#isCarried && this.#decided !== null) this.#gatekeeper.carried(this.#decided.decision, index);
  }

  /**
   * What answers a command about a subject that the caller may not even see, and a command about one that there is not:
   * the same, or the answer would say which of them it is.
   */
  #absent({
    asked,
    identity,
    command,
    resource,
    rules,
    at,
    lock,
    epoch,
  }: {
    asked: Asked;
    identity: Identity | null;
    command: Command | SignedCommand;
    resource: Resource;
    rules: Rules;
    at: string;
    lock: string;
    epoch: number;
  }): ServiceProblem | undefined {
    const target = nameIn(command);
    if (target === null) return undefined;
    const read = { ...asked, action: `${target.type}.get` };
    const circumstances = { at, lock, epoch, reason: false, approved: false, rules };
    const { decision } = this.#gatekeeper.decide(read, identity, resource, noEffect, circumstances);
    return decision.allowed ? undefined : absentSubject(target);
  }
}

/** What is known of who asks, where a change says why it was made. */
function causeOf(
  { caller }: Asked,
  why: string | null,
  { decision, approvals }: Pick<GateCause, 'decision' | 'approvals'>,
): CauseInput {
  const { kind, principal: id, credential, session, device, address, signed } = caller;
  return {
    who: { kind, id },
    why,
    gate: { credential, session, device, address, decision, approvals, signed },
  };
}

function whoOf({ caller }: Asked): CauseInput['who'] {
  return { kind: caller.kind, id: caller.principal };
}

function denial(
  { decision, input }: Decided,
  { content }: Rules,
  absent: ServiceProblem | undefined,
): ServiceProblem {
  switch (decision.lacks) {
    case 'step_up':
      return new ServiceProblem(
        'insufficient_user_authentication',
        `${input.action} needs proof that you are there, at most ${content.sessions.stepUp} old`,
      );
    case 'reason':
      return new ServiceProblem('reason_required', undefined, 'headers.tally-reason');
    case 'signature':
      return new ServiceProblem('signature_required', `${input.action} has to be signed by who asks for it`);
    default:
      return absent ?? new ServiceProblem('forbidden', `this caller may not ${input.action} here`);
  }
}

function subjectsOf(view: View): Subjects {
  return ((type: 'principal' | 'credential', id: string) => view.subject(type, id)?.document) as Subjects;
}

function committedSubjects(directory: Gatekeeper['directory']): Subjects {
  return ((type: 'principal' | 'credential', id: string) =>
    type === 'principal' ? directory.principal(id) : directory.credential(id)) as Subjects;
}
