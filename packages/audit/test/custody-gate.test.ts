/** Custody of a license that people and machines change under a policy, with and without somebody who lies. */
import {
  type CustodyReport,
  encodeCustodyReport,
  parseCustodyReport,
  policiesId,
  type TrustRoot,
  utf8,
  verifyTrustChain,
} from '@tallystick/core';
import type { DecisionInput } from '@tallystick/gate';
import type { CauseDecision } from '@tallystick/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CustodyFinding, custodyLines, custodyPdf, verifyCustody } from '../src/index.ts';
import { type Actor, type Forge, JudgedSystem } from './support/judged-system.ts';

let judged: JudgedSystem;
let pin: TrustRoot[];
let alice: Actor;
let bob: Actor;
let robot: Actor;
let licenseId: string;
let honest: CustodyReport;

beforeAll(async () => {
  judged = await JudgedSystem.start();
  pin = await verifyTrustChain([judged.system.world.identity.trustRoot]);
  alice = await judged.person('Alice', 'passkey');
  bob = await judged.person('Bob', 'api_key');
  robot = await judged.machine('Billing');
  licenseId = await issue();
  await judged.run(robot, { type: 'license.suspend', license: licenseId, reason: 'payment' }, { why: null });
  await judged.run(alice, { type: 'license.reinstate', license: licenseId }, { why: 'they paid' });
  await revokeWithApproval(licenseId);
  honest = await reportOn(licenseId);
});
afterAll(() => judged.system[Symbol.asyncDispose]());

