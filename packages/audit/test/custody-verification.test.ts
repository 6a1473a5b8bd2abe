import {
  base64,
  type CustodyReport,
  custodyGaps,
  encodeCustodyReport,
  parseCustodyReport,
  readCauseStatement,
  type TrustRoot,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CustodyCode, type ProvenCustody, verifyCustody } from '../src/index.ts';

let system: TestSystem;
let pin: TrustRoot[];
let licenseId: string;
let otherId: string;
/** The honest report, as the ledger makes it. */
let honest: CustodyReport;

const afterIssue = () => new Date(Date.now() + 1).toISOString();
let suspendedAfter: string;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.sellPro();
  pin = await verifyTrustChain([system.world.identity.trustRoot]);
  const issue = async () =>
    (await system.run({ type: 'license.issue', plan: 'pro-yearly' })).changes[0]!.change.subject.id;
  licenseId = await issue();
  otherId = await issue();
  await new Promise((resolve) => setTimeout(resolve, 5));
  suspendedAfter = afterIssue();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await system.run({ type: 'license.suspend', license: licenseId, reason: 'payment' });
  await system.run({ type: 'license.reinstate', license: licenseId });
  await system.run({ type: 'license.revoke', license: licenseId, reason: 'refund' });
  honest = parseCustodyReport(utf8(await system.ledger.custody(licenseId)));
});
afterAll(() => system[Symbol.asyncDispose]());

const verify = (report: CustodyReport | string) =>
  verifyCustody(utf8(typeof report === 'string' ? report : encodeCustodyReport(report)), pin);

async function codesOf(report: CustodyReport): Promise<[CustodyCode, number | null][]> {
  return (await verify(report)).findings.map(({ code, index }) => [code, index]);
}

/** A copy to spoil. */
const copy = (): CustodyReport => parseCustodyReport(utf8(encodeCustodyReport(honest)));
const ofLicense = (report: CustodyReport, rev: number) =>
  report.entries.filter(({ subject }) => subject === licenseId)[rev]!;

describe('a custody report', () => {
  it('shows every revision with who, why, its key and its place, and says what it cannot show', async () => {
    const { findings, proven } = await verify(await system.ledger.custody(licenseId));
    expect(findings).toEqual([]);
    expect(proven!.revisions.map(({ rev, recordType }) => [rev, recordType])).toEqual([
      [0, 'license.issued'],
      [1, 'license.suspended'],
      [2, 'license.reinstated'],
      [3, 'license.revoked'],
    ]);
    expect(proven!.anchor).toMatchObject({ origin: 'tally.example/log', cosigners: expect.any(Array) });
    expect(proven!.anchor.cosigners.length).toBeGreaterThan(1);
    for (const revision of proven!.revisions) {
      expect(revision).toMatchObject({ isShown: true, cause: { who: { kind: 'test', id: 'test' } } });
      expect(revision.document!.rev).toBe(revision.rev);
      expect(revision.signers).toEqual([
        { alg: 'ed25519', id: expect.any(String), from: expect.any(Number), until: null },
      ]);
    }
    expect(proven!.gaps.map(({ code }) => code)).toEqual([
      ...proven!.revisions.map(() => 'no_decision'),
      'reads_not_shown',
      'unseen_reads',
    ]);
  });

  it('shows a part of the history in full, and that the rest is there', async () => {
    const { findings, proven } = await verify(
      await system.ledger.custody(licenseId, { from: suspendedAfter }),
    );
    expect(findings).toEqual([]);
    expect(proven!.range).toEqual({ from: 1, to: 3 });
    expect(proven!.revisions.map(({ isShown, document }) => [isShown, document !== null])).toEqual([
      [false, false],
      [true, true],
      [true, true],
      [true, true],
    ]);
    const before = await verify(await system.ledger.custody(licenseId, { to: '2020-01-01T00:00:00.000Z' }));
    expect(before.proven!.range).toBeNull();
    expect(before.proven!.revisions).toHaveLength(4);
  });

  it('states what was erased', async () => {
    const customer = await system.run({ type: 'customer.create', reference: 'crm-9', name: 'Carol' });
    const sold = await system.run({
      type: 'license.issue',
      plan: 'pro-yearly',
      customer: customer.changes[0]!.change.subject.id,
      licensee: 'Carol',
    });
    const id = sold.changes[0]!.change.subject.id;
    await system.run({ type: 'customer.erase', customer: 'crm-9' });
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const { findings, proven } = await verify(await system.ledger.custody(id));
    expect(findings).toEqual([]);
    const [first] = proven!.revisions;
    expect(first).toMatchObject({ isShown: true, document: null, cause: { command: 'license.issue' } });
    expect(proven!.gaps).toContainEqual({ code: 'document_gone', index: first!.index });
  });
});

