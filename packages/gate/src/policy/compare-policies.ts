/** What is different between two policy sets: in their text, and in what comes of it for each role. */
import type { PolicyContent } from '@tallystick/license';
import { actionNames } from './actions.ts';
import type { PolicyEngine } from './engine.ts';
import type { DecisionInput } from './input.ts';
import { type Outcome, outcomeOf, provenInput } from './policy-table.ts';

export interface PolicyChange {
  id: string;
  /** null where the set does not have it. */
  before: readonly string[] | null;
  after: readonly string[] | null;
}

/** What changes for a role: for a caller with every proof of its kind, or with none. */
export interface CellChange {
  role: string;
  kind: 'person' | 'service';
  proofs: 'all' | 'none';
  action: string;
  before: Outcome;
  after: Outcome;
}

export interface PolicyComparison {
  /** Sorted by id. */
  policies: PolicyChange[];
  schema: { removed: string[]; added: string[] };
  /** Members that differ besides. */
  settings: ('approvals' | 'durable' | 'sessions')[];
  cells: CellChange[];
}

interface Side {
  content: PolicyContent;
  engine: PolicyEngine;
}

export function comparePolicies(before: Side, after: Side): PolicyComparison {
  const settings = (['approvals', 'durable', 'sessions'] as const).filter(
    (name) => JSON.stringify(before.content[name]) !== JSON.stringify(after.content[name]),
  );
  return {
    policies: changedPolicies(before.content, after.content),
    schema: {
      removed: linesOnlyIn(before.content.schema, after.content.schema),
      added: linesOnlyIn(after.content.schema, before.content.schema),
    },
    settings,
    cells: [...changedCells(before.engine, after.engine)],
  };
}

function changedPolicies(before: PolicyContent, after: PolicyContent): PolicyChange[] {
  const textOf = ({ policies }: PolicyContent, id: string) =>
    policies.find((each) => each.id === id)?.lines ?? null;
  const ids = new Set([...before.policies, ...after.policies].map(({ id }) => id));
  return [...ids]
    .sort()
    .map((id) => ({ id, before: textOf(before, id), after: textOf(after, id) }))
    .filter((change) => change.before?.join('\n') !== change.after?.join('\n'));
}

function linesOnlyIn(lines: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return lines.filter((line) => !known.has(line));
}

function* changedCells(before: PolicyEngine, after: PolicyEngine): Generator<CellChange> {
  if (before.policy === after.policy && before.schema === after.schema) return;
  const roles = [...new Set([...before.roles, ...after.roles])].sort();
  for (const kind of ['person', 'service'] as const) {
    for (const role of roles) {
      for (const action of actionNames) {
        const proven = provenInput(kind, [role], action);
        const was = before.allows(asKnown(before, proven));
        const is = after.allows(asKnown(after, proven));
        const cell = { role, kind, action };
        if (was !== is) yield { ...cell, proofs: 'all', before: allowance(was), after: allowance(is) };
        // Proofs only help, so that what is denied with all of them is not asked about without.
        if (!was && !is) continue;
        const bare = withoutProofs(proven);
        const none = { before: outcome(before, bare), after: outcome(after, bare) };
        if (none.before !== none.after) yield { ...cell, proofs: 'none', ...none };
      }
    }
  }
}

const allowance = (isAllowed: boolean): Outcome => (isAllowed ? 'allow' : 'deny');

function outcome(engine: PolicyEngine, input: DecisionInput): Outcome {
  return outcomeOf(engine.decide(asKnown(engine, input)));
}

/** As a server asks: a role that a schema does not have is left out. */
function asKnown(engine: PolicyEngine, input: DecisionInput): DecisionInput {
  const roles = input.principal.roles.filter((role) => engine.roles.includes(role));
  return { ...input, principal: { ...input.principal, roles } };
}

function withoutProofs(input: DecisionInput): DecisionInput {
  const none = { strength: 1, stepUp: false, signed: false, reason: false };
  return { ...input, context: { ...input.context, ...none } };
}
