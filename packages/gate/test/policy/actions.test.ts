import { type Route, routes } from '@tallystick/contract';
import { describe, expect, test } from 'vitest';
import { actionGroups, actions } from '../../src/policy/actions.ts';
import { defaultPolicyDocument } from '../../src/policy/defaults/document.ts';

/** But for those by which people are let in: nobody is known there yet. */
const all = (Object.values(routes) as Route[]).filter(({ auth }) => auth !== 'login');

describe('the table of actions', () => {
  test('has a row for each route that asks who is calling', () => {
    const gated = all.filter(({ auth }) => auth !== 'none').map(({ name }) => name);
    expect(gated.filter((name) => !Object.hasOwn(actions, name))).toEqual([]);
  });

  test('has a row for each command that a route asks for, under the name of the command', () => {
    const commands = all.flatMap(({ command }) => (command === null ? [] : [command]));
    expect(commands.length).toBeGreaterThan(20);
    expect(commands.filter((name) => !Object.hasOwn(actions, name))).toEqual([]);
  });

  test('counts everything that puts a record into the log as a change, and no read', () => {
    for (const { name, method, auth } of all) {
      if (auth === 'none') continue;
      const isSession = actions[name]?.resource === 'Session';
      if (!isSession)
        expect([name, actions[name]?.groups.includes('change')]).toEqual([
          name,
          method !== 'GET' && name !== 'policy.shadow',
        ]);
    }
  });

  test('has no group that nothing is in', () => {
    const used = new Set(Object.values(actions).flatMap(({ groups }) => groups));
    expect(Object.keys(actionGroups).filter((group) => ![...used].includes(group as never))).toEqual([]);
  });

  test('is what approvals and durable records of the default policy speak of', () => {
    const { approvals, durable } = defaultPolicyDocument();
    const named = [...durable, ...approvals.flatMap((rule) => rule.actions)];
    expect(named.filter((name) => !Object.hasOwn(actions, name))).toEqual([]);
  });
});
