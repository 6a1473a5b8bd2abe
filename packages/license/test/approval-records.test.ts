import { expect, it } from 'vitest';
import { type ApprovalDocument, checkTransition } from '../src/index.ts';
import { waiting } from './gate-situations.ts';
import { soldWorld } from './world.ts';

it('a request gets approvals one record each, and none with what it is carried out with', () => {
  const world = soldWorld();
  const { approval, grace } = waiting(world);
  const before = world.subject('approval', approval)!.document;
  const { document: after } = world.do({ type: 'approval.approve', approval })[0]!;
  expect(checkTransition('approval.approved', before, after)).toBeNull();
  const [given] = (after as ApprovalDocument).approvals;
  const made = { ...given!, principal: grace.replace(/.$/, (last) => (last === '0' ? '1' : '0')) };
  for (const approvals of [[], [given!, made]])
    expect(
      checkTransition('approval.approved', before, {
        ...after,
        state: 'pending',
        approvals,
      } as ApprovalDocument),
    ).toMatchObject({
      path: '$.approvals',
    });
  const executed = {
    ...after,
    rev: after.rev + 1,
    state: 'executed',
    approvals: [given!, made],
  } as ApprovalDocument;
  expect(checkTransition('approval.executed', after, executed)).toMatchObject({ path: '$.approvals' });
});
