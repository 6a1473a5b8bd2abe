/**
 * Decides again what was decided, with the policy of its time: whether each change was allowed by the rules that
 * were in force, for a caller as the log knows it.
 */

import { messageOf } from '@tallystick/core';
import type { DecisionInput, Directory, PolicySource } from '@tallystick/gate';
import type { CauseDocument, Store } from '@tallystick/ledger';
import type { PolicyDocument } from '@tallystick/license';
import { type OnProgress, problemsMax } from '../report.ts';
import { approvalProblem } from './approval-problem.ts';
import { changeProblem, productOf } from './change-problem.ts';
import { type CountOf, HourlyLimits } from './hourly-limits.ts';
import { inputProblem } from './input-problem.ts';
import { KnownPolicies, nameOf } from './known-policies.ts';
import {
  type LoggedChanges,
  type LoggedCommand,
  LoggedCommands,
  type LoggedDecision,
  type LoggedTrustRoot,
} from './logged-commands.ts';
import { SignedCheck, type SignedProblem } from './signed-check.ts';
import { type RecoveryFound, UndecidedCheck } from './undecided-check.ts';

/**
 * - `unreadable`: the command's records or its cause are not what the log commits to, or cannot be read
 * - `input`: what it was decided on is not what its hash says, or not what the cause says of the same request
 * - `change`: it was decided on another action, other amounts, or something of others than the change is
 * - `roles`: it was decided on roles that the principal did not have
 * - `policy`: it was decided under a policy that was not in force, or is not known
 * - `verdict`: decided again, it comes out differently
 * - `approval`: others had to approve it and did not, or could not
 * - `undecided`: somebody made it without a decision, in a log that had a gate by then
 */
export type DecisionFindingKind =
  | 'unreadable'
  | 'undecided'
  | 'input'
  | 'change'
  | 'roles'
  | 'policy'
  | 'approval'
  | 'verdict';

export interface DecisionFinding {
  /** Log index of the command's first record. */
  index: number;
  kind: DecisionFindingKind;
  /** One sentence without its period. */
  message: string;
}

export interface DecisionReplayReport {
  /** True where nothing was found. */
  ok: boolean;
  /** Number of entries that were read. */
  size: number;
  counts: {
    /** Commands of the span. */
    commands: number;
    /** Those that were decided again. */
    decided: number;
    /** Those of the system itself, and from before there was a gate. */
    undecided: number;
    /** Those whose documents were removed since: what they changed is not known. */
    removed: number;
    /** Those whose signed requests were erased since: that they were signed for is what the server said. */
    erasedRequests: number;
    /** Policies that decisions were made under. */
    policies: number;
  };
  /** In log order, at most 100. */
  findings: DecisionFinding[];
  /** Whom the authority let in past everybody else. */
  recoveries: RecoveryFound[];
}

export interface DecisionSpan {
  /** Instants; null for no bound. `to` is the first one outside. */
  from: string | null;
  to: string | null;
  onProgress?: OnProgress;
}

export interface DecisionReplayOptions extends DecisionSpan {
  /** Policies that came with other versions of Tallystick, for a log that had none of its own then. */
  defaults?: readonly PolicySource[];
  /** Principals whom the configuration of a server let act alone, past all rules for approvals. */
  mayActAlone?: readonly string[];
  /** What an invitation is found by, of its hash; null where the secret for that is not known. */
  lookupOf?: ((hash: string) => string) | null;
}

/** Reads only, also beside a running server. Throws where the store cannot be read. */
export async function replayDecisions(
  store: Store,
  options: DecisionReplayOptions,
): Promise<DecisionReplayReport> {
  const size = await store.size();
  const replay = new Replay(options);
  const commands = new LoggedCommands(store).read(size, options.onProgress ?? (() => {}));
  for await (const command of commands) {
    if ('message' in command) replay.find(command.index, 'unreadable', command.message);
    else if ('trustRoot' in command) replay.takeTrustRoot(command, options);
    else await replay.take(command, isWithin(command.cause.at, options));
  }
  replay.end(options);
  return replay.report(size);
}

