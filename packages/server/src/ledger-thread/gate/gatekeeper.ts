/**
 * Says what callers may do, where it can be said for certain: in the ledger's thread, on the very state that a command is
 * decided on.
 */
import { effectiveLock } from '@tallystick/core';
import {
  type Asked,
  type Circumstances,
  canonicalInput,
  type Decision,
  type DecisionInput,
  type Directory,
  defaultPolicyDocument,
  describe,
  type Effect,
  type Identity,
  isInRanges,
  isUsable,
  policyContentHash,
  type Resource,
  rolesFor,
} from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { CauseDecision } from '@tallystick/ledger';
import type { Duration, PolicyContent, PolicyDocument } from '@tallystick/license';
import type { ServedLog } from '../served-log.ts';
import { ServiceProblem } from '../service-problem.ts';
import { ApprovalNeeds } from './approval-needs.ts';
import { Carried } from './carried.ts';
import { keptAtLeast } from './check-drop.ts';
import { Judgment } from './judgment.ts';

/** Forgetting one costs telling it again. */
const toldMax = 10_000;
/** Of an instant, up to its day. */
const dayLength = 10;

/** A policy set with what evaluates it. */
export interface Rules {
  content: PolicyContent;
  engine: PolicyEngine;
  /** Names all that it says: what approvals are for. */
  hash: string;
}

/** A decision with what it was made on, as a cause keeps it. */
export interface Decided {
  decision: Decision;
  input: DecisionInput;
}

/** What the record of a request says of its decision. */
export interface Verdict {
  effect: 'allow' | 'deny';
  policy: string;
  reasons: string[];
  entities: string;
  /** What was decided on, as `entities` is the hash of it; only where this thread has not told of it today. */
  input?: string;
}

export interface GatekeeperParts {
  directory: Directory;
  /** Told of what must never happen: a decision that could not be made. */
  onAlarm: (detail: string) => void;
  /** Now. Instant. */
  now: () => string;
  /** How the namespace stands. */
  governing: () => Pick<Circumstances, 'lock' | 'epoch'>;
  /** Lets everything through, for measuring what judging costs. No configuration leads here. */
  isOpen?: boolean;
  /** Id of a principal that no rule for approvals holds up. */
  mayActAlone?: string | undefined;
  /** How long records of access logs are kept at least. */
  keepAtLeast?: Duration | undefined;
}

export class Gatekeeper {
  readonly directory: Directory;
  readonly governing: GatekeeperParts['governing'];
  readonly now: () => string;
  readonly isOpen: boolean;
  readonly needs: ApprovalNeeds;
  readonly keepAtLeast: Duration;
  readonly #onAlarm: (detail: string) => void;
  readonly #carried = new Carried();
  /** Hashes of what the access log has heard of, of one day. */
  #told = { day: '', entities: new Set<string>() };
  #newestVerdict: { of: Decision; verdict: Verdict } | null = null;
  /** Of one document, and not of a revision: one that was on its way may have been taken back, and another have its number. */
  #rules: { source: PolicyDocument | null; rules: Rules } | null = null;
  /** The document that is no policy that can be evaluated, once that was found. */
  #broken: { source: PolicyDocument; message: string } | null = null;

  constructor({
    directory,
    onAlarm,
    now,
    governing,
    isOpen = false,
    mayActAlone,
    keepAtLeast = keptAtLeast,
  }: GatekeeperParts) {
    this.needs = new ApprovalNeeds(directory, mayActAlone);
    this.keepAtLeast = keepAtLeast;
    this.directory = directory;
    this.#onAlarm = onAlarm;
    this.now = now;
    this.governing = governing;
    this.isOpen = isOpen;
  }

  /** The judgment of one request; null for requests that nobody has to be known for. */
  open(asked: Asked | null): Judgment {
    return new Judgment(this, asked);
  }

