/** Four eyes, on a real ledger: what waits, who may let it through, and that it happens once. */
import { randomUUID } from 'node:crypto';
import { replayDecisions } from '@tallystick/audit';
import { defaultPolicyDocument } from '@tallystick/gate';
import type { Command, LicenseDocument, PolicyPublish } from '@tallystick/license';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { longSale, Office } from './support/office.ts';

let office: Office;

beforeAll(async () => {
  office = await Office.withApprovers();
  await office.hire('Vic', 'viewer');
});
afterAll(() => office[Symbol.asyncDispose]());

const newKey = (): string => randomUUID();

async function waiting(author = 'Ivo', command: Command = longSale, key = newKey()) {
  const { code, approval } = await office.refusal(author, command, { key });
  expect(code).toBe('approval_required');
  return { approval, key };
}

describe('a command that others have to approve', () => {
  it('waits under its idempotency key, is carried out with the last approval, and answers its author then', async () => {
    const { approval, key } = await waiting();
    const again = await office.refusal('Ivo', longSale, { key });
    expect([again.code, again.approval]).toEqual(['approval_required', approval]);
    expect(again.detail).toMatch(/1 of issuer, until .* tally approval show apr_/);
    const answer = await office.ask('Ina', { type: 'approval.approve', approval }, { session: 'ses_ina' });
    expect(answer.execution).toMatchObject({ done: true, problem: null });
    expect(answer.execution?.changes.map(({ type }) => type)).toEqual([
      'license.issued',
      'approval.executed',
    ]);
    const told = await office.ask('Ivo', longSale, { key });
    expect(told.notes.map(({ code }) => code)).toEqual(['replayed']);
    expect(told).toMatchObject({ document: { type: 'license' }, licenseKey: expect.stringMatching(/.{8}/) });
    expect(told.promises).toHaveLength(2);
    expect(JSON.stringify(answer)).not.toContain(told.licenseKey);
    const { id } = told.document as LicenseDocument;
    const [made] = await office.ledger.read.history(id, 9, 1);
    const { approvals } = await office.request(approval);
    const [stored] = await office.ledger.read.history(approval, 1, 1);
    expect(stored?.cause).toMatchObject({
      command: 'approval.request',
      decision: {
        input: { action: 'license.issue', context: { approved: true, termDays: expect.any(Number) } },
      },
    });
    expect(made?.cause).toMatchObject({
      command: 'approval.execute',
      who: { kind: 'person', id: office.id('Ivo') },
      why: 'T-1',
      // It is the one that it was stored under, and stands there.
      decision: { same: stored?.revision.index },
      approvals: {
        approval,
        by: [{ principal: office.id('Ina'), credential: approvals[0]?.credential, at: approvals[0]?.at }],
      },
    });
  });

  it('is asked for explicitly by whoever may ask for it, and where a rule wants that', async () => {
    const asking = (command: object) => ({ type: 'approval.request', command }) as Command;
    const answer = await office.ask('Ivo', asking(longSale));
    expect(answer.document).toMatchObject({
      type: 'approval',
      state: 'pending',
      author: { principal: office.id('Ivo') },
    });
    expect((await office.refusal('Vic', asking(longSale))).code).toBe('forbidden');
    expect((await office.refusal('Ivo', asking({ ...longSale, plan: 'none' }))).code).toBe('plan_unknown');
    const suspend = { type: 'license.suspend', license: 'lic_x', reason: 'abuse' };
    expect((await office.refusal('Ivo', asking(suspend))).code).toBe('subject_unknown');
  });

  it('is a long term as well that is made of short extensions', async () => {
    const license = await office.system({ type: 'license.issue', plan: 'pro', term: { length: 'P9Y' } });
    const renew = { type: 'license.renew', license, length: 'P1Y' } as const;
    expect((await office.refusal('Ivo', renew)).code).toBe('done');
    expect((await office.refusal('Ivo', renew)).code).toBe('approval_required');
  });

  it('says in a dry run that it would wait, and stores nothing', async () => {
    const before = office.ledger.size;
    const answer = await office.ask('Ivo', longSale, { dryRun: true });
    expect(answer.notes.map(({ code }) => code)).toEqual(['dry_run', 'needs_approval']);
    expect(office.ledger.size).toBe(before);
  });

  it('is approved by nobody who may not: the author, with whatever credential, and other roles', async () => {
    const { approval } = await waiting();
    const second = await office.credentialFor(office.id('Ivo'), 'second');
    const approve = { type: 'approval.approve', approval } as const;
    for (const credential of [undefined, second]) {
      const said = credential === undefined ? {} : { credential, session: 'ses_other' };
      expect((await office.refusal('Ivo', approve, said)).code).toBe('forbidden');
    }
    expect((await office.refusal('Ada', approve)).code).toBe('not_an_approver');
    expect((await office.refusal('Vic', approve)).code).toMatch(/forbidden|subject_unknown/);
    expect((await office.refusal('Ina', approve, { stepUp: false })).code).toBe(
      'insufficient_user_authentication',
    );
    expect((await office.request(approval)).approvals).toEqual([]);
  });

  it('is carried out exactly once, however many approve and execute it at the same time', async () => {
    await office.hire('Ike', 'issuer');
    const before = {
      issued: await office.count('license.issued'),
      executed: await office.count('approval.executed'),
    };
    const { approval, key } = await waiting();
    const approve = { type: 'approval.approve', approval } as const;
    const execute = { type: 'approval.execute', approval } as const;
    await Promise.all([
      office.refusal('Ina', approve),
      office.refusal('Ike', approve),
      ...Array.from({ length: 8 }, () => office.refusal('Ivo', execute)),
      ...Array.from({ length: 8 }, () => office.refusal('Ina', execute)),
      ...Array.from({ length: 4 }, () => office.refusal('Ivo', longSale, { key })),
    ]);
    expect((await office.request(approval)).state).toBe('executed');
    expect(await office.count('license.issued')).toBe(before.issued + 1);
    expect(await office.count('approval.executed')).toBe(before.executed + 1);
    expect((await office.ask('Ina', execute)).notes.map(({ code }) => code)).toEqual(['replayed']);
  });

  it('ends with its time, also when it is approved by then', async () => {
    const pending = await waiting();
    const approved = await waiting();
    const { approval } = approved;
    // What stops between approving and carrying out leaves it approved.
    await office.approveOnly('Ina', approval);
    await office.later(86_400_000);
    expect((await office.refusal('Ina', { type: 'approval.approve', approval: pending.approval })).code).toBe(
      'state_forbids',
    );
    expect((await office.refusal('Ivo', { type: 'approval.execute', approval })).code).toBe('state_forbids');
    const { code, detail } = await office.refusal('Ivo', longSale, { key: pending.key });
    expect([code, detail]).toEqual(['state_forbids', expect.stringMatching(/waited until .* Ask anew/)]);
  });

  it('is over when it is rejected or withdrawn, and says so to its author', async () => {
    const [rejected, withdrawn] = [await waiting(), await waiting()];
    await office.ask('Ina', { type: 'approval.reject', approval: rejected.approval, reason: 'Too long' });
    expect(
      (await office.refusal('Ina', { type: 'approval.withdraw', approval: withdrawn.approval })).code,
    ).toBe('forbidden');
    await office.ask('Ivo', { type: 'approval.withdraw', approval: withdrawn.approval });
    expect((await office.refusal('Ivo', longSale, rejected)).detail).toMatch(/was rejected \(Too long\)/);
    expect((await office.refusal('Ivo', longSale, withdrawn)).detail).toMatch(/was withdrawn/);
    for (const { approval } of [rejected, withdrawn])
      expect((await office.refusal('Ina', { type: 'approval.approve', approval })).code).toBe(
        'state_forbids',
      );
  });
});

