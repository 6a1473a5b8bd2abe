/** What is asked of policies before they are put in force, beyond that they are valid. */
import { actionNames } from './actions.ts';
import { PolicyEngine } from './engine.ts';
import { PolicyError, type PolicySource } from './policy-source.ts';
import { provenInput } from './policy-table.ts';

/**
 * Returns the engine of a policy set that a server of this version can work with. Throws PolicyError where it is
 * invalid, where its schema does not take what the server asks about some action, or where nobody could publish
 * another one: neither could be mended from within.
 */
export function checkCandidate(source: PolicySource): PolicyEngine {
  const engine = new PolicyEngine(source);
  for (const action of actionNames) {
    const [error] = engine.decideAnew(provenInput('person', [], action)).errors;
    if (error !== undefined)
      throw new PolicyError(`the schema does not take requests for ${action}: ${error}`);
  }
  const publishers = engine.roles.filter((role) => mayPublish(engine, role));
  if (publishers.length === 0)
    throw new PolicyError(
      'no role could publish another policy: keep one that a person with every proof has',
    );
  return engine;
}

function mayPublish(engine: PolicyEngine, role: string): boolean {
  const input = provenInput('person', [role], 'policy.publish');
  return engine.decideAnew({ ...input, context: { ...input.context, approved: true } }).allowed;
}
