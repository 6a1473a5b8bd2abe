import { describe, expect, it, test } from 'vitest';
import type { LicenseDocument } from '../src/index.ts';
import { waiting } from './gate-situations.ts';
import { soldWorld, type World } from './world.ts';

const issue = { type: 'license.issue', plan: 'pro' } as const;

function companionOf(world: World, id: string): Record<string, unknown> {
  return { ...world.subject('license', id)!.companion };
}

function current(world: World, id: string): LicenseDocument {
  return world.subject('license', id)!.document;
}

describe('issuing', () => {
  it('turns the plan into concrete instants and resolved entitlements', () => {
    const license = soldWorld().license({ ...issue, customer: 'contoso', licensee: 'Contoso GmbH' });
    expect(license).toMatchObject({
      rev: 0,
      plan: { rev: 0, code: 'pro', name: 'Pro' },
      licensee: 'Contoso GmbH',
      status: { state: 'active', reason: null, since: '2026-03-01T12:00:00.000Z', successor: null },
      term: { from: '2026-03-01T12:00:00.000Z', until: '2027-03-01T12:00:00.000Z', grace: 'P14D' },
      updates: { until: '2027-03-01T12:00:00.000Z', fallback: '2026-03-01T12:00:00.000Z', maxMajor: 3 },
      entitlements: {
        pdf: { value: false, until: null, via: 'plan' },
        tokens: { limit: 100, per: 'P1M', over: 'block', until: null, via: 'plan' },
      },
      private: null,
    });
  });

  it('adds integers and limits of add-ons times quantity, and ors booleans', () => {
    const license = soldWorld().license({ ...issue, addons: [{ plan: 'more', quantity: 3 }] });
    expect(license.entitlements).toEqual({
      pdf: { value: true, until: null, via: 'addon:more' },
      projects: { value: 35, until: null, via: 'plan' },
      tier: { value: 'basic', until: null, via: 'plan' },
      tokens: { limit: 250, per: 'P1M', over: 'block', until: null, via: 'plan' },
    });
    expect(license.addons).toMatchObject([{ code: 'more', quantity: 3, rev: 0, until: null }]);
    expect(Object.keys(license.entitlements)).toEqual(Object.keys(license.entitlements).sort());
  });

  it('lets what the license is given win over plan and add-ons, conflicts included', () => {
    const until = '2026-05-01T00:00:00.000Z';
    const license = soldWorld().license({
      ...issue,
      addons: [{ plan: 'gold' }],
      entitlements: { tier: { value: 'gold' }, projects: { value: 99, until } },
    });
    expect(license.entitlements['tier']).toEqual({ value: 'gold', until: null, via: 'license' });
    expect(license.entitlements['projects']).toEqual({ value: 99, until, via: 'license' });
  });

  it('gives an add-on its own end where nothing else grants the same', () => {
    const until = '2026-05-01T00:00:00.000Z';
    const license = soldWorld().license({ ...issue, plan: 'forever', addons: [{ plan: 'gold', until }] });
    expect(license.entitlements).toEqual({ tier: { value: 'gold', until, via: 'addon:gold' } });
  });

  test.each([
    [{}, '2026-03-01T12:00:00.000Z', '2027-03-01T12:00:00.000Z'],
    [{ length: 'P1M' }, '2026-03-01T12:00:00.000Z', '2026-04-01T12:00:00.000Z'],
    [{ length: null }, '2026-03-01T12:00:00.000Z', null],
    [{ until: null }, '2026-03-01T12:00:00.000Z', null],
    [{ from: '2024-02-29T00:00:00.000Z' }, '2024-02-29T00:00:00.000Z', '2025-02-28T00:00:00.000Z'],
    [{ until: '2026-09-09T00:00:00.000Z' }, '2026-03-01T12:00:00.000Z', '2026-09-09T00:00:00.000Z'],
  ])('reads the term %j', (term, from, until) => {
    expect(soldWorld().license({ ...issue, term }).term).toEqual({ from, until, grace: 'P14D' });
  });

  it('keeps the key, prices and notes in the companion, outside the document', () => {
    const world = soldWorld();
    const companion = { order: 'A-1', price: 9900, currency: 'EUR', crm: { deal: '7' }, notes: 'call first' };
    const license = world.license({ ...issue, key: 'OLD-KEY-1234', companion });
    expect(companionOf(world, license.id)).toEqual({ ...companion, key: 'OLD-KEY-1234', reseller: null });
    expect(JSON.stringify(license)).not.toMatch(/OLD-KEY|9900|EUR|call first/);
  });

  it('draws a license key of its own when none is given', () => {
    const world = soldWorld();
    const [a, b] = [world.license(issue).id, world.license(issue).id];
    expect(companionOf(world, a)['key']).toMatch(/^KEY-/);
    expect(companionOf(world, a)['key']).not.toBe(companionOf(world, b)['key']);
  });

  it('replaces a license: same key, same customer, and a pointer from the old one', () => {
    const world = soldWorld();
    const old = world.license({
      ...issue,
      customer: 'contoso',
      licensee: 'C',
      companion: { order: 'A-1' },
    }).id;
    const { key } = companionOf(world, old);
    const changes = world.do({ type: 'license.issue', plan: 'forever', replaces: old });
    expect(changes.map(({ type }) => type)).toEqual(['license.issued', 'license.superseded']);
    const fresh = changes[0]!.subject.id;
    expect(current(world, fresh)).toMatchObject({ customer: current(world, old).customer, licensee: 'C' });
    expect(companionOf(world, fresh)).toMatchObject({ key, order: 'A-1' });
    expect(companionOf(world, old)).toMatchObject({ key: null, order: 'A-1' });
    expect(world.idByLicenseKey(key as string)).toBe(fresh);
    expect(current(world, old).status).toMatchObject({
      state: 'revoked',
      reason: 'superseded',
      successor: fresh,
    });
  });

  it('lets a trial be replaced for the same customer', () => {
    const world = soldWorld();
    const old = world.license({ ...issue, plan: 'trial', customer: 'contoso' }).id;
    expect(world.run({ type: 'license.issue', plan: 'trial', replaces: old }).ok).toBe(true);
  });
});

