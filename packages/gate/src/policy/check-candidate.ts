/** What is asked of policies before they are put in force, beyond that they are valid. */
import {
  type ApprovalRule,
  COMMAND_TYPES,
  type PolicyContent,
  SIGNED_COMMAND_TYPES,
} from '@tallystick/license';
import { unknownActions } from './complete-policy.ts';
import { PolicyEngine } from './engine.ts';
import type { DecisionInput } from './input.ts';
import { PolicyError, type PolicySource } from './policy-source.ts';
import { provenInput } from './policy-table.ts';

/**
 * Returns the engine of a policy set that a server of this version can work with. Throws PolicyError where it is
 * invalid, where its schema does not take what the server asks about some action, or where nobody could publish
 * another one: neither could be mended from within. And where a rule for approvals would hold up nothing, or everything.
 */
export function checkCandidate(source: PolicySource & Pick<PolicyContent, 'approvals'>): PolicyEngine {
  const engine = new PolicyEngine(source);
  const [unknown] = unknownActions(engine);
  if (unknown !== undefined)
    throw new PolicyError(
      `the schema does not take requests for ${unknown.action} (${unknown.error}): begin with tally access policy show --complete`,
    );
  const networks = networksIn(source);
  if (!engine.roles.some((role) => isAbleTo('policy.publish', role, engine, networks)))
    throw new PolicyError(
      'no role could publish another policy: keep one that a person with every proof has',
    );
  for (const [at, rule] of source.approvals.entries())
    checkRule(rule, { engine, networks, name: `rule ${at + 1} for approvals` });
  return engine;
}

/** A misspelled rule binds nobody, and looks as if it did. */
function checkRule(
  { actions, above, approvers }: ApprovalRule,
  { engine, networks, name }: { engine: PolicyEngine; networks: string[]; name: string },
): void {
  const stranger = actions.find((action) => !canWait.has(action));
  if (stranger !== undefined)
    throw new PolicyError(`${name} names ${stranger}, which is no command that can wait`);
  checkSigned(actions, above, name);
  if (actions.length === 0 || approvers.length === 0)
    throw new PolicyError(`${name} names no command, or nobody who approves it`);
  const unable = approvers.find(({ role }) => !isAbleTo('approval.approve', role, engine, networks));
  if (unable !== undefined) throw new PolicyError(`${name}: nobody with the role ${unable.role} may approve`);
}

/** What is signed elsewhere has no amounts, and the log does not say who handed it in. */
function checkSigned(actions: string[], above: ApprovalRule['above'], name: string): void {
  if (above === null) return;
  if (actions.includes('trust.publish'))
    throw new PolicyError(
      `${name} limits trust.publish, which has no amounts: let above be null, in a rule of its own`,
    );
  if (!actions.includes('namespace.revise')) return;
  if (above.perHour !== null)
    throw new PolicyError(`${name} counts namespace.revise by the hour, which no record says who asked for`);
  if ((above.loosened ?? null) === null)
    throw new PolicyError(`${name} never holds up namespace.revise: say loosened: 0, or let above be null`);
}

const canWait: ReadonlySet<string> = new Set([
  ...COMMAND_TYPES.filter((type) => !type.startsWith('approval.')),
  ...SIGNED_COMMAND_TYPES,
]);

/** At some hour of a Monday, on a device of the best kind, in every network that a policy speaks of. */
function isAbleTo(action: string, role: string, engine: PolicyEngine, networks: string[]): boolean {
  if (!engine.roles.includes(role)) return false;
  const input = provenInput('person', [role], action);
  const device = { managed: true, encrypted: true, attested: true };
  const best: DecisionInput['context'] = { ...input.context, approved: true, device };
  const plain = { ...best, networks: [] };
  const contexts = [plain, ...hours.map((hour) => ({ ...best, networks, hour }))];
  return contexts.some((context) => engine.allows({ ...input, context }));
}

const hours = Array.from({ length: 24 }, (_, hour) => hour);
/** As many as an input may name. */
const NETWORKS_MAX = 64;

/** Words that may be names of networks: every literal, because which is one only Cedar could tell. */
function networksIn({ policies }: PolicySource): string[] {
  const texts = policies.map(({ lines }) => lines.join('\n')).filter((text) => text.includes('networks'));
  const words = texts.flatMap((text) =>
    [...text.matchAll(/"([^"\\]{1,256})"/g)].map(([, word = '']) => word),
  );
  return [...new Set(words)].sort().slice(0, NETWORKS_MAX);
}