describe('what was approved', () => {
  it('is carried out after a restart, where the server died in between', async () => {
    const { approval, key } = await waiting();
    await office.approveOnly('Ina', approval);
    await office.restart();
    expect((await office.request(approval)).state).toBe('approved');
    expect((await office.refusal('Ivo', longSale, { key })).code).toBe('approval_required');
    await office.ask('Ivo', { type: 'approval.execute', approval });
    expect((await office.ask('Ivo', longSale, { key })).licenseKey).toBeTypeOf('string');
  });

  it.each<[string, Command, Command]>([
    [
      'is disabled',
      { type: 'principal.disable', principal: 'Ivo' },
      { type: 'principal.enable', principal: 'Ivo' },
    ],
    [
      'has lost the role',
      { type: 'principal.assign', principal: 'Ivo', roles: [] },
      { type: 'principal.assign', principal: 'Ivo', roles: [{ role: 'issuer' }] },
    ],
  ])('waits and says why where its author %s by then', async (_, take, give) => {
    const at = (command: Command) => ({ ...command, principal: office.id('Ivo') }) as Command;
    const { approval } = await waiting();
    await office.system(at(take));
    const answer = await office.ask('Ina', { type: 'approval.approve', approval });
    expect(answer.execution).toMatchObject({
      done: false,
      problem: {
        code: 'state_forbids',
        detail: expect.stringMatching(/^Who asked for this may not do it any more/),
      },
    });
    expect((await office.request(approval)).state).toBe('approved');
    await office.system(at(give));
    await office.ask('Ina', { type: 'approval.execute', approval });
    expect((await office.request(approval)).state).toBe('executed');
  });

  it('is void under another policy, be it other rules for approvals alone', async () => {
    const { approval } = await waiting();
    const content = defaultPolicyDocument();
    const durable = [...content.durable, 'log.status'];
    await office.system({ type: 'policy.publish', ...content, durable });
    expect((await office.refusal('Ina', { type: 'approval.approve', approval })).code).toBe('approval_void');
    await office.system({ type: 'policy.publish', ...content });
  });

  it('tells what it would do, without the secrets in it', async () => {
    const imported = { ...longSale, key: 'OLD-KEY-SECRET-7777' };
    const { approval } = await waiting('Ivo', imported);
    const item = await office.reads.get(
      { type: 'approval', id: approval },
      office.judgment('Ina', 'approval.get'),
    );
    expect(item).toMatchObject({
      document: { command: { type: 'license.issue', keyHint: '7777' } },
      names: { [office.id('Ivo')]: 'Ivo' },
      effect: {
        refusal: null,
        changes: [{ type: 'license.issued', before: null, after: { type: 'license' } }],
      },
    });
    expect(JSON.stringify(item)).not.toContain('OLD-KEY');
  });
});