describe('amending', () => {
  it('changes what is given and keeps the rest', () => {
    const world = soldWorld();
    const before = world.license({ ...issue, companion: { order: 'A-1', crm: { deal: '1' } } });
    const after = world.license({
      type: 'license.amend',
      license: before.id,
      expectedRev: 0,
      term: { until: '2026-06-01T00:00:00.000Z' },
      offline: { maxAge: 'P7D' },
      entitlements: { pdf: { value: true }, tier: null },
      companion: { notes: 'paid by wire' },
    });
    expect(after).toMatchObject({
      rev: 1,
      term: { from: before.term.from, until: '2026-06-01T00:00:00.000Z', grace: 'P14D' },
      offline: { ...before.offline, maxAge: 'P7D' },
    });
    expect(after.entitlements['pdf']).toEqual({ value: true, until: null, via: 'license' });
    expect(Object.keys(after.entitlements)).toEqual(['pdf', 'projects', 'tokens']);
    expect(companionOf(world, before.id)).toMatchObject({
      order: 'A-1',
      crm: { deal: '1' },
      notes: 'paid by wire',
    });
  });

  it('can still note something about a revoked license and remove its licensee', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, licensee: 'C' });
    world.do({ type: 'license.revoke', license: id, reason: 'refund', message: 'Refunded on request.' });
    world.do({ type: 'license.amend', license: id, companion: { notes: 'refund 77' } });
    world.do({ type: 'license.amend', license: id, licensee: null });
    expect(current(world, id)).toMatchObject({
      licensee: null,
      status: { state: 'revoked', reason: 'refund' },
    });
  });
});

describe('renewing', () => {
  test.each([
    ['before the end, from the end', '2026-12-01T00:00:00.000Z', {}, '2028-03-01T12:00:00.000Z'],
    ['after the end, from now', '2027-07-31T00:00:00.000Z', {}, '2028-07-31T00:00:00.000Z'],
    ['by a length', '2026-12-01T00:00:00.000Z', { length: 'P1M' }, '2027-04-01T12:00:00.000Z'],
    [
      'until an instant',
      '2026-12-01T00:00:00.000Z',
      { until: '2027-03-02T00:00:00.000Z' },
      '2027-03-02T00:00:00.000Z',
    ],
  ])('%s', (_, now, how, until) => {
    const world = soldWorld();
    const { id } = world.license(issue);
    world.now = now;
    const after = world.license({ type: 'license.renew', license: id, ...how });
    expect(after.term.until).toBe(until);
    expect(after.updates).toEqual({ until, fallback: now, maxMajor: 3 });
  });

  it('renews only the updates of a perpetual license', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, term: { until: null } });
    const after = world.license({ type: 'license.renew', license: id, updates: { length: 'P1Y' } });
    expect(after.term.until).toBeNull();
    expect(after.updates.until).toBe('2028-03-01T12:00:00.000Z');
  });

  it('leaves updates alone that never end', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, plan: 'forever', term: { length: 'P1Y' } });
    const after = world.license({ type: 'license.renew', license: id, length: 'P1Y' });
    expect(after.updates).toEqual({ until: null, fallback: null, maxMajor: null });
  });
});