describe('what is hidden or altered is named', () => {
  const spoil = (
    name: string,
    change: (report: CustodyReport) => void,
    expected: (rev: (at: number) => number) => [CustodyCode, number | null][],
  ) =>
    it(name, async () => {
      const report = copy();
      change(report);
      const rev = (at: number): number => ofLicense(honest, at).index;
      expect(await codesOf(report)).toEqual(expected(rev));
    });
  spoil(
    'the newest revision is left out',
    (report) => {
      report.entries = report.entries.filter((each) => each !== ofLicense(report, 3));
      report.causes.pop();
      report.range = { from: 0, to: 2 };
    },
    (rev) => [
      ['NOT_CURRENT', rev(2)],
      ['GAPS_MISSTATED', null],
    ],
  );
  spoil(
    'a revision in between is left out, with its cause and its gap',
    (report) => {
      report.entries = report.entries.filter((each) => each !== ofLicense(report, 1));
      report.causes.splice(1, 1);
      for (const entry of report.entries) if (entry.cause !== null && entry.cause > 0) entry.cause -= 1;
      report.gaps.splice(1, 1);
      report.range = { from: 0, to: 2 };
    },
    (rev) => [
      ['CHAIN_BROKEN', rev(2)],
      ['MALFORMED', rev(3)],
    ],
  );
  spoil(
    'the first revision is left out',
    (report) => {
      report.entries = report.entries.filter((each) => each !== ofLicense(report, 0));
      report.causes.shift();
      for (const entry of report.entries) if (entry.cause !== null) entry.cause -= 1;
      report.gaps.shift();
      report.range = { from: 1, to: 2 };
    },
    (rev) => [
      ['CHAIN_BROKEN', rev(1)],
      ['MALFORMED', rev(3)],
      ['GAPS_MISSTATED', null],
    ],
  );
  spoil(
    'another reason stands in a document',
    (report) => {
      const document = ofLicense(report, 1).document!;
      document.bytes = utf8(Buffer.from(document.bytes).toString().replace('payment', 'dispute'));
    },
    (rev) => [['ALTERED', rev(1)]],
  );
  spoil(
    'a document is held back as if it had been erased',
    (report) => {
      ofLicense(report, 1).document = null;
    },
    () => [['GAPS_MISSTATED', null]],
  );
  spoil(
    'a cause says that somebody else asked',
    (report) => {
      const cause = report.causes[1]!;
      cause.document = utf8(Buffer.from(cause.document).toString().replace('"id":"test"', '"id":"best"'));
    },
    (rev) => [['CAUSE_ALTERED', rev(1)]],
  );
  spoil(
    'two causes are exchanged',
    (report) => {
      const [first, second] = report.causes as [CustodyReport['causes'][0], CustodyReport['causes'][0]];
      report.causes.splice(0, 2, second, first);
    },
    (rev) => [
      ['CAUSE_ALTERED', rev(0)],
      ['CAUSE_ALTERED', rev(1)],
    ],
  );
  spoil(
    'a gap is not stated',
    (report) => {
      report.gaps = report.gaps.filter(({ code }) => code !== 'reads_not_shown');
    },
    () => [['GAPS_MISSTATED', null]],
  );
  spoil(
    'a key is passed off as the one that signed',
    (report) => {
      report.keys = report.keys.filter(({ key }) => base64(key) !== base64(honest.keys[0]!.key));
    },
    () => expect.arrayContaining([['KEY_NOT_VALID', expect.any(Number)]]) as never,
  );
  spoil(
    'an inclusion proof is of another entry',
    (report) => {
      ofLicense(report, 2).path = ofLicense(report, 3).path;
    },
    () => expect.arrayContaining([['NOT_LOGGED', expect.any(Number)]]) as never,
  );

  it('the history of another license under the name of this one', async () => {
    const other = parseCustodyReport(utf8(await system.ledger.custody(otherId)));
    const swapped = {
      ...other,
      license: licenseId,
      subjects: other.subjects.map((each) => (each.id === otherId ? { ...each, id: licenseId } : each)),
      entries: other.entries.map((each) =>
        each.subject === otherId ? { ...each, subject: licenseId } : each,
      ),
    };
    expect(await codesOf(swapped)).toContainEqual(['ALTERED', swapped.entries.at(-1)!.index]);
  });

  it('a report from before the revocation, under a checkpoint of its own, says as of when it holds', async () => {
    const id = (await system.run({ type: 'license.issue', plan: 'pro-yearly' })).changes[0]!.change.subject
      .id;
    const early = await system.ledger.custody(id);
    await system.run({ type: 'license.revoke', license: id, reason: 'fraud' });
    const late = await verify(await system.ledger.custody(id));
    const before = await verify(early);
    expect(before.findings).toEqual([]);
    expect(before.proven!.anchor.size).toBeLessThan(late.proven!.anchor.size);
    expect(before.proven!.revisions).toHaveLength(1);
  });

  it('a trust root of somebody else', async () => {
    await using stranger = await TestSystem.start();
    const { findings, proven } = await verifyCustody(
      utf8(encodeCustodyReport(honest)),
      await verifyTrustChain([stranger.world.identity.trustRoot]),
    );
    expect(findings.map(({ code }) => code)).toEqual(['TRUST_OUTDATED']);
    expect(proven).toBeNull();
  });
});

