import type { PolicyContent } from '@tallystick/license';
import { expect, test } from 'vitest';
import { checkCandidate } from '../../src/policy/check-candidate.ts';
import { completedPolicy, unknownActions } from '../../src/policy/complete-policy.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';
import { PolicyEngine } from '../../src/policy/engine.ts';
import { provenInput } from '../../src/policy/policy-table.ts';

const named = (...actions: string[]): RegExp => new RegExp(`^action "(?:${actions.join('|')})"`);

/** As a version before published it, with a role of its own. */
function older(): PolicyContent {
  const content = defaultPolicyDocument();
  const schema = content.schema
    .filter((line) => !named('access.list', 'license.custody', 'evidence').test(line))
    .map((line) => line.replace('"viewer"', '"viewer", "intern"'));
  const policies = content.policies.filter(({ lines }) => !lines.join().includes('"evidence"'));
  return { ...content, schema, policies };
}

test('a policy of this version knows every action of it', () => {
  const content = defaultPolicyDocument();
  expect(unknownActions(new PolicyEngine(content))).toEqual([]);
  expect(completedPolicy(content)).toEqual(content);
});

test('an older one lacks what was added, which nobody may do, and gets it with its own roles kept', () => {
  const engine = new PolicyEngine(older());
  expect(
    unknownActions(engine)
      .map(({ action }) => action)
      .sort(),
  ).toEqual(['access.list', 'license.custody']);
  expect(engine.allows(provenInput('person', ['auditor'], 'access.list'))).toBe(false);
  expect(() => checkCandidate(older())).toThrow(/license\.custody .*tally access policy show --complete/);
  const completed = checkCandidate(completedPolicy(older()));
  expect(unknownActions(completed)).toEqual([]);
  expect(completed.roles).toContain('intern');
});