describe('changing the plan', () => {
  it('replaces what came from the plan and keeps what the license was given', () => {
    const world = soldWorld();
    const { id, term } = world.license({ ...issue, entitlements: { pdf: { value: true } } });
    const after = world.license({ type: 'license.change_plan', license: id, plan: 'forever' });
    expect(after.plan.code).toBe('forever');
    expect(after.entitlements).toEqual({ pdf: { value: true, until: null, via: 'license' } });
    expect(after.term).toEqual({ ...term, grace: 'P0D' });
  });

  it('moves to the current revision of the same plan, even when it is retired', () => {
    const world = soldWorld();
    const { id, updates } = world.license(issue);
    world.do({ type: 'plan.update', plan: 'pro', entitlements: { projects: { value: 7 } } });
    world.do({ type: 'plan.retire', plan: 'pro' });
    world.now = '2026-08-01T00:00:00.000Z';
    const after = world.license({ type: 'license.change_plan', license: id, addons: [{ plan: 'more' }] });
    expect(after.plan.rev).toBe(2);
    expect(after.entitlements['projects']).toEqual({ value: 17, until: null, via: 'plan' });
    expect(after.updates).toEqual(updates);
  });

  it('starts the term of the plan when a trial is converted', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, plan: 'trial', customer: 'contoso' });
    world.now = '2026-03-15T00:00:00.000Z';
    const after = world.license({ type: 'license.change_plan', license: id, plan: 'pro' });
    expect(after.purpose).toBe('production');
    expect(after.term).toMatchObject({ from: world.now, until: '2027-03-15T00:00:00.000Z' });
    expect(after.updates.fallback).toBe(world.now);
  });

  it('does not change licenses that were sold when a plan changes', () => {
    const world = soldWorld();
    const before = world.license(issue);
    world.do({ type: 'plan.update', plan: 'pro', entitlements: {}, name: 'Pro 2' });
    expect(current(world, before.id)).toMatchObject({ plan: before.plan, entitlements: before.entitlements });
  });
});

describe('standing', () => {
  it('is suspended with a reason and a public message, and reinstated without a trace in the state', () => {
    const world = soldWorld();
    const { id } = world.license(issue);
    world.now = '2026-04-01T00:00:00.000Z';
    const suspended = world.license({
      type: 'license.suspend',
      license: id,
      reason: 'payment',
      message: 'Please pay.',
    });
    expect(suspended.status).toEqual({
      state: 'suspended',
      reason: 'payment',
      message: 'Please pay.',
      since: world.now,
      successor: null,
    });
    const active = world.license({ type: 'license.reinstate', license: id });
    expect(active.status).toMatchObject({ state: 'active', reason: null, message: null });
    expect(active.rev).toBe(2);
  });

  it('can be revoked with the approval of others while the namespace is read-only', () => {
    const world = soldWorld();
    const { approval, license } = waiting(world);
    world.lock = 'read-only';
    world.do({ type: 'approval.approve', approval });
    const changes = world.do({ type: 'approval.execute', approval });
    expect(changes.map(({ type }) => type)).toEqual(['license.revoked', 'approval.executed']);
    expect(world.subject('license', license)?.document.status.state).toBe('revoked');
  });

  it('can be worsened while the namespace is read-only', () => {
    const world = soldWorld();
    const { id } = world.license(issue);
    world.lock = 'read-only';
    world.do({ type: 'license.suspend', license: id, reason: 'security' });
    expect(world.refused({ type: 'license.reinstate', license: id }).code).toBe('namespace_locked');
    world.do({ type: 'license.revoke', license: id, reason: 'fraud' });
  });

  it('is undone after a revocation by a new license with the same content and key', () => {
    const world = soldWorld();
    const before = world.license({ ...issue, customer: 'contoso', entitlements: { pdf: { value: true } } });
    const { key } = companionOf(world, before.id);
    world.do({ type: 'license.revoke', license: before.id, reason: 'mistake' });
    const [issued, superseded] = world.do({ type: 'license.replace', license: before.id });
    const { id, rev, status, private: _, ...content } = issued!.document as LicenseDocument;
    expect(before).toMatchObject(content);
    expect(rev).toBe(0);
    expect(status.state).toBe('active');
    expect(world.idByLicenseKey(key as string)).toBe(id);
    expect(superseded!.subject.id).toBe(before.id);
  });

  it('points to an existing successor and then keeps its own key', () => {
    const world = soldWorld();
    const [old, next] = [world.license(issue).id, world.license(issue).id];
    const { key } = companionOf(world, old);
    world.do({ type: 'license.replace', license: old, by: next });
    expect(current(world, old).status.successor).toBe(next);
    expect(companionOf(world, old)['key']).toBe(key);
  });
});

