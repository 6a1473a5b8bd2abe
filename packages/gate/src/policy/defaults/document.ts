/** The policy that is in force while the log has none. */

import type { PolicyContent } from '@tallystick/license';
import { defaultPolicies } from './policies.ts';
import { defaultSchema } from './schema.ts';

const approvals: PolicyContent['approvals'] = [
  {
    actions: [
      'policy.publish',
      'policy.drop_access',
      'principal.create',
      'principal.assign',
      'principal.grant',
      'principal.enable',
      'credential.create',
    ],
    above: null,
    approvers: [{ role: 'administrator', count: 1 }],
    within: 'P1D',
  },
  {
    actions: ['license.issue', 'license.amend', 'license.renew', 'license.change_plan'],
    above: { termDays: 3660, seats: 10_000, perHour: null },
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
  {
    actions: ['license.issue'],
    above: { termDays: null, seats: null, perHour: 1000 },
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
  {
    actions: ['license.revoke'],
    above: { termDays: null, seats: null, perHour: 50 },
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
];

/** What leaves the house, or shows personal data or who may do what. */
const durable: PolicyContent['durable'] = [
  'license.bundle',
  'license.custody',
  'license.get',
  'license.history',
  'customer.list',
  'customer.get',
  'customer.history',
  'principal.list',
  'principal.get',
  'principal.history',
  'credential.list',
  'credential.get',
  'credential.history',
  'access.list',
];

/** A document of its own for each caller. */
export function defaultPolicyDocument(): PolicyContent {
  return structuredClone({
    schema: [...defaultSchema],
    policies: [...defaultPolicies],
    approvals,
    durable,
    sessions: { idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' },
  });
}
