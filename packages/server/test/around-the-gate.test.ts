/** Ways around the gate of somebody who has more than a login: a moment, a row of the database, a colleague who left. */
import { defaultPolicyDocument } from '@tallystick/gate';
import type { Command, PolicyDocument } from '@tallystick/license';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Office } from './support/office.ts';

let office: Office;

beforeAll(async () => {
  office = await Office.open();
  await office.hire('Ada', 'administrator');
  await office.hire('Bea', 'administrator');
  await office.hire('Ivo', 'issuer');
  await office.hire('Ina', 'issuer');
  await office.hire('Sue', 'support');
});
afterAll(() => office[Symbol.asyncDispose]());

const longSale = { type: 'license.issue', plan: 'pro', term: { length: 'P20Y' } } as const;

/** What somebody does who can write into the database: the row of a principal says that it is something else. */
async function fileAs(type: string, id: string): Promise<void> {
  const { ledger, world } = office;
  const found = await ledger.read.revision(id);
  if (found === undefined) throw new Error(id);
  const { index, record } = found;
  const row = { type, id, code: 'person', product: null, state: 'active' };
  const revision = { index, id, rev: record.record.rev, dropsNames: false, names: [], row };
  world.projections.apply([revision], [], world.projections.size);
}

describe('a policy', () => {
  it('that was taken back before it was in the log is not in force under the number of the next one', () => {
    const head = { v: 1, type: 'policy', ns: 'acme', id: 'policies', rev: 7 } as const;
    const takenBack: PolicyDocument = { ...head, crit: [], ...defaultPolicyDocument() };
    const next: PolicyDocument = { ...structuredClone(takenBack), approvals: [] };
    const before = office.gatekeeper.rules(takenBack);
    const after = office.gatekeeper.rules(next);
    expect(after.content.approvals).toEqual([]);
    expect(after.hash).not.toBe(before.hash);
    expect(office.gatekeeper.rules(structuredClone(next)).engine).toBe(after.engine);
  });
});

describe('four eyes', () => {
  it('stay where others are taken out of the lists of the database', async () => {
    const puppet: Command = {
      type: 'principal.create',
      kind: 'person',
      name: 'x',
      roles: [{ role: 'issuer' }],
    };
    expect((await office.refusal('Ada', puppet)).code).toBe('approval_required');
    const bea = office.id('Bea');
    await fileAs('product', bea);
    expect((await office.refusal('Ada', puppet)).code).toBe('approval_required');
    await fileAs('principal', bea);
  });

  it('are not those of somebody who was disabled since', async () => {
    const two = { ...defaultPolicyDocument() };
    two.approvals = two.approvals.map((rule) =>
      rule.actions.includes('license.issue') ? { ...rule, approvers: [{ role: 'issuer', count: 2 }] } : rule,
    );
    await office.system({ type: 'policy.publish', ...two });
    await office.hire('Ike', 'issuer');
    await office.hire('Thief', 'issuer');
    const { approval } = await office.refusal('Ivo', longSale);
    const approve = { type: 'approval.approve', approval } as const;
    await office.ask('Thief', approve);
    await office.system({ type: 'principal.disable', principal: office.id('Thief') });
    const last = await office.ask('Ina', approve);
    expect(last.execution?.done).not.toBe(true);
    const enough = await office.ask('Ike', approve);
    expect(enough.execution).toMatchObject({ done: true });
  });
});

describe('a request that is repeated under its key', () => {
  it('is answered as before, whoever may do no more than that', async () => {
    const license = await office.system({ type: 'license.issue', plan: 'pro' });
    const renew: Command = { type: 'license.renew', license, length: 'P20D' };
    const made = await office.ask('Sue', renew, { key: 'renewal' });
    const told = await office.ask('Sue', renew, { key: 'renewal' });
    expect(told.changes).toEqual(made.changes);
  });
});