describe('transfers, keys and signatures', () => {
  it('drops the name of the previous customer unless a new one is given', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, customer: 'contoso', licensee: 'Contoso GmbH' });
    const to = { type: 'license.transfer', license: id } as const;
    expect(world.license({ ...to, customer: 'fabrikam' })).toMatchObject({ licensee: null, generation: 0 });
    expect(world.license({ ...to, customer: 'contoso', licensee: 'C', resetSeats: true })).toMatchObject({
      licensee: 'C',
      generation: 1,
    });
  });

  it('makes the old key lead nowhere after a new one', () => {
    const world = soldWorld();
    const { id } = world.license({ ...issue, key: 'OLD-KEY-1234' });
    world.do({ type: 'license.rekey', license: id });
    expect(world.idByLicenseKey('OLD-KEY-1234')).toBeUndefined();
    world.do({ type: 'license.rekey', license: id, key: 'OLD-KEY-1234' });
    expect(world.idByLicenseKey('OLD-KEY-1234')).toBe(id);
  });

  it('reissues the same content under the current epoch', () => {
    const world = soldWorld();
    const before = world.license(issue);
    world.epoch = 4;
    const after = world.license({ type: 'license.reissue', license: before.id });
    expect(after).toEqual({ ...before, rev: 1, epoch: 4, private: null });
  });
});

describe('customers', () => {
  it('takes all licenses along in a merge, revoked ones included', () => {
    const world = soldWorld();
    const ids = [0, 1, 2].map(() => world.license({ ...issue, customer: 'contoso', licensee: 'C' }).id);
    world.do({ type: 'license.revoke', license: ids[1]!, reason: 'ended' });
    const [from, into] = [world.idByReference('contoso')!, world.idByReference('fabrikam')!];
    const changes = world.do({ type: 'customer.merge', customer: 'contoso', into: 'fabrikam' });
    expect(changes.map(({ type }) => type)).toEqual([
      'customer.merged',
      ...ids.map(() => 'license.transferred'),
    ]);
    expect(world.licensesOfCustomer(into)).toEqual(ids);
    expect(current(world, ids[1]!)).toMatchObject({ licensee: 'C', status: { state: 'revoked' } });
    expect(world.subject('customer', from)!.document).toMatchObject({
      state: 'merged',
      into,
      name: 'Contoso GmbH',
    });
  });

  it('forgets a customer everywhere, also after a merge and on revoked licenses', () => {
    const world = soldWorld();
    const companion = { order: 'A-1', crm: { contact: 'jane' }, notes: 'likes tea' };
    const named = world.license({ ...issue, customer: 'contoso', licensee: 'Jane Doe', companion }).id;
    const noted = world.license({ ...issue, customer: 'contoso', companion }).id;
    const plain = world.license({ ...issue, customer: 'contoso' }).id;
    world.do({ type: 'license.revoke', license: named, reason: 'ended' });
    const id = world.idByReference('contoso')!;
    const changes = world.do({ type: 'customer.erase', customer: 'contoso' });
    expect(changes.map(({ subject }) => subject.id)).toEqual([id, named, noted, plain]);
    expect(JSON.stringify(world.all('customer').find((customer) => customer.id === id))).not.toMatch(
      /contoso/i,
    );
    expect(JSON.stringify(current(world, named))).not.toContain('Jane');
    expect(companionOf(world, named)).toMatchObject({ order: 'A-1', crm: {}, notes: null });
    expect(current(world, plain)).toMatchObject({ rev: 1, licensee: null, status: { state: 'active' } });
    expect(world.idByReference('contoso')).toBeUndefined();
  });

  it('erases a customer that was merged', () => {
    const world = soldWorld();
    const id = world.idByReference('contoso')!;
    world.do({ type: 'customer.merge', customer: id, into: 'fabrikam' });
    world.do({ type: 'customer.erase', customer: id });
    expect(world.subject('customer', id)!.document).toMatchObject({ state: 'erased', name: null });
  });

  it('keeps what an update does not mention and clears what is null', () => {
    const world = soldWorld();
    world.do({
      type: 'customer.update',
      customer: 'contoso',
      email: null,
      country: 'DE',
      parent: 'fabrikam',
    });
    const id = world.idByReference('contoso')!;
    expect(world.subject('customer', id)!.document).toMatchObject({
      name: 'Contoso GmbH',
      email: null,
      country: 'DE',
      parent: world.idByReference('fabrikam'),
    });
    expect(world.refused({ type: 'customer.update', customer: 'fabrikam', parent: id }).path).toBe(
      '$.parent',
    );
  });
});
