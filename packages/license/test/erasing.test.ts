import { expect, it } from 'vitest';
import { waiting } from './gate-situations.ts';
import { soldWorld } from './world.ts';

it('an erasure amends what is personal first, and of other licenses as many as go into one command', () => {
  const world = soldWorld();
  const sale = { type: 'license.issue', plan: 'pro', customer: 'contoso' } as const;
  const silent = Array.from({ length: 10 }, () => world.license(sale).id);
  const named = Array.from({ length: 495 }, () => world.license({ ...sale, licensee: 'Jane' }).id);
  const changes = world.do({ type: 'customer.erase', customer: 'contoso' });
  const [erased, ...amended] = changes.map(({ type, subject }) => [type, subject.id]);
  expect(changes).toHaveLength(500);
  expect(erased?.[0]).toBe('customer.erased');
  expect(amended).toEqual([...named, ...silent.slice(0, 4)].map((id) => ['license.amended', id]));
});

it.each([
  ['license.revoke', 'approval.pending'],
  ['refund', 'approval.withdrawn'],
])(
  'an erasure of a customer called %s leaves a request to license.revoke for refund: %s',
  (reference, left) => {
    const world = soldWorld();
    const { approval } = waiting(world);
    world.make({ type: 'customer.create', reference, name: 'Mallory' });
    world.do({ type: 'customer.erase', customer: reference });
    expect(`approval.${world.subject('approval', approval)!.document.state}`).toBe(left);
  },
);