describe('who may do something alone', () => {
  const publish: PolicyPublish = { type: 'policy.publish', ...defaultPolicyDocument(), durable: [] };

  it('is nobody beside another administrator, who still counts when disabled', async () => {
    expect((await office.refusal('Ada', publish)).code).toBe('approval_required');
    await office.ask('Ada', { type: 'principal.disable', principal: office.id('Bea') });
    const { code, detail } = await office.refusal('Ada', publish);
    expect([code, detail]).toEqual([
      'approval_required',
      expect.stringMatching(/Nobody else has the role administrator/),
    ]);
    await office.system({ type: 'principal.enable', principal: office.id('Bea') });
  });

  it('cannot get around that with somebody made up', async () => {
    const made: Command = {
      type: 'principal.create',
      kind: 'person',
      name: 'Sock',
      roles: [{ role: 'administrator' }],
    };
    expect((await office.refusal('Ada', made)).code).toBe('approval_required');
    const principal = await office.ask('Ada', { type: 'principal.create', kind: 'person', name: 'Sock' });
    const { id } = principal.document as { id: string };
    const roles = [{ role: 'administrator' }];
    expect((await office.refusal('Ada', { type: 'principal.assign', principal: id, roles })).code).toBe(
      'approval_required',
    );
    expect(
      (
        await office.refusal('Ada', {
          type: 'principal.grant',
          principal: id,
          role: 'administrator',
          length: 'PT1H',
        })
      ).code,
    ).toBe('approval_required');
    const key = { type: 'credential.create', kind: 'passkey', name: 'Key', lookup: 'sock' } as const;
    expect((await office.refusal('Ada', { ...key, principal: office.id('Bea') })).code).toBe(
      'approval_required',
    );
    expect((await office.refusal('Ada', { ...key, principal: id })).code).toBe('done');
  });

  it('is whom the configuration names, who is told so', async () => {
    await office.restart(office.id('Ada'));
    const alone = await office.ask('Ada', publish, { dryRun: true });
    expect(alone.notes.map(({ code }) => code)).toEqual(['dry_run', 'approved_by_nobody']);
    await office.restart();
    expect((await office.refusal('Ada', publish)).code).toBe('approval_required');
  });
});

