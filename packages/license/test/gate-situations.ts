import type { ApprovalRule, GateEnvironment } from '../src/index.ts';
import { issue } from './refusal-situations.ts';
import { HASH, type World } from './world.ts';

/** People who ask for things, and approve what others ask for. */

export const RULES: readonly ApprovalRule[] = [
  {
    actions: ['license.revoke', 'license.reissue', 'policy.publish', 'trust.publish'],
    above: null,
    approvers: [{ role: 'issuer', count: 1 }],
    within: 'P1D',
  },
];

/** Creates a person with these roles, for everything and for good, and gives the id. */
export function person(world: World, name: string, ...roles: string[]): string {
  return world.make({
    type: 'principal.create',
    kind: 'person',
    name,
    roles: roles.map((role) => ({ role })),
  });
}

/** From now on, this is who asks. */
export function actAs(world: World, principal: string, more: Partial<GateEnvironment> = {}): void {
  world.gate = {
    actor: { principal, credential: 'crd_test', session: null },
    why: null,
    approvals: RULES,
    policy: HASH,
    ...more,
  };
}

/** Ada asks for the revocation of a license; Grace, who may approve it, is who acts from now on. */
export function waiting(world: World): { approval: string; license: string; ada: string; grace: string } {
  const license = issue(world);
  const [ada, grace] = [person(world, 'Ada', 'issuer'), person(world, 'Grace', 'issuer')];
  actAs(world, ada);
  const approval = world.make({
    type: 'approval.request',
    command: { type: 'license.revoke', license, reason: 'refund' },
  });
  actAs(world, grace);
  return { approval, license, ada, grace };
}

/** The same, approved. */
export function approved(world: World): ReturnType<typeof waiting> {
  const made = waiting(world);
  world.do({ type: 'approval.approve', approval: made.approval });
  return made;
}

export function apiKey(world: World, principal: string, lookup = 'hmac'): string {
  return world.make({ type: 'credential.create', principal, kind: 'api_key', name: 'Key', lookup });
}
