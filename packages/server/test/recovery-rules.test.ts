/** Whom the authority lets in waits for nobody, and brings nothing along that others have to approve. */
import { randomBytes } from 'node:crypto';
import { replayDecisions } from '@tallystick/audit';
import { base64, type NamespaceDocument } from '@tallystick/core';
import { defaultPolicyDocument } from '@tallystick/gate';
import type { ApprovalRule } from '@tallystick/license';
import { signedRevision } from '@tallystick/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Recovery } from '../src/ledger-thread/recovery.ts';
import { Office } from './support/office.ts';

let office: Office;
/** Unlocking needs another administrator. */
let approvals: ApprovalRule[];

beforeAll(async () => {
  office = await Office.open();
  await office.hire('Ada', 'administrator');
  await office.hire('Bea', 'administrator');
  const content = defaultPolicyDocument();
  const rule: ApprovalRule = {
    actions: ['namespace.revise'],
    above: { termDays: null, seats: null, perHour: null, loosened: 0 },
    approvers: [{ role: 'administrator', count: 1 }],
    within: 'P1D',
  };
  approvals = [...content.approvals, rule];
  await office.system({ type: 'policy.publish', ...content, approvals });
});
afterAll(() => office[Symbol.asyncDispose]());

/** @param principal null for somebody new */
async function letIn(principal: string | null, document: Partial<NamespaceDocument> = {}) {
  const { ledger, gatekeeper, world } = office;
  const keys = { refresh: async () => {} } as never;
  const now = (): string => new Date(world.now()).toISOString();
  const recovery = new Recovery({ ledger, keys, needs: gatekeeper.needs, now, alarm: () => {} });
  const until = new Date(world.now() + 3_600_000).toISOString();
  const invitation = base64(randomBytes(32));
  const name = principal === null ? 'Eve Stone' : null;
  const said = { principal, name, email: null, invitation, until };
  const signed = await signedRevision(office, { recovery: said, document: { name: 'Acme', ...document } });
  const cause = { salt: base64(signed.cause.salt), document: base64(signed.cause.document) };
  const body = { entry: base64(signed.entry), document: base64(signed.document), cause };
  return recovery.take({ ...body, lookup: `found by ${invitation}`, dryRun: false });
}

async function findings(mayActAlone: string[] = []): Promise<object[]> {
  const found = await replayDecisions(office.world.store, { from: null, to: null, mayActAlone });
  return found.findings.filter(({ index }) => !office.unjudged.has(index));
}

it('somebody is let in as ever, and waits for nobody', async () => {
  expect((await letIn(null)).principal).toMatch(/^prn_/);
  expect(await findings()).toEqual([]);
});

it('somebody new comes in where the lock that is in the way goes with it, while no rule is about that', async () => {
  const content = defaultPolicyDocument();
  await office.system({ type: 'policy.publish', ...content });
  await office.system({ type: 'brake.tighten', lock: 'frozen' });
  await expect(letIn(null)).rejects.toMatchObject({ code: 'namespace_locked' });
  const { epoch } = office.ledger.governing.namespace;
  expect((await letIn(null, { epoch: epoch + 1 })).principal).toMatch(/^prn_/);
  expect(office.gatekeeper.governing().lock).toBe('open');
  await office.system({ type: 'policy.publish', ...content, approvals });
});

it('nothing is unlocked with it, whoever is let in, but for whom the host lets act alone', async () => {
  const ada = office.id('Ada');
  await office.system({ type: 'brake.tighten', lock: 'heightened' });
  const before = office.ledger.governing.namespace;
  const unlocking = { epoch: before.epoch + 1 };
  for (const principal of [null, ada])
    await expect(letIn(principal, unlocking)).rejects.toMatchObject({
      code: 'namespace_refused',
      detail: expect.stringContaining('what others have to approve'),
    });
  expect(office.ledger.governing.namespace.rev).toBe(before.rev);
  await office.restart(ada);
  await expect(letIn(null, unlocking)).rejects.toMatchObject({ code: 'namespace_refused' });
  const { namespace } = await letIn(ada, unlocking);
  expect(office.gatekeeper.governing().lock).toBe('open');
  const message = '1 of administrator had to approve namespace.revise, and nobody did';
  expect(await findings()).toEqual([{ index: namespace, kind: 'approval', message }]);
  expect(await findings([ada])).toEqual([]);
});