/** Instants compare as text. */
function isWithin(at: string, { from, to }: DecisionSpan): boolean {
  return (from === null || at >= from) && (to === null || at < to);
}

const requestGone = 'the request that was signed for it is gone, and no erasure explains it';

class Replay {
  readonly #policies: KnownPolicies;
  readonly #mayActAlone: readonly string[];
  readonly #check: UndecidedCheck;
  readonly #signed: SignedCheck;
  /** The time of the newest command. */
  #at = '';
  readonly #span: DecisionSpan;
  readonly #findings: DecisionFinding[] = [];
  readonly #limits = new HourlyLimits();
  readonly #used = new Set<string>();
  readonly #counts = { commands: 0, decided: 0, undecided: 0, removed: 0, erasedRequests: 0 };
  #hasGate = false;
  #inForce: { document: PolicyDocument; name: string } | null = null;

  constructor({ defaults = [], mayActAlone = [], lookupOf = null, ...span }: DecisionReplayOptions) {
    this.#policies = new KnownPolicies(defaults);
    this.#mayActAlone = mayActAlone;
    this.#check = new UndecidedCheck(lookupOf);
    this.#signed = new SignedCheck(mayActAlone);
    this.#span = span;
  }

  find(index: number, kind: DecisionFindingKind, message: string | null): void {
    if (message !== null && this.#findings.length < problemsMax)
      this.#findings.push({ index, kind, message });
  }

  /** Takes every command in order, and judges those of the span. */
  async take(command: LoggedCommand, isInSpan: boolean): Promise<void> {
    const { index, cause, request, decision, directory, open } = command;
    const unapproved = await this.#signedProblem(command);
    this.#at = cause.at;
    const hadGate = this.#hasGate;
    this.#hasGate ||= decision !== null;
    // Whatever the span: what is counted may have begun before it.
    const countOf = this.#count(cause, decision, directory);
    const problem = decision === null ? await this.#undecided(command) : null;
    if (!isInSpan) return;
    this.#counts.commands += 1;
    if (request === 'erased') this.#counts.erasedRequests += 1;
    if (request === 'gone') this.find(index, 'unreadable', requestGone);
    this.find(index, 'approval', unapproved);
    if (decision === null) {
      this.#counts.undecided += 1;
      this.find(index, 'undecided', hadGate ? problem : null);
      return;
    }
    this.#counts.decided += 1;
    this.find(index, 'input', cause.v === 1 ? null : inputProblem(decision, cause));
    const changes = await this.#open(index, open);
    if (changes !== null) {
      this.find(index, 'change', changeProblem(decision.input, cause, changes, directory));
      this.find(index, 'approval', approvalProblem(cause, changes, directory, this.#mayActAlone, countOf));
    }
    this.find(index, 'roles', rolesProblem(decision.input, changes, directory, cause.at));
    this.find(index, 'policy', this.#policyProblem(decision, directory.policy));
    this.find(index, 'verdict', this.#verdictProblem(decision));
  }

  /** Versions of the trust root bear no time: they are of that of the command before. */
  takeTrustRoot({ index, leaf, directory }: LoggedTrustRoot, span: DecisionSpan): void {
    this.#broken(this.#signed.next(index, leaf), span);
    // The first one begins the log.
    if (index === 0 || this.#signed.isApproved(index) || !isWithin(this.#at, span)) return;
    this.find(index, 'approval', this.#signed.trustRoot(directory, this.#at));
  }

  /** Nothing more comes. */
  end(span: DecisionSpan): void {
    this.#broken(this.#signed.end(), span);
  }

  #broken(problem: SignedProblem | null, span: DecisionSpan): void {
    if (problem !== null && isWithin(this.#at, span)) this.find(problem.index, 'approval', problem.message);
  }

  /** What is wrong with a revision that was signed elsewhere; takes note of requests for them that were carried out. */
  async #signedProblem({
    index,
    leaf,
    cause,
    types,
    directory,
    open,
  }: LoggedCommand): Promise<string | null> {
    this.#broken(this.#signed.next(index, leaf), this.#span);
    try {
      if (cause.command === 'approval.execute') this.#signed.executed(index, (await open())?.documents ?? []);
      const isRevision = types.some((type) => type.startsWith('namespace.'));
      if (!isRevision || this.#signed.isApproved(index)) return null;
      const changes = await open();
      const recovery = cause.v === 1 ? cause.recovery : undefined;
      return changes && this.#signed.revision(changes, recovery, directory, cause.at);
    } catch (error) {
      return messageOf(error);
    }
  }

  #count(cause: CauseDocument, decision: LoggedDecision | null, { policy }: Directory): CountOf {
    const isCounted = policy !== null && decision !== null && cause.who.kind !== 'bootstrap';
    return isCounted ? this.#limits.take(cause, decision.input.action, policy.approvals) : () => 0;
  }

  /** Also of what is outside of the span: what the authority says counts for what comes later. */
  async #undecided(command: LoggedCommand): Promise<string | null> {
    try {
      return await this.#check.take(command);
    } catch (error) {
      return messageOf(error);
    }
  }

  async #open(index: number, open: LoggedCommand['open']): Promise<LoggedChanges | null> {
    try {
      const changes = await open();
      if (changes === null) this.#counts.removed += 1;
      return changes;
    } catch (error) {
      this.find(index, 'unreadable', messageOf(error));
      return null;
    }
  }

  report(size: number): DecisionReplayReport {
    const findings = this.#findings;
    return {
      ok: findings.length === 0,
      size,
      counts: { ...this.#counts, policies: this.#used.size },
      findings,
      recoveries: this.#check.recoveries.filter(({ at }) => isWithin(at, this.#span)),
    };
  }

  #policyProblem(decision: LoggedDecision, document: PolicyDocument | null): string | null {
    const name = nameOf(decision);
    if (document === null) {
      return this.#policies.isDefault(name)
        ? null
        : 'it names a policy that neither the log has nor this version came with';
    }
    if (this.#inForce?.document !== document)
      this.#inForce = { document, name: this.#policies.add(document) };
    return this.#inForce.name === name ? null : 'it names another policy than the one that was in force';
  }

  #verdictProblem(decision: LoggedDecision): string | null {
    const name = nameOf(decision);
    try {
      const engine = this.#policies.engine(name);
      if (engine === null) return null;
      this.#used.add(name);
      const again = engine.decide(decision.input);
      if (again.errors.length > 0) return `it cannot be decided: ${again.errors.join('; ')}`;
      if (!again.allowed) return `it is denied by ${again.reasons.join(', ') || 'no policy that permits it'}`;
      const was = decision.reasons.join(', ');
      const is = again.reasons.join(', ');
      return was === is ? null : `it was allowed by ${was}, and is by ${is}`;
    } catch (error) {
      return `its policy cannot be evaluated: ${messageOf(error)}`;
    }
  }
}

/** Roles for one product hold for it; where the product is not known here, a role that it has for any counts. */
function rolesProblem(
  { principal, resource }: DecisionInput,
  changes: LoggedChanges | null,
  directory: Directory,
  at: string,
): string | null {
  const { id, kind, roles } = principal;
  if (!Array.isArray(roles)) return null;
  if (kind === 'bootstrap' || kind === 'mirror') {
    if (roles.some((role) => role !== kind)) return 'a token of the folder was given other roles';
    if (kind === 'mirror' || directory.isUnclaimed(at)) return null;
    return 'the token of tally init was used once there was an administrator';
  }
  const known = directory.principal(id);
  if (known === undefined) return `the log knows no principal ${id} at that point`;
  if (known.state !== 'active') return `${id} was disabled`;
  const product = resource.type === 'License' && changes !== null ? productOf(changes.documents) : null;
  const held = known.roles.filter(
    ({ products, until }) =>
      (until === null || until > at) &&
      (products === null || product === null || products.includes(product.id)),
  );
  const never = roles.find((each) => !held.some(({ role }) => role === each));
  if (never === undefined) return null;
  return `${id} did not have the role ${never}${product === null ? '' : ` for ${product.code}`}`;
}
