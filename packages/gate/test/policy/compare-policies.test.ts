import type { PolicyContent } from '@tallystick/license';
import { expect, test } from 'vitest';
import { comparePolicies } from '../../src/policy/compare-policies.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';
import { PolicyEngine } from '../../src/policy/engine.ts';

/** Few roles and policies: what is compared is every action for each role. */
function content(): PolicyContent {
  const { schema, policies, ...settings } = defaultPolicyDocument();
  return {
    ...settings,
    schema: schema.map((line) =>
      line.startsWith('entity Role') ? 'entity Role enum ["viewer", "issuer"];' : line,
    ),
    policies: [
      {
        id: 'issuers-sell',
        lines: ['permit(principal in Role::"issuer", action in Action::"entitle", resource);'],
      },
      ...policies.filter(({ id }) => id === 'people-give-a-reason'),
    ],
  };
}

const before = content();
const compare = (after: PolicyContent) =>
  comparePolicies(
    { content: before, engine: new PolicyEngine(before) },
    { content: after, engine: new PolicyEngine(after) },
  );

test('what changes for each role is told beside what changes in the text, in both directions', () => {
  const after = content();
  after.schema = after.schema.map((line) => line.replace('"viewer", ', '"viewer", "intern", '));
  after.policies = after.policies.filter(({ id }) => id !== 'people-give-a-reason');
  after.policies.push({
    id: 'interns-read-products',
    lines: ['permit(principal in Role::"intern", action == Action::"product.get", resource);'],
  });
  after.policies.push({
    id: 'no-renewals',
    lines: ['forbid(principal, action == Action::"license.renew", resource);'],
  });
  after.sessions.idle = 'PT5M';
  const { policies, schema, settings, cells } = compare(after);
  expect(policies.map(({ id, before: was, after: is }) => [id, was === null, is === null])).toEqual([
    ['interns-read-products', true, false],
    ['no-renewals', true, false],
    ['people-give-a-reason', false, true],
  ]);
  expect([schema.removed.length, schema.added.length]).toEqual([1, 1]);
  expect(settings).toEqual(['sessions']);
  const cell = (role: string, action: string) =>
    cells
      .filter((each) => each.role === role && each.action === action)
      .map(({ kind, proofs, before: was, after: is }) => `${kind} ${proofs}: ${was} → ${is}`);
  expect(cell('intern', 'product.get')).toEqual([
    'person all: deny → allow',
    'person none: deny → allow',
    'service all: deny → allow',
    'service none: deny → allow',
  ]);
  expect(cell('issuer', 'license.renew')).toEqual([
    'person all: allow → deny',
    'person none: reason → deny',
    'service all: allow → deny',
    'service none: allow → deny',
  ]);
  expect(cell('issuer', 'license.issue')).toEqual(['person none: reason → allow']);
  expect(cell('viewer', 'product.get')).toEqual([]);
});

test('nothing changes between a policy and itself', () => {
  expect(compare(content())).toEqual({
    policies: [],
    schema: { removed: [], added: [] },
    settings: [],
    cells: [],
  });
});
