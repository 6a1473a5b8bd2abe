/** Custody of a license whose customer was erased, and with it what others had approved. */
import {
  type CustodyReport,
  encodeCustodyReport,
  parseCustodyReport,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import { expect, it } from 'vitest';
import { verifyCustody } from '../src/index.ts';
import { JudgedSystem } from './support/judged-system.ts';

it('states that a request for approval was erased with its customer, and still proves who approved it', async () => {
  const judged = await JudgedSystem.start();
  await using system = judged.system;
  const [alice, bob] = [await judged.person('Alice', 'passkey'), await judged.person('Bob', 'passkey')];
  const pin = await verifyTrustChain([system.world.identity.trustRoot]);
  const verify = (told: CustodyReport) => verifyCustody(utf8(encodeCustodyReport(told)), pin);
  const made = await system.run({ type: 'customer.create', reference: 'crm-7', name: 'Carol' });
  const customer = made.changes[0]!.change.subject.id;
  const sold = { type: 'license.issue', plan: 'pro-yearly', customer } as const;
  const license = (await judged.run(alice, { ...sold, licensee: 'Carol' })).id;
  const command = { type: 'license.revoke', license, reason: 'refund' };
  const { id: approval } = await judged.run(alice, { type: 'approval.request', command });
  await judged.run(bob, { type: 'approval.approve', approval });
  await judged.run(alice, { type: 'approval.execute', approval });
  await system.run({ type: 'customer.erase', customer });
  await system.ledger.whenPublished(system.ledger.size, 5000);
  const report = parseCustodyReport(utf8(await system.ledger.custody(license)));
  const { findings, proven } = await verify(report);
  expect(findings).toEqual([]);
  expect(proven!.approvals).toMatchObject([
    { state: 'executed', command: '{"type":"license.revoke"}', approvals: [{ principal: bob.principal }] },
  ]);
  const chain = report.entries.filter(({ subject }) => subject?.startsWith('apr_'));
  const gone = chain.filter(({ document }) => document === null).map(({ index }) => index);
  expect(gone).toHaveLength(3);
  for (const index of gone) expect(proven!.gaps).toContainEqual({ code: 'document_gone', index });

  const lying = structuredClone(report);
  lying.gaps = lying.gaps.filter(({ index }) => index !== gone[0]);
  expect((await verify(lying)).findings.map(({ code }) => code)).toEqual(['GAPS_MISSTATED']);
});
