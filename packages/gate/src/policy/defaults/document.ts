/** The policy that is in force while the log has none. */

import type { PolicySource } from '../policy-source.ts';
import { defaultPolicies } from './policies.ts';
import { defaultSchema } from './schema.ts';

/** From which size on a change waits for others; what is left out does not count. */
export interface ApprovalThreshold {
  /** Days of a new term, or by which one gets longer. */
  termDays?: number;
  seats?: number;
  /** Changes of one principal within an hour. */
  perHour?: number;
}

export interface ApprovalRule {
  actions: string[];
  /** null: always. */
  above: ApprovalThreshold | null;
  approvers: { role: string; count: number }[];
  /** How long a request waits, as an ISO 8601 duration. */
  within: string;
}

/** The members of a policy document besides its head. */
export interface PolicyMembers extends PolicySource {
  schema: string[];
  policies: { id: string; lines: string[] }[];
  approvals: ApprovalRule[];
  /** Actions whose access record is on disk before they are answered. */
  durable: string[];
  /** ISO 8601 durations. */
  sessions: { idle: string; max: string; stepUp: string };
}

const approvals: readonly ApprovalRule[] = [
  {
    actions: ['policy.publish', 'principal.assign'],
    above: null,
    approvers: [{ role: 'administrator', count: 1 }],
    within: 'P1D',
  },
  {
    actions: ['license.issue', 'license.amend', 'license.renew', 'license.change_plan'],
    above: { termDays: 3660, seats: 10_000 },
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
  {
    actions: ['license.revoke'],
    above: { perHour: 50 },
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
];

/** What leaves the house, or shows personal data or who may do what. */
const durable: readonly string[] = [
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
export function defaultPolicyDocument(): PolicyMembers {
  return structuredClone({
    schema: [...defaultSchema],
    policies: [...defaultPolicies],
    approvals: [...approvals],
    durable: [...durable],
    sessions: { idle: 'PT30M', max: 'PT12H', stepUp: 'PT5M' },
  });
}