  /**
   * The rules of a revision of the policy, by default of the newest committed one. Throws ServiceProblem where it cannot be
   * evaluated: then nobody may do anything.
   */
  rules(policy: PolicyDocument | null = this.directory.policy): Rules {
    if (this.#rules?.source === policy) return this.#rules.rules;
    if (this.#broken !== null && this.#broken.source === policy) throw this.#deny(this.#broken.message);
    const content = policy ?? defaultPolicyDocument();
    try {
      const hash = policyContentHash(content);
      const known = this.#rules?.rules.hash === hash ? this.#rules.rules : null;
      const rules = known ?? { content, engine: new PolicyEngine(content), hash };
      this.#rules = { source: policy, rules };
      return rules;
    } catch (error) {
      const message = `the policy cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`;
      if (policy !== null) this.#broken = { source: policy, message };
      throw this.#deny(message);
    }
  }

  /** Decides on a request of a caller with these documents; null for a token of the system's folder. */
  decide(
    asked: Asked,
    identity: Identity | null,
    resource: Resource,
    effect: Effect,
    { rules, ...circumstances }: Omit<Circumstances, 'roles' | 'stepUp'> & { rules: Rules },
  ): Decided {
    const { engine, content } = rules;
    const roles = this.#rolesOf(asked, identity, resource, circumstances.at);
    const input = describe(asked, roles, resource, effect, {
      ...circumstances,
      roles: engine.roles,
      stepUp: content.sessions.stepUp,
    });
    const decision = engine.decide(input);
    if (decision.errors.length > 0)
      this.#onAlarm(`a decision on ${asked.action}: ${decision.errors.join('; ')}`);
    return { decision, input };
  }

  #rolesOf({ caller }: Asked, identity: Identity | null, resource: Resource, at: string): string[] {
    if (identity !== null) return rolesFor(identity, resource, at);
    if (caller.kind === 'bootstrap') return this.directory.isUnclaimed(at) ? ['bootstrap'] : [];
    return caller.kind === 'mirror' ? ['mirror'] : [];
  }

  /**
   * The documents of a caller in the state that `subject` gives. Throws ServiceProblem where they no longer let anybody in:
   * what was good when the request came may have ended since.
   */
  identify({ caller, action }: Asked, subject: Subjects, at: string): Identity | null {
    if (caller.kind === 'bootstrap' || caller.kind === 'mirror') return null;
    const principal = subject('principal', caller.principal);
    const credential = subject('credential', caller.credential);
    const isGood =
      principal?.state === 'active' &&
      credential !== undefined &&
      credential.principal === principal.id &&
      isUsable(credential, at) &&
      // An invitation comes here without having been looked at before.
      (credential.scope.networks === null || isInRanges(caller.address, credential.scope.networks));
    if (!isGood)
      throw new ServiceProblem('unauthorized', 'the credential has ended, or its principal is disabled');
    const { actions } = credential.scope;
    if (actions !== null && !actions.includes(action))
      throw new ServiceProblem('forbidden', `this credential is not for ${action}`);
    return { principal, credential };
  }

  /** What the record of a decision needs; its input where nobody has been told of that today. */
  takeVerdict(decided: Decided): Verdict {
    const verdict = this.#verdictOf(decided.decision);
    const input = this.#untold(decided);
    return input === null ? verdict : { ...verdict, input };
  }

  /** The same object for the same decision: answers of one message then carry it once. */
  #verdictOf(decision: Decision): Verdict {
    if (this.#newestVerdict?.of !== decision) {
      const { allowed, policy, reasons, entities } = decision;
      const verdict: Verdict = { effect: allowed ? 'allow' : 'deny', policy, reasons, entities };
      this.#newestVerdict = { of: decision, verdict };
    }
    return this.#newestVerdict.verdict;
  }

  /** What a cause says of a decision. */
  causeDecision({ decision, input }: Decided): CauseDecision {
    const { policy, schema, reasons, entities } = decision;
    const same = this.#carried.indexOf(decision);
    return same === undefined ? { policy, schema, reasons: [...reasons], entities, input } : { same };
  }

  #untold({ decision, input }: Decided): string | null {
    const day = this.now().slice(0, dayLength);
    if (this.#told.day !== day || this.#told.entities.size >= toldMax)
      this.#told = { day, entities: new Set() };
    if (this.#told.entities.has(decision.entities)) return null;
    this.#told.entities.add(decision.entities);
    return canonicalInput(input);
  }

  /** Takes note that the cause at a log index has a decision whole. */
  carried(decision: Decision, index: number): void {
    this.#carried.add(decision, index);
  }

  #deny(message: string): ServiceProblem {
    this.#onAlarm(message);
    return new ServiceProblem('forbidden', message);
  }
}

/** How the namespace of a log stands. */
export function governingOf({
  governing,
}: Pick<ServedLog, 'governing'>): Pick<Circumstances, 'lock' | 'epoch'> {
  const { namespace, brake } = governing;
  return { lock: effectiveLock(namespace, brake), epoch: namespace.epoch };
}

/** The newest documents of who may use the system, in one consistent state. */
export type Subjects = <T extends 'principal' | 'credential'>(
  type: T,
  id: string,
) => (T extends 'principal' ? Identity['principal'] : Identity['credential']) | undefined;
