/** Approvals in a report: for exactly this command under exactly these rules, by as many others as have to. */
import type { CauseStatement } from '@tallystick/core';
import { policyContentHash } from '@tallystick/gate';
import { type Approval, type ApprovalDocument, approversFor, bindingOf, rolesAt } from '@tallystick/license';
import type { DecisionCheck, Rules } from './decision-check.ts';
import type { Findings } from './findings.ts';
import type { PlacedEntry } from './placed-entries.ts';
import type { ProvenApproval, ProvenDecision } from './proven.ts';
import { documentOf, isErasure, type ReportWorld } from './report-world.ts';

interface Step {
  entry: PlacedEntry;
  document: ApprovalDocument;
}

export class ApprovalCheck {
  readonly #world: ReportWorld;
  readonly #decisions: DecisionCheck;
  readonly #findings: Findings;

  constructor(world: ReportWorld, decisions: DecisionCheck, findings: Findings) {
    this.#world = world;
    this.#decisions = decisions;
    this.#findings = findings;
  }

  /** Holds a change against the request for approval that its cause names. */
  async checkUse(
    entry: PlacedEntry,
    statement: CauseStatement,
    decision: ProvenDecision | null,
  ): Promise<void> {
    const { approvals } = statement;
    if (approvals === null) return;
    const steps = await this.#steps(approvals.approval);
    const document = steps.find((step) => step.document.state === 'executed')?.document;
    const executed = this.#world.chain(approvals.approval)?.find(isExecution);
    const isHere = executed !== undefined && entry.causeAt !== null && executed.causeAt === entry.causeAt;
    if (document === undefined || !isHere) {
      this.#refuse(entry, `${approvals.approval} was not carried out by this change`);
      return;
    }
    const given = document.approvals.map(({ principal, credential, at }) => ({ principal, credential, at }));
    if (JSON.stringify(given) !== JSON.stringify(approvals.by))
      this.#refuse(entry, `others approved ${approvals.approval} than its cause says`);
    const rules = await this.#decisions.rules(entry.index);
    if (rules !== null && !isUnder(document, rules))
      this.#refuse(entry, `${approvals.approval} was approved under another policy`);
    if (decision === null) return;
    const { action, context } = decision.input as { action?: string; context?: { epoch?: number } };
    if (context?.epoch !== document.epoch || action !== document.command['type'])
      this.#refuse(entry, `${approvals.approval} is not what was decided on`);
  }

  /**
   * Holds a request for approval against the rules, and against who says that they approved it.
   *
   * @param asked the decision that let it be asked for
   */
  async check(id: string, asked: ProvenDecision | null): Promise<Omit<ProvenApproval, 'steps'> | null> {
    const steps = await this.#steps(id);
    const [first] = steps;
    const newest = steps.at(-1);
    if (first === undefined || newest === undefined) return null;
    const { document } = newest;
    if (bindingOf(document.command, document) !== document.binding)
      this.#refuse(newest.entry, 'what was approved is not the command under these rules');
    await this.#checkRules({ ...first, entry: this.#world.chain(id)?.[0] ?? first.entry });
    // Whoever asked was judged for asking, or for the command itself, which then had to wait.
    if (asked !== null && ![document.command['type'], 'approval.request'].includes(asked.input.action))
      this.#refuse(first.entry, 'it was decided on something else than was asked for');
    let before: Step | null = null;
    for (const step of steps) {
      if (isErasure(step.entry)) await this.#checkErased(id, step, before);
      else await this.#checkStep(step, before);
      before = step;
    }
    const { state, author, command, why, approvers, approvals, binding } = document;
    return { id, state, author, command: JSON.stringify(command), why, approvers, approvals, binding };
  }

