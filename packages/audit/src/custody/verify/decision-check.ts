/** Decisions of a report, made again: by the policy that the log had in force, on the input that was committed to. */
import { type CauseStatement, type DecisionStatement, policiesId } from '@tallystick/core';
import { type DecisionInput, defaultPolicyDocument } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { PolicyContent } from '@tallystick/license';
import { inputProblem } from '../../decisions/input-problem.ts';
import type { Findings } from './findings.ts';
import type { PlacedEntry } from './placed-entries.ts';
import type { ProvenDecision } from './proven.ts';
import { documentOf, type ReportWorld } from './report-world.ts';

/** A policy, and what evaluates it. */
export interface Rules {
  /** null for the policy that comes with the software. */
  rev: number | null;
  content: PolicyContent;
  engine: PolicyEngine;
}

export class DecisionCheck {
  readonly #world: ReportWorld;
  readonly #findings: Findings;
  readonly #rules = new Map<number | null, Promise<Rules | null>>();

  constructor(world: ReportWorld, findings: Findings) {
    this.#world = world;
    this.#findings = findings;
  }

  /** null where there is none, or something is wrong with it, which the findings say. */
  async check(entry: PlacedEntry, statement: CauseStatement): Promise<ProvenDecision | null> {
    const whole = this.#whole(entry, statement);
    if (whole === null) return null;
    const input = whole.decision.input as unknown as DecisionInput;
    const { entities } = whole.decision;
    const wrong = inputProblem({ input, entities }, statement) ?? actionProblem(input, statement);
    if (wrong !== null) return this.#refuse(entry, wrong);
    const rules = await this.rules(entry.index);
    if (rules === null) return null;
    const { policy, schema, reasons } = whole.decision;
    const { engine, rev } = rules;
    if (engine.policy === policy && engine.schema === schema) {
      const again = engine.decide(input);
      if (!again.allowed) return this.#refuse(entry, 'the policy in force does not allow this');
      if (again.reasons.join() !== reasons.join())
        return this.#refuse(entry, 'the policy in force decides for other reasons');
    } else if (rev !== null)
      return this.#refuse(entry, 'it was decided under another policy than the one in force');
    return { policy, schema, reasons, input: whole.decision.input, rev, carriedAt: whole.index };
  }

  /** The policy in force before a log index; null where its document is not shown. */
  rules(index: number): Promise<Rules | null> {
    if (this.#world.chain(policiesId) === undefined) {
      this.#findings.add('CHAIN_BROKEN', index, 'nothing proves which policy was in force');
      return Promise.resolve(null);
    }
    const inForce = this.#world.inForce(policiesId, index);
    const key = inForce?.index ?? null;
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const made = this.#open(inForce, index);
    this.#rules.set(key, made);
    return made;
  }

  async #open(inForce: PlacedEntry | undefined, index: number): Promise<Rules | null> {
    if (inForce === undefined) {
      const content = defaultPolicyDocument();
      return { rev: null, content, engine: new PolicyEngine(content) };
    }
    const content = await this.#findings.check(inForce.index, () => documentOf('policy', inForce));
    if (content == null) {
      if (content === null) this.#findings.add('DECISION_ALTERED', index, 'the policy in force is not shown');
      return null;
    }
    const engine = await this.#findings.check(inForce.index, () => new PolicyEngine(content));
    return engine === undefined ? null : { rev: content.rev, content, engine };
  }

  /** The decision that a cause stands on, and the log index of the cause that has it whole. */
  #whole(
    entry: PlacedEntry,
    { decision }: CauseStatement,
  ): { index: number; decision: DecisionStatement } | null {
    if (decision === null) return null;
    if (!('same' in decision)) return { index: entry.index, decision };
    const other = this.#world.at(decision.same);
    const found = other === undefined || other.index >= entry.index ? undefined : other.cause?.decision;
    if (found != null && !('same' in found)) return { index: decision.same, decision: found };
    return this.#refuse(entry, `the decision that it stands on is not at entry ${decision.same}`);
  }

  #refuse(entry: PlacedEntry, message: string): null {
    this.#findings.add('DECISION_ALTERED', entry.index, message);
    return null;
  }
}

/** What is decided on where a command waits for approval, or has it, is that command: see the check of approvals. */
function actionProblem({ action }: DecisionInput, { command, approvals }: CauseStatement): string | null {
  const isOfCommand = action === command || approvals !== null || command === 'approval.request';
  return isOfCommand ? null : `it was decided on ${action}, and ${command} was carried out`;
}