const issue = async (): Promise<string> =>
  (await judged.run(alice, { type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' })).id;

async function revokeWithApproval(license: string, forge: Forge = (cause) => cause): Promise<void> {
  const command = { type: 'license.revoke', license, reason: 'refund' };
  const { id: approval } = await judged.run(alice, { type: 'approval.request', command });
  await judged.run(bob, { type: 'approval.approve', approval });
  await judged.run(alice, { type: 'approval.execute', approval }, { forge });
}

const reportOn = async (id: string): Promise<CustodyReport> =>
  parseCustodyReport(utf8(await judged.system.ledger.custody(id)));
const verify = (report: CustodyReport) => verifyCustody(utf8(encodeCustodyReport(report)), pin);
const findingsOf = async (report: CustodyReport): Promise<string[]> =>
  (await verify(report)).findings.map(({ code, message }: CustodyFinding) => `${code}: ${message}`);

describe('a report on changes that were judged', () => {
  it('shows who, by which credential, why, and by which policy, and says what is missing', async () => {
    const { findings, proven } = await verify(honest);
    expect(findings).toEqual([]);
    const [issued, suspended, reinstated, revoked] = proven!.revisions;
    expect(issued).toMatchObject({
      cause: { who: { id: alice.principal, address: '10.0.0.7' }, why: 'TICKET-1' },
      author: { name: 'Alice', credentialKind: 'passkey', signed: null },
      decision: { rev: 0, reasons: ['issuer-sells'] },
    });
    expect(suspended!.author).toEqual({
      name: 'Billing',
      credentialKind: 'http_signature',
      credentialName: 'http_signature of Billing',
      signed: { method: 'POST', authority: 'tally.example', path: `/v1/licenses/${licenseId}/suspend` },
      signedGone: null,
    });
    expect(reinstated!.cause!.why).toBe('they paid');
    expect(revoked!.cause!.approvals!.by.map(({ principal }) => principal)).toEqual([bob.principal]);
    expect(proven!.approvals).toMatchObject([
      {
        state: 'executed',
        author: { principal: alice.principal },
        approvals: [{ principal: bob.principal, role: 'issuer' }],
      },
    ]);
    expect(proven!.gaps.map(({ code }) => code)).toEqual(['reads_not_shown', 'unseen_reads']);
  });

  it('shows a decision that stands in the cause of another license', async () => {
    const [first, second] = [await issue(), await issue()];
    const report = await reportOn(second);
    const { findings, proven } = await verify(report);
    expect(findings).toEqual([]);
    const { decision, index } = proven!.revisions[0]!;
    expect(decision!.carriedAt).toBeLessThan(index);
    expect(report.entries.some(({ subject }) => subject === null)).toBe(true);
    expect(encodeCustodyReport(report)).not.toContain(first);
  });

  it('carries nothing that somebody could guess a secret from', async () => {
    const inside = honest.entries.map(({ document }) =>
      document ? Buffer.from(document.bytes).toString() : '',
    );
    expect(inside.join()).toContain('Bob');
    expect(inside.join()).not.toContain('secret-enough","');
    expect(inside.filter((text) => text.includes('"kind":"api_key"'))).toEqual([]);
  });

  it('names the people and the approval in text and in the PDF', async () => {
    const { proven } = await verify(honest);
    const bytes = utf8(encodeCustodyReport(honest));
    const text = custodyLines(proven!, bytes).join('\n');
    for (const part of [
      'called Alice',
      'issuer-sells for the roles issuer',
      'Request for approval apr_',
      'revision 1: approval.approved',
      'called Bob',
      'POST tally.example',
    ])
      expect(text).toContain(part);
    expect((await custodyPdf(proven!, bytes)).length).toBeGreaterThan(5000);
  });
});

describe('what is left out or altered in the report', () => {
  const copy = (): CustodyReport => structuredClone(honest);
  /** Without a subject, its entries, and the causes that nothing commits to any more. */
  const without = (isGone: (id: string | null) => boolean): CustodyReport => {
    const report = copy();
    report.subjects = report.subjects.filter(({ id }) => !isGone(id));
    report.entries = report.entries.filter(({ subject }) => !isGone(subject));
    const used = [...new Set(report.entries.flatMap(({ cause }) => cause ?? []))];
    report.causes = used.flatMap((at) => report.causes[at] ?? []);
    for (const entry of report.entries) entry.cause = entry.cause === null ? null : used.indexOf(entry.cause);
    return report;
  };

  it.each([
    [
      'the principal',
      (id: string | null) => id === alice.principal,
      'AUTHOR_INVALID: the log did not know prn_',
    ],
    [
      'the credential',
      (id: string | null) => id === robot.credential,
      'AUTHOR_INVALID: the log did not know the credential',
    ],
    [
      'the policy',
      (id: string | null) => id === policiesId,
      'CHAIN_BROKEN: nothing proves which policy was in force',
    ],
    ['the approval', (id: string | null) => id?.startsWith('apr_') === true, 'APPROVAL_INVALID: apr_'],
  ] as const)('%s', async (_, isGone, expected) => {
    const found = await findingsOf(without(isGone));
    expect(
      found.some((each) => each.startsWith(expected)),
      found.join('\n'),
    ).toBe(true);
  });

  it('who approved', async () => {
    const report = copy();
    const approved = report.entries.filter(({ subject }) => subject?.startsWith('apr_'))[1]!;
    const text = Buffer.from(approved.document!.bytes).toString();
    approved.document!.bytes = utf8(text.replaceAll(bob.principal, alice.principal));
    expect(await findingsOf(report)).toContainEqual(
      'ALTERED: the document or its salt is not what the record commits to',
    );
  });

  it('the policy, or a principal, as if it had never been there', async () => {
    for (const id of [policiesId, alice.principal]) {
      const report = without((each) => each === id);
      report.subjects.push(honest.subjects.find((each) => each.id === id)!);
      expect((await findingsOf(report)).some((each) => each.startsWith('NOT_CURRENT'))).toBe(true);
    }
  });
});

describe('what a server lied about when it made the change', () => {
  type Whole = Exclude<CauseDecision, { same: number }>;
  const deciding =
    (change: (decision: Whole) => CauseDecision): Forge =>
    (cause) => ({
      ...cause,
      gate: { ...cause.gate, decision: change(cause.gate.decision as Whole) },
    });

  const lies: [string, () => [Actor, Forge], string][] = [
    [
      'a decision on roles that the principal never had',
      () => [
        alice,
        (cause) => {
          const decision = cause.gate.decision as Whole;
          const input = structuredClone(decision.input) as { principal: { roles: string[] } };
          input.principal.roles = ['administrator', 'issuer'];
          return { ...cause, gate: { ...cause.gate, decision: redecided(decision, input) } };
        },
      ],
      'AUTHOR_INVALID: %alice did not have the role administrator that was decided on',
    ],
    [
      'a decision for other reasons',
      () => [alice, deciding((honestly) => ({ ...honestly, reasons: ['own-access'] }))],
      'DECISION_ALTERED: the policy in force decides for other reasons',
    ],
    [
      'another hash of what was decided on',
      () => [alice, deciding((honestly) => ({ ...honestly, entities: honestly.policy }))],
      'DECISION_ALTERED: what it was decided on is not what its hash says',
    ],
    [
      'another policy',
      () => [alice, deciding((honestly) => ({ ...honestly, policy: honestly.schema }))],
      'DECISION_ALTERED: it was decided under another policy than the one in force',
    ],
    [
      'a decision that is nowhere',
      () => [alice, deciding(() => ({ same: 1 }))],
      'DECISION_ALTERED: the decision that it stands on is not at entry 1',
    ],
    [
      'somebody else who asked',
      () => [alice, (cause) => ({ ...cause, who: { kind: 'person', id: bob.principal } })],
      `AUTHOR_INVALID: the credential %crd is somebody else's`,
    ],
    [
      'a signature that is of another request',
      () => [
        robot,
        (cause) => ({ ...cause, gate: { ...cause.gate, signed: { ...cause.gate.signed!, body: null } } }),
      ],
      'AUTHOR_INVALID: the request is not signed by the key of its credential',
    ],
    [
      'a request that was signed for another system',
      () => [{ ...robot, signsFor: Buffer.alloc(32, 1).toString('base64') }, (cause) => cause],
      'AUTHOR_INVALID: the request was signed for another system',
    ],
    [
      'a request that nobody signed, from a machine that has to',
      () => [robot, (cause) => ({ ...cause, gate: { ...cause.gate, signed: null } })],
      'DECISION_ALTERED: it was decided on context.signed true, and the cause says otherwise',
    ],
  ];

  it.each(lies)('%s', async (_, make, expected) => {
    const [actor, forge] = make();
    const id = await issue();
    // A reason of its own, so that the decision stands whole in this cause.
    await judged.run(
      actor,
      { type: 'license.suspend', license: id, reason: 'dispute' },
      { forge, isWhole: true },
    );
    const found = await findingsOf(await reportOn(id));
    expect(found).toContain(expected.replace('%alice', alice.principal).replace('%crd', alice.credential));
  });

  it('other amounts than the license has', async () => {
    const license = await issue();
    await judged.run(
      alice,
      { type: 'license.renew', license, length: 'P2Y' },
      {
        isWhole: true,
        forge: (cause) => {
          const { input: truth } = cause.gate.decision as { input: DecisionInput };
          const input = { ...truth, context: { ...truth.context, extendsDays: 5 } };
          const { policy, schema, reasons, entities } = judged.engine.decide(input);
          const decision = { policy, schema, reasons: [...reasons], entities, input };
          return { ...cause, gate: { ...cause.gate, decision } };
        },
      },
    );
    expect(await findingsOf(await reportOn(license))).toEqual([
      expect.stringMatching(/^DECISION_ALTERED: it was decided on extendsDays 5, and the change says 73\d$/),
    ]);
  });

  it('nothing of the approval that the rules ask for', async () => {
    const license = await issue();
    await judged.run(alice, { type: 'license.renew', license, length: 'P20Y' });
    const report = await reportOn(license);
    const { proven } = await verify(report);
    expect(proven!.revisions.map(({ unapproved }) => unapproved)).toEqual([null, '1 of issuer']);
    expect(custodyLines(proven!, utf8(encodeCustodyReport(report))).join('\n')).toContain(
      'the rules wanted 1 of issuer',
    );
  });

  it('approvals of somebody else', async () => {
    const id = await issue();
    await revokeWithApproval(id, (cause) => {
      const { approval, by } = cause.gate.approvals!;
      return {
        ...cause,
        gate: { ...cause.gate, approvals: { approval, by: [{ ...by[0]!, principal: robot.principal }] } },
      };
    });
    const found = await findingsOf(await reportOn(id));
    expect(
      found.some((each) => /^APPROVAL_INVALID: others approved apr_\w+ than its cause says$/.test(each)),
    ).toBe(true);
  });

  it('a change that says that it was approved, by an approval of another one', async () => {
    const [first, second] = [await issue(), await issue()];
    let used: unknown = null;
    await revokeWithApproval(first, (cause) => {
      used = cause.gate.approvals;
      return cause;
    });
    await judged.run(
      alice,
      { type: 'license.revoke', license: second, reason: 'fraud' },
      { isWhole: true, forge: (cause) => ({ ...cause, gate: { ...cause.gate, approvals: used as never } }) },
    );
    const found = await findingsOf(await reportOn(second));
    expect(
      found.some((each) => /^APPROVAL_INVALID: apr_\w+ was not carried out by this change$/.test(each)),
    ).toBe(true);
  });

  function redecided(decision: Whole, input: object): CauseDecision {
    const { policy, schema, reasons, entities } = judged.engine.decide(input as never);
    return { ...decision, policy, schema, reasons: [...reasons], entities, input };
  }
});

it('says where nothing but the policy of the software decided', async () => {
  const bare = await JudgedSystem.start({ publishes: false });
  await using _ = bare.system;
  const carol = await bare.person('Carol', 'passkey');
  const { id } = await bare.run(carol, { type: 'license.issue', plan: 'pro-yearly' });
  const bytes = utf8(await bare.system.ledger.custody(id));
  const { findings, proven } = await verifyCustody(
    bytes,
    await verifyTrustChain([bare.system.world.identity.trustRoot]),
  );
  expect(findings).toEqual([]);
  expect(proven!.revisions[0]!.decision!.rev).toBeNull();
  expect(proven!.gaps.map(({ code }) => code)).toEqual([
    'built_in_policy',
    'reads_not_shown',
    'unseen_reads',
  ]);
});

it('takes no other meaning from any byte', async () => {
  const bytes = utf8(encodeCustodyReport(honest));
  const { proven } = await verify(honest);
  const { anchor, ...rest } = proven!;
  const original = JSON.stringify(rest);
  const taken: string[] = [];
  for (let at = 0; at < bytes.length; at += 5003) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ ([0x01, 0x02, 0x20][at % 3] as number);
    const { proven: found } = await verifyCustody(changed, pin);
    if (found === null) continue;
    const { anchor: other, ...same } = found;
    if (JSON.stringify(same) !== original || other.cosigners.length >= anchor.cosigners.length)
      taken.push(`byte ${at}`);
  }
  expect(taken).toEqual([]);
});

it('ends in a verdict, whatever a report is made of', async () => {
  /** The paths to every value, through what is base64 of JSON as well. */
  const json = JSON.parse(encodeCustodyReport(honest)) as unknown;
  const paths: (string | number)[][] = [];
  const walk = (value: unknown, path: (string | number)[]): void => {
    paths.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value))
      walk(member, [...path, Array.isArray(value) ? Number(name) : name]);
  };
  walk(json, []);
  const strange = [null, 0, -1, '', 'x', [], {}, true, 1e99];
  const taken: string[] = [];
  for (let nth = 0; nth < 60; nth++) {
    const changed = structuredClone(json);
    const path = paths[1 + ((nth * 7919) % (paths.length - 1))]!;
    const parent = path
      .slice(0, -1)
      .reduce((value, name) => (value as Record<string | number, unknown>)[name], changed);
    (parent as Record<string | number, unknown>)[path.at(-1)!] = strange[nth % strange.length];
    const text = JSON.stringify(changed);
    const { proven } = await verifyCustody(utf8(text), pin);
    if (proven !== null && text !== JSON.stringify(json)) taken.push(path.join('.'));
  }
  expect(taken).toEqual([]);
});