  async #checkRules({ entry, document }: Step): Promise<void> {
    const rules = await this.#decisions.rules(entry.index);
    if (rules === null) return;
    if (!isUnder(document, rules)) {
      this.#refuse(entry, 'it was asked for under another policy than the one in force');
      return;
    }
    const wanted = approversFor(rules.content.approvals, document.command);
    if (JSON.stringify(wanted?.approvers) !== JSON.stringify(document.approvers))
      this.#refuse(entry, 'the policy in force asks for other approvers');
  }

  /** Nothing of the request changes but its approvals, and whoever adds one is who asked for that. */
  async #checkStep({ entry, document }: Step, before: Step | null): Promise<void> {
    const who = entry.cause?.who;
    const actor = before === null ? document.author : addedBy(document, before.document);
    if (
      who !== undefined &&
      actor !== null &&
      (actor.principal !== who.id || actor.credential !== who.credential)
    )
      this.#refuse(entry, 'somebody else did this than the document says');
    if (before === null) return;
    const kept = document.approvals.slice(0, before.document.approvals.length);
    const isKept = fixed(document) === fixed(before.document) && same(kept, before.document.approvals);
    const wanted = entry.entry.record.type === 'approval.approved' ? 1 : 0;
    if (!isKept || document.approvals.length - kept.length !== wanted)
      this.#refuse(entry, 'more changed in the request than its approvals');
    for (const given of document.approvals.slice(kept.length)) await this.#checkRole(entry, given);
  }

  /** What was said with it is gone; who asked and who approved is what the records before say that they did. */
  async #checkErased(id: string, { entry, document }: Step, before: Step | null): Promise<void> {
    const { author, approvals } = document;
    const chain = this.#world.chain(id) ?? [];
    const given = chain.filter(({ entry: { record } }) => record.type === 'approval.approved');
    const actors = [author, ...approvals];
    const isSame = [chain[0], ...given].every((each, nth) => {
      const who = each?.cause?.who;
      const actor = actors[nth];
      return who === undefined || (who.id === actor?.principal && who.credential === actor.credential);
    });
    const isKept = before === null || same(before.document.approvals, approvals);
    const command = entry.cause?.command;
    if (command !== undefined && command !== 'customer.erase' && command !== 'approval.execute')
      this.#refuse(entry, `${command} erases no request`);
    if (!isSame || !isKept || given.length !== approvals.length)
      this.#refuse(entry, 'more was erased of the request than its command');
    for (const [nth, each] of approvals.entries()) await this.#checkRole(given[nth] ?? entry, each);
  }

  /** An approval counts for a role that its giver had for all products at that moment. */
  async #checkRole(entry: PlacedEntry, { principal, role, at }: Approval): Promise<void> {
    const inForce = this.#world.inForce(principal, entry.index);
    if (inForce === undefined) {
      this.#refuse(entry, `the log did not know ${principal}`);
      return;
    }
    const document = await this.#findings.check(inForce.index, () => documentOf('principal', inForce));
    if (document != null && !rolesAt(document, at).includes(role))
      this.#refuse(entry, `${principal} approved it as ${role}, and was none`);
  }

  async #steps(id: string): Promise<Step[]> {
    const steps: Step[] = [];
    const chain = this.#world.chain(id) ?? [];
    const isErased = chain.some(isErasure);
    for (const entry of chain) {
      const document = await this.#findings.check(entry.index, () => documentOf('approval', entry));
      // It is a gap, and not wrong, where the request says itself that it was erased.
      if (document === null && isErased && !isErasure(entry)) continue;
      if (document == null) {
        if (document === null) this.#refuse(entry, `${id} is not shown whole`);
        return [];
      }
      steps.push({ entry, document });
    }
    return steps;
  }

  #refuse(entry: PlacedEntry, message: string): void {
    this.#findings.add('APPROVAL_INVALID', entry.index, message);
  }
}

/** The record of a request that was carried out: the one that erased it, where it asked for that itself. */
function isExecution(
  { entry: { record }, document }: PlacedEntry,
  nth: number,
  chain: readonly PlacedEntry[],
): boolean {
  if (record.type === 'approval.executed') return true;
  const isDone = (document?.json as { state?: unknown } | undefined)?.state === 'executed';
  const wasDone = chain.some((each) => each.entry.record.type === 'approval.executed');
  return record.type === 'approval.erased' && isDone && !wasDone && nth === chain.length - 1;
}

/** Whether a request is bound to these rules. Nobody here knows those that came with another version of the software. */
function isUnder({ policy }: ApprovalDocument, { rev, content }: Rules): boolean {
  return rev === null || policy === policyContentHash(content);
}

/** Who has to have made a step; null where the document does not say. */
function addedBy(
  after: ApprovalDocument,
  before: ApprovalDocument,
): { principal: string; credential: string } | null {
  if (after.state === 'rejected') return after.rejected;
  return after.approvals[before.approvals.length] ?? null;
}

/** What of a request never changes. */
function fixed({
  author,
  command,
  why,
  binding,
  policy,
  epoch,
  approvers,
  notAfter,
}: ApprovalDocument): string {
  return JSON.stringify([author, command, why, binding, policy, epoch, approvers, notAfter]);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