it('a role for an hour is asked for by whoever needs it, given by somebody else, and ends by itself', async () => {
  const issue = { type: 'license.issue', plan: 'pro' } as const;
  expect((await office.refusal('Vic', issue)).code).toBe('forbidden');
  const grant = {
    type: 'principal.grant',
    principal: office.id('Vic'),
    role: 'issuer',
    length: 'PT1H',
  } as const;
  const { code, approval } = await office.refusal('Vic', grant);
  expect(code).toBe('approval_required');
  expect((await office.refusal('Ina', { type: 'approval.approve', approval })).code).toBe('not_an_approver');
  const { execution } = await office.ask('Bea', { type: 'approval.approve', approval });
  expect(execution).toMatchObject({ done: true });
  expect((await office.refusal('Vic', issue)).code).toBe('done');
  await office.later(3_600_000);
  expect((await office.refusal('Vic', issue)).code).toBe('forbidden');
});

describe('many of the same within an hour', () => {
  it('wait together for one approval, which lets as many more through', async () => {
    const content = defaultPolicyDocument();
    const approvals = content.approvals.map((rule) =>
      rule.actions.includes('license.revoke')
        ? { ...rule, above: { termDays: null, seats: null, perHour: 3 } }
        : rule,
    );
    await office.system({ type: 'policy.publish', ...content, approvals });
    const sold = await Promise.all(
      Array.from({ length: 12 }, () => office.system({ type: 'license.issue', plan: 'pro' })),
    );
    const revoke = (at: number): Command => ({
      type: 'license.revoke',
      license: sold[at]!,
      reason: 'refund',
    });
    const answers = await Promise.all(
      sold.map((_, at) => office.refusal('Ivo', revoke(at), { key: `bulk-${at}` })),
    );
    const codes = answers.map(({ code }) => code);
    expect(codes.filter((code) => code === 'done')).toHaveLength(3);
    const waits = new Set(answers.flatMap(({ approval }) => (approval === '' ? [] : [approval])));
    expect(waits.size).toBe(1);
    const [approval = ''] = waits;
    // Somebody else has not asked for anything yet.
    expect((await office.refusal('Ina', revoke(codes.indexOf('done')))).code).toBe('already_revoked');
    await office.restart();
    const next = codes.lastIndexOf('approval_required');
    expect((await office.refusal('Ivo', revoke(next), { key: `bulk-${next}` })).approval).toBe(approval);
    await office.ask('Ina', { type: 'approval.approve', approval });
    const rest: string[] = [];
    for (const [at, { code }] of answers.entries())
      if (code !== 'done') rest.push((await office.refusal('Ivo', revoke(at), { key: `bulk-${at}` })).code);
    expect(rest.filter((code) => code === 'done')).toHaveLength(4);
    await office.restart();
    const left = await Promise.all(
      sold.map((_, at) => office.refusal('Ivo', revoke(at), { key: `bulk-${at}` })),
    );
    expect(left.filter(({ code }) => code === 'done')).toHaveLength(7);
  });
});

describe('what is in the log in the end', () => {
  it('was decided as the log says, each command by itself', async () => {
    const { findings, counts } = await replayDecisions(office.world.store, { from: null, to: null });
    expect(findings.filter(({ kind, index }) => kind !== 'undecided' || !office.unjudged.has(index))).toEqual(
      [],
    );
    expect(counts.decided).toBeGreaterThan(20);
  });
});
