import { describe, expect, it, test } from 'vitest';
import { LOCK_LEVELS, REFUSALS, type RefusalCode, refusalMeaning } from '../src/index.ts';
import { actAs, person } from './gate-situations.ts';
import { REFUSAL_CASES } from './refusal-cases.ts';
import { issue } from './refusal-situations.ts';
import { soldWorld } from './world.ts';

describe('a command is refused with', () => {
  test.each(REFUSAL_CASES.map((row) => [row.code, row.when, row] as const))('%s when %s', (code, _, row) => {
    const world = soldWorld();
    row.before?.(world);
    const command = row.command(world);
    const records = world.records.length;
    const refusal = world.refused(command);
    expect(refusal.code).toBe(code);
    if (row.path !== undefined) expect(refusal.path).toBe(row.path);
    // What is wrong, and what to do next.
    expect(refusal.message).toMatch(/^.{10,400}\. [A-Z].{5,400}\.$/);
    expect(world.records.length).toBe(records);
  });
});

describe('the registry', () => {
  it('has a row above for every code that commands raise, and for no other', () => {
    const raised = Object.keys(REFUSALS).filter(
      (code) => refusalMeaning(code as RefusalCode).raisedBy === 'decide',
    );
    expect([...new Set(REFUSAL_CASES.map(({ code }) => code))].sort()).toEqual(raised.sort());
  });

  it('explains every code in one sentence', () => {
    for (const { meaning } of Object.values(REFUSALS)) expect(meaning).toMatch(/^[A-Z][^.]*\.$/);
  });

  it('never shows a license key in a refusal', () => {
    const world = soldWorld();
    issue(world, { key: 'SECRET-KEY-1' });
    const refusal = world.refused({ type: 'license.issue', plan: 'pro', key: 'SECRET-KEY-1' });
    expect(JSON.stringify(refusal)).not.toContain('SECRET-KEY-1');
  });
});

describe('what was signed elsewhere', () => {
  it('waits and is approved under every lock, since it alone loosens one', () => {
    const world = soldWorld();
    const [ada, grace] = [person(world, 'Ada', 'issuer'), person(world, 'Grace', 'issuer')];
    for (const lock of LOCK_LEVELS) {
      world.lock = lock;
      actAs(world, ada);
      const command = { type: 'trust.publish', envelopes: [lock] };
      const approval = world.make({ type: 'approval.request', command });
      actAs(world, grace);
      world.do({ type: 'approval.approve', approval });
      const changes = world.do({ type: 'approval.execute', approval });
      expect(changes.map(({ type }) => type)).toEqual(['approval.executed']);
    }
  });
});