describe('no change of any byte gives another meaning', () => {
  /** A cosignature more than the quorum needs may be spoiled, which leaves one cosigner fewer and all else as it was. */
  const meaning = (proven: ProvenCustody): [string, string[]] => {
    const { cosigners, ...anchor } = proven.anchor;
    return [JSON.stringify({ ...proven, anchor }), cosigners.map((each) => JSON.stringify(each))];
  };

  it.each([
    ['in full', false, 31],
    ['in part', true, 61],
  ] as const)('%s', async (_, isPart, step) => {
    const request = isPart ? { from: suspendedAfter } : {};
    const text = await system.ledger.custody(licenseId, request);
    const bytes = utf8(text);
    const [original, cosigners] = meaning((await verify(text)).proven!);
    const taken: string[] = [];
    let fewer = 0;
    for (let at = 0; at < bytes.length; at += step) {
      const flip = [0x01, 0x02, 0x20, 0x80][(at / step) % 4] as number;
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ flip;
      const verification = await verifyCustody(changed, pin);
      expect(verification.proven === null).toBe(verification.findings.length > 0);
      if (verification.proven === null) continue;
      const [found, left] = meaning(verification.proven);
      if (
        found !== original ||
        left.length >= cosigners.length ||
        left.some((each) => !cosigners.includes(each))
      )
        taken.push(`byte ${at} xor ${flip}`);
      fewer += 1;
    }
    expect(taken).toEqual([]);
    expect(fewer).toBeLessThan(20);
  });
});

it('derives the same gaps from what its causes say', () => {
  const statements = honest.causes.map(({ document }) => readCauseStatement(document));
  expect(custodyGaps(honest, statements)).toEqual(honest.gaps);
});
