/** A server that does not count what rules count by the hour, and what the log tells of that. */
import type { CauseDocument } from '@tallystick/ledger';
import type { ApprovalRule } from '@tallystick/license';
import { expect, test } from 'vitest';
import { HourlyLimits } from '../src/decisions/hourly-limits.ts';
import { replayDecisions } from '../src/index.ts';
import { JudgedSystem } from './support/judged-system.ts';

const rule: ApprovalRule = {
  actions: ['license.issue', 'license.renew'],
  above: { termDays: null, seats: null, perHour: 2 },
  approvers: [{ role: 'issuer', count: 1 }],
  within: 'P1D',
};

test('more than a rule lets through without approval is found in the log alone, whatever the span', async () => {
  const judged = await JudgedSystem.start({ publishes: false });
  await using system = judged.system;
  judged.content.approvals.splice(0, Number.POSITIVE_INFINITY, rule);
  await system.run({ type: 'policy.publish', ...judged.content });
  const [iris, ivo] = [await judged.person('Iris', 'passkey'), await judged.person('Ivo', 'passkey')];
  const issue = { type: 'license.issue', plan: 'pro-yearly' } as const;
  const first = await judged.run(iris, issue);
  await judged.run(ivo, issue);
  await judged.run(iris, { type: 'license.renew', license: first.id });
  const from = new Date().toISOString();
  const third = await judged.run(iris, issue);
  const fourth = await judged.run(iris, issue);
  await judged.run(ivo, issue);
  const message = (n: number): string =>
    `1 of issuer had to approve more than 2 an hour of license.issue, this was number ${n}, and nobody did`;
  const found = [
    { index: third.index, kind: 'approval', message: message(3) },
    { index: fourth.index, kind: 'approval', message: message(4) },
  ];
  const replay = async (options: object): Promise<object[]> =>
    (await replayDecisions(system.world.store, { from: null, to: null, ...options })).findings.filter(
      ({ kind }) => kind === 'approval',
    );
  expect(await replay({})).toEqual(found);
  expect(await replay({ from })).toEqual(found);
  expect(await replay({ mayActAlone: [iris.principal] })).toEqual([]);
});

test('counting is by author and hour, and begins anew with what others have approved', () => {
  const limits = new HourlyLimits();
  const counted = (command: string, minute: number, id = 'ada'): number => {
    const at = new Date(minute * 60_000).toISOString();
    const cause = { v: 2, command, who: { kind: 'person', id }, at } as unknown as CauseDocument;
    return limits.take(cause, command === 'approval.execute' ? 'license.issue' : command, [rule])(rule);
  };
  expect(counted('license.issue', 0)).toBe(1);
  expect(counted('license.renew', 10)).toBe(2);
  expect(counted('license.suspend', 20)).toBe(2);
  expect(counted('license.issue', 20, 'bea')).toBe(1);
  expect(counted('license.issue', 60)).toBe(2);
  expect(counted('approval.execute', 61)).toBe(0);
  expect(counted('license.issue', 62)).toBe(1);
  expect(counted('license.issue', 62, 'bea')).toBe(2);
});
