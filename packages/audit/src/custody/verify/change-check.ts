/** Whether a license changed as it was decided on, and whether the rules wanted somebody to approve that. */
import { applicableRules, type DecisionInput, Directory, effectOf } from '@tallystick/gate';
import type { Command, LicenseDocument } from '@tallystick/license';
import { asChange, contentProblem } from '../../decisions/change-problem.ts';
import type { DecisionCheck } from './decision-check.ts';
import type { Findings } from './findings.ts';
import type { PlacedEntry } from './placed-entries.ts';
import type { ProvenRevision, ProvenStep } from './proven.ts';

export interface LicenseStep {
  /** null for a revision that is not shown; undefined where there is none. */
  before: LicenseDocument | null | undefined;
  after: LicenseDocument | null;
}

type Unapproved = Pick<ProvenRevision, 'unapproved' | 'perHour'>;
const nothing: Unapproved = { unapproved: null, perHour: null };

export class ChangeCheck {
  readonly #decisions: DecisionCheck;
  readonly #findings: Findings;

  constructor(decisions: DecisionCheck, findings: Findings) {
    this.#decisions = decisions;
    this.#findings = findings;
  }

  /** Says who had to approve the change and did not, as far as one license tells. */
  async check(
    entry: PlacedEntry,
    { cause, decision }: Pick<ProvenStep, 'cause' | 'decision'>,
    { before, after }: LicenseStep,
  ): Promise<Unapproved> {
    if (cause === null || decision === null || after === null || before === null) return nothing;
    const { command: type, n, who, approvals } = cause;
    const licenses = new Map(before === undefined ? [] : [[before.id, before]]);
    // Of a command with several changes the largest amounts are decided on, and here is one of them.
    if (n === (approvals === null ? 1 : 2)) {
      const input = decision.input as unknown as DecisionInput;
      const wrong = contentProblem(
        input,
        { documents: [after], licenses, brake: null, namespace: null, epoch: null },
        new Directory(),
      );
      if (wrong !== null) this.#findings.add('DECISION_ALTERED', entry.index, wrong);
    }
    if (approvals !== null || who.kind === 'bootstrap' || who.kind === 'mirror') return nothing;
    const rules = await this.#decisions.rules(entry.index);
    if (rules === null || rules.rev === null) return nothing;
    const changes = [asChange(after)];
    const effect = effectOf(changes, (_type, id) => licenses.get(id));
    const proposed = {
      command: { type } as Command,
      changes,
      effect,
      author: who.id,
      brake: null,
      namespace: null,
      principal: () => undefined,
    };
    const [applicable] = applicableRules(rules.content.approvals, proposed, () => 0);
    const counting = rules.content.approvals.filter(({ actions }) => actions.includes(type));
    const limits = counting.flatMap(({ above }) => above?.perHour ?? []);
    return {
      unapproved:
        applicable?.rule.approvers.map(({ role, count }) => `${count} of ${role}`).join(' and ') ?? null,
      perHour: limits.length === 0 ? null : Math.min(...limits),
    };
  }
}
