/** Custody of a license whose server shows less than it has, and says that this is all. */
import {
  type CustodyReport,
  custodyGaps,
  encodeCustodyReport,
  parseCustodyReport,
  readCauseStatement,
  type TrustRoot,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyCustody } from '../src/index.ts';
import { JudgedSystem } from './support/judged-system.ts';

let judged: JudgedSystem;
let pin: TrustRoot[];
let honest: CustodyReport;

beforeAll(async () => {
  judged = await JudgedSystem.start();
  pin = await verifyTrustChain([judged.system.world.identity.trustRoot]);
  const alice = await judged.person('Alice', 'passkey');
  const bob = await judged.person('Bob', 'api_key');
  const { id: license } = await judged.run(alice, { type: 'license.issue', plan: 'pro-yearly' });
  const command = { type: 'license.revoke', license, reason: 'refund' };
  const { id: approval } = await judged.run(alice, { type: 'approval.request', command });
  await judged.run(bob, { type: 'approval.approve', approval });
  await judged.run(alice, { type: 'approval.execute', approval });
  honest = parseCustodyReport(utf8(await judged.system.ledger.custody(license)));
});
afterAll(() => judged.system[Symbol.asyncDispose]());

async function findingsOf(report: CustodyReport): Promise<string[]> {
  const { findings } = await verifyCustody(utf8(encodeCustodyReport(report)), pin);
  return findings.map(({ code }) => code);
}

/** The report without the cause of the entry at an index, in order again; its gaps are as they were. */
function withoutCauseAt(index: number): CustodyReport {
  const kept = honest.entries.map((entry) => (entry.index === index ? null : entry.cause));
  const used = [...new Set(kept.flatMap((cause) => cause ?? []))];
  const placeOf = (cause: number | null | undefined): number | null =>
    cause == null ? null : used.indexOf(cause);
  return {
    ...honest,
    entries: honest.entries.map((entry, nth) => ({ ...entry, cause: placeOf(kept[nth]) })),
    causes: used.flatMap((cause) => honest.causes[cause] ?? []),
  };
}

describe('who asked for an approval, and who gave it,', () => {
  it('cannot be left out without a gap', async () => {
    const steps = honest.entries.filter(({ subject }) => subject?.startsWith('apr_'));
    // The last one shares its cause with the change that was approved.
    expect(steps.map(({ cause }) => cause !== null)).toEqual([true, true, true]);
    expect(await findingsOf(honest)).toEqual([]);
    for (const { index } of steps.slice(0, 2)) {
      const report = withoutCauseAt(index);
      expect(await findingsOf(report)).toEqual(['GAPS_MISSTATED']);
      const statements = report.causes.map(({ document }) => readCauseStatement(document));
      const gaps = custodyGaps(report, statements);
      expect(gaps).toContainEqual({ code: 'cause_gone', index });
      expect(await findingsOf({ ...report, gaps })).toEqual([]);
    }
  });
});
