/** Says which commands have to wait for the approval of others, on the snapshot that they were decided on. */
import { loosenings } from '@tallystick/core';
import {
  type Applicable,
  type Asked,
  type AskedFor,
  actsAlone,
  applicableRules,
  type Directory,
  type Effect,
  HourlyCounts,
  noEffect,
  type Proposed,
} from '@tallystick/gate';
import {
  type ApprovalRule,
  type Change,
  type Command,
  instantToMs,
  isSignedCommand,
  type PrincipalDocument,
  type SignedCommand,
  type View,
} from '@tallystick/license';
import { ServiceProblem } from '../service-problem.ts';

/** What a command has to wait for. */
export type Need =
  | { kind: 'nothing' }
  /** Rules apply, and there is nobody whom they could ask; see `actsAlone`. */
  | { kind: 'nobody' }
  /** `isBulk`: only because there were so many within the hour. */
  | { kind: 'approval'; isBulk: boolean };

export interface Proposal {
  asked: Asked;
  command: Command | SignedCommand;
  changes: readonly Change[];
  effect: Effect;
  rules: readonly ApprovalRule[];
  view: View;
  /** Now, as an instant. */
  at: string;
  /** Stands for the request, however often it is judged. */
  request: object;
  isDryRun: boolean;
}

/** A command that was let through waits for others. Only the service gets to see it. */
export class ApprovalNeeded extends ServiceProblem {
  readonly isBulk: boolean;

  constructor(isBulk: boolean) {
    super('approval_required');
    this.isBulk = isBulk;
  }
}

/** Whether a command waits for others shows once it is known how often its author asked before the server was started. */
export class StillCounting extends ServiceProblem {
  readonly counted: Promise<void>;

  constructor(counted: Promise<void>) {
    super('overloaded', 'The server was just started and still counts what was asked for before.');
    this.counted = counted;
  }
}

export class ApprovalNeeds {
  readonly counts: HourlyCounts = new HourlyCounts();
  readonly #directory: Directory;
  /** The principal that the configuration lets act alone. */
  readonly #mayActAlone: string | null;
  /** Settles when it is known what was asked for before the start, or that this cannot be known; null from then on. */
  #counting: Promise<void> | null = null;

  constructor(directory: Directory, mayActAlone: string | null = null) {
    this.#directory = directory;
    this.#mayActAlone = mayActAlone;
  }

  /**
   * Takes in what was asked for before the start, once that is found; where that fails, everybody is taken to have asked too
   * often until an hour after `now`, in milliseconds. Resolves then.
   */
  restore(asked: Promise<readonly AskedFor[]>, now: number): Promise<void> {
    const counting = asked
      .then(
        (before) => this.counts.recall(before),
        () => this.counts.forget(now),
      )
      .finally(() => {
        this.#counting = null;
      });
    this.#counting = counting;
    return counting;
  }

  /** Counts the command, unless it is a dry run; what is not carried out is taken back with `counts.remove`. */
  of({ asked, command, changes, effect, rules, view, at, request, isDryRun }: Proposal): Need {
    const { kind, principal: author } = asked.caller;
    // Who set the system up may do everything until it has somebody, and nobody is there to be asked.
    const isRefused = changes.length === 0 && !isSignedCommand(command);
    if (kind === 'bootstrap' || kind === 'mirror' || isRefused) return { kind: 'nothing' };
    const now = instantToMs(at);
    const countOf = ({ actions }: ApprovalRule): number => {
      if (this.#counting !== null) throw new StillCounting(this.#counting);
      return this.counts.count(author, actions, now, request) + 1;
    };
    const principal = (id: string) => view.subject('principal', id)?.document;
    const proposed = { command, changes, effect, author, principal, ...governingIn(view) };
    const applicable = applicableRules(rules, proposed, countOf);
    if (applicable.length > 0 && !this.#isAlone(author, view, at))
      return { kind: 'approval', isBulk: applicable.every(isForNumber) };
    if (!isDryRun && rules.some((rule) => isCounting(rule, command)))
      this.counts.add(author, command.type, now, request);
    return { kind: applicable.length > 0 ? 'nobody' : 'nothing' };
  }

  /**
   * What a revision that lets somebody in would have to wait for because of what it loosens besides, were it handed in
   * otherwise. That it lets somebody in waits for nobody.
   *
   * @param principal id of who is let in; null for somebody new
   * @param rules those in force
   */
  ofRecovery(
    {
      changes,
      principal,
      rules,
    }: { changes: readonly Change[]; principal: string | null } & Pick<Proposal, 'rules'>,
    view: View,
    at: string,
  ): Need {
    const { brake, namespace } = governingIn(view);
    const next = changes.find(({ document }) => document.type === 'namespace')?.document;
    const isKnown = next?.type === 'namespace' && brake !== null && namespace !== null;
    if (isKnown && loosenings(namespace, next, brake).length === 0) return { kind: 'nothing' };
    const author = principal ?? 'nobody';
    const command = { type: 'namespace.revise' };
    const proposed = {
      command,
      changes,
      effect: noEffect,
      author,
      principal: () => undefined,
      brake,
      namespace,
    };
    const applicable = applicableRules(rules, proposed, () => 0);
    if (applicable.length === 0) return { kind: 'nothing' };
    return this.#isAlone(author, view, at) ? { kind: 'nobody' } : { kind: 'approval', isBulk: false };
  }

  #isAlone(author: string, view: View, at: string): boolean {
    return author === this.#mayActAlone || actsAlone(author, this.#principals(view), at);
  }

  /** Who has come in, as they stand in this state. */
  #principals(view: View): PrincipalDocument[] {
    return this.#directory.people().flatMap(({ id }) => view.subject('principal', id)?.document ?? []);
  }
}

/** How rules for approvals stand: whether there is anybody whom they could ask. */
export function approvalsStatus(directory: Directory): { people: number; bind: boolean } {
  const people = directory.people();
  return { people: people.filter(({ state }) => state === 'active').length, bind: people.length > 1 };
}

/** How the namespace stands before the change. */
function governingIn(view: View): Pick<Proposed, 'brake' | 'namespace'> {
  return {
    brake: view.subject('brake', 'brake')?.document ?? null,
    namespace: view.subject('namespace', 'namespace')?.document ?? null,
  };
}

function isCounting({ above, actions }: ApprovalRule, { type }: { type: string }): boolean {
  return above !== null && above.perHour !== null && actions.includes(type);
}

function isForNumber({ because }: Applicable): boolean {
  return because === 'how_many';
}
