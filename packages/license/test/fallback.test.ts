import { describe, expect, it } from 'vitest';
import { soldWorld } from './world.ts';

describe('renewing a license that was moved to another plan', () => {
  it.each([
    ['earns a fallback where the plan has one', 'basic', 'pro', '2026-12-01T00:00:00.000Z'],
    ['keeps the one it earned where the plan has none', 'pro', 'basic', '2026-03-01T12:00:00.000Z'],
  ])('%s', (_, before, after, fallback) => {
    const world = soldWorld();
    const basic = { product: 'editor', code: 'basic', name: 'Basic', term: { length: 'P1Y' } };
    world.do({ type: 'plan.create', ...basic, entitlements: {} });
    const { id, updates } = world.license({ type: 'license.issue', plan: before });
    const moved = world.license({ type: 'license.change_plan', license: id, plan: after });
    expect(moved.updates.fallback).toBe(updates.fallback);
    world.now = '2026-12-01T00:00:00.000Z';
    const renewed = world.license({ type: 'license.renew', license: id });
    expect(renewed.updates.fallback).toBe(fallback);
  });
});
