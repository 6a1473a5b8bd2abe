/** What would have come of the decisions of a log under another policy. */
import type { Decision, DecisionInput, PolicySource } from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import type { Store } from '@tallystick/ledger';
import { LoggedCommands } from './logged-commands.ts';
import { type DecisionSpan, isWithin } from './replay-decisions.ts';

/** A verdict that flips. What was decided on exactly the same counts as one. */
export interface Flip {
  /** Log indexes of the first and last command, and how many there are. */
  first: number;
  last: number;
  times: number;
  /** When the last one was, an instant. */
  at: string;
  action: string;
  principal: string;
  roles: string[];
  product: string | null;
  /** What denies it: policies, or errors; both empty where nothing permits it. */
  reasons: string[];
  errors: string[];
  /** What the caller could add so that it is allowed. */
  lacks: Decision['lacks'];
}

export interface ShadowReport {
  /** Hashes of the candidate, base64. */
  policy: string;
  schema: string;
  size: number;
  from: string | null;
  to: string | null;
  /** Logged decisions of the span, and how many of them flip. */
  decisions: number;
  flipped: number;
  /** Commands that could not be read: `replayDecisions` says why. */
  unreadable: number;
  /** The most frequent first, at most 1,000. */
  flips: Flip[];
}

const FLIPS_MAX = 1000;

/**
 * Every change in a log was allowed, so what flips becomes a denial. Requests that were denied left no input in the log.
 * Throws PolicyError where the candidate cannot be evaluated.
 */
export async function shadowPolicy(
  store: Store,
  candidate: PolicySource,
  span: DecisionSpan,
): Promise<ShadowReport> {
  const engine = new PolicyEngine(candidate);
  const size = await store.size();
  const flips = new Map<string, Flip>();
  let decisions = 0;
  let flipped = 0;
  let unreadable = 0;
  for await (const command of new LoggedCommands(store).read(size, span.onProgress ?? (() => {}))) {
    if ('message' in command) unreadable += 1;
    else if (command.decision !== null && isWithin(command.cause.at, span)) {
      decisions += 1;
      const decision = engine.decide(command.decision.input);
      if (decision.allowed) continue;
      flipped += 1;
      const known = flips.get(decision.entities);
      const { index, cause } = command;
      if (known === undefined)
        flips.set(decision.entities, flipOf(command.decision.input, decision, index, cause.at));
      else Object.assign(known, { last: index, times: known.times + 1, at: cause.at });
    }
  }
  const { policy, schema } = engine;
  const { from, to } = span;
  const sorted = [...flips.values()].sort((one, other) => other.times - one.times || one.first - other.first);
  return {
    policy,
    schema,
    size,
    from,
    to,
    decisions,
    flipped,
    unreadable,
    flips: sorted.slice(0, FLIPS_MAX),
  };
}

function flipOf(
  { principal, action, resource }: DecisionInput,
  decision: Decision,
  index: number,
  at: string,
): Flip {
  const { reasons, errors, lacks } = decision;
  return {
    first: index,
    last: index,
    times: 1,
    at,
    action,
    principal: principal.id,
    roles: principal.roles,
    product: resource.product,
    reasons,
    errors,
    lacks,
  };
}
