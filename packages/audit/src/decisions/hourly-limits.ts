/**
 * How often somebody had asked for what rules count by the hour, counted again from the log alone.
 *
 * A server counts what it judges in the order of the log, and begins anew with what others have approved. Where it cannot know,
 * it takes the count to be too high; so what it let through is never more than what is counted here.
 */
import { HourlyCounts } from '@tallystick/gate';
import type { CauseDocument } from '@tallystick/ledger';
import type { ApprovalRule } from '@tallystick/license';

/** How many commands their author has asked for under a rule within the hour, this one included. */
export type CountOf = (rule: ApprovalRule) => number;

export class HourlyLimits {
  readonly #counts = new HourlyCounts();

  /**
   * Takes the commands in that somebody was judged for, in log order. What is returned counts until the next one.
   *
   * @param action what was decided on: of a request that others approved, the command that waited
   * @param rules those in force
   */
  take({ command, who, at }: CauseDocument, action: string, rules: readonly ApprovalRule[]): CountOf {
    const ms = Date.parse(at);
    if (command === 'approval.execute') {
      const begun = this.#counts.asked(who.id);
      for (const { actions } of rules)
        if (actions.includes(action)) this.#counts.clear(who.id, actions, begun);
    } else if (rules.some((rule) => isCounting(rule, command))) this.#counts.add(who.id, command, ms, {});
    return ({ actions }) => this.#counts.count(who.id, actions, ms, null);
  }
}

function isCounting({ above, actions }: ApprovalRule, command: string): boolean {
  return above !== null && above.perHour !== null && actions.includes(command);
}
