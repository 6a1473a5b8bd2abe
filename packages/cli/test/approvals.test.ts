import { base64, encodeEnvelope, hex, type TrustRoot } from '@tallystick/core';
import { nextTrustRoot, signedRevision, TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContractFake } from './support/contract-fake.ts';
import { Harness } from './support/harness.ts';

let fake: ContractFake;
let harness: Harness;
let license: string;

beforeEach(async () => {
  fake = await ContractFake.start();
  harness = new Harness(fake);
  await harness.run(['product', 'create', '--code', 'editor', '--name', 'Editor']);
  await harness.run(['plan', 'create', '--product', 'editor', '--code', 'pro', '--name', 'Pro']);
  license = idOf(await harness.run(['issue', '--plan', 'pro', '--json']));
  for (const name of ['Ada', 'Grace']) await hire(name);
  actAs(0);
});
afterEach(async () => {
  harness[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

function idOf({ json }: { json: () => unknown }): string {
  return (json() as { document: { id: string } }).document.id;
}

function hire(name: string) {
  return harness.run(['principal', 'create', '--kind', 'person', '--name', name, '--role', 'issuer']);
}

/** The person who asks: by the order in which they came. */
function actAs(person: number): void {
  fake.namespace.gate = {
    actor: { principal: fake.namespace.idsOf('principal')[person]!, credential: 'crd_1', session: null },
    why: 'TICKET-1',
    approvals: [
      {
        actions: ['license.revoke', 'license.amend', 'trust.publish'],
        above: null,
        approvers: [{ role: 'issuer', count: 1 }],
        within: 'P1D',
      },
    ],
    policy: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  };
}

async function request(command: object): Promise<string> {
  const stdin = JSON.stringify({ command });
  return idOf(await harness.run(['approval', 'request', '--from-file', '-', '--json'], { stdin }));
}

const revoke = () => request({ type: 'license.revoke', license, reason: 'refund' });

describe('tally approval', () => {
  it('lists what waits, and shows what is asked for, by whom, why, and what is missing', async () => {
    const approval = await revoke();
    const { out } = await harness.run(['approval', 'list']);
    expect(out).toMatch(new RegExp(`${approval} +license.revoke +pending`));
    const shown = (await harness.run(['approval', 'show', approval])).out;
    expect(shown).toMatch(/license\.revoke, pending/);
    expect(shown).toMatch(/asked by +Ada \(prn_\w+\)\nwith +crd_1, entry/);
    expect(shown).toMatch(/why +TICKET-1/);
    expect(shown).toMatch(/waits for +1 more of issuer/);
    expect(shown).toMatch(new RegExp(`license +${license}\nreason +refund`));
    expect((await harness.run(['approval', 'show', approval, '--json'])).json()).toMatchObject({
      document: { state: 'pending' },
    });
  });

  it('shows what would change, as old and new values, and why it would be refused', async () => {
    const approval = await revoke();
    const after = fake.namespace.subject('license', license)!.document;
    fake.effect = {
      changes: [
        {
          type: 'license.revoked',
          subject: { type: 'license', id: license },
          rev: 1,
          before: after,
          after: { ...after, status: { ...after.status, state: 'revoked', reason: 'refund' } },
        },
      ],
      refusal: null,
    };
    const { out } = await harness.run(['approval', 'show', approval]);
    expect(out).toMatch(/status\.state +active → revoked\nstatus\.reason +- → refund\n$/);
    fake.effect = { changes: [], refusal: { code: 'already_revoked', detail: 'It is revoked already.' } };
    expect((await harness.run(['approval', 'show', approval])).out).toContain(
      'It would be refused now: It is revoked already.',
    );
  });

  it('shows a trust root and a revision in the words in which they were reviewed', async () => {
    await using system = await TestSystem.start();
    const { trust, identity } = system.world;
    const second = await nextTrustRoot(system, trust, identity.keys.root, {
      freshness: { offlineMax: 'P30D' },
    });
    const { entry, document, cause } = await signedRevision(system, { document: { lock: 'frozen' } });
    const approval = await request({
      type: 'trust.publish',
      envelopes: [base64(encodeEnvelope(second.envelope))],
      namespace: {
        entry: base64(entry),
        document: base64(document),
        cause: { salt: base64(cause.salt), document: base64(cause.document) },
      },
    });
    const payload = (root: TrustRoot) => JSON.parse(Buffer.from(root.envelope.payload).toString()) as object;
    const before = system.ledger.governing.namespace;
    const after = JSON.parse(Buffer.from(document).toString()) as typeof before;
    fake.effect = {
      changes: [
        { type: 'namespace.updated', subject: { type: 'namespace', id: 'namespace' }, rev: 1, before, after },
      ],
      refusal: null,
      loosens: ['key 00 may sign\u202e'],
      trustRoots: [{ version: 2, before: { ...payload(trust) }, after: { ...payload(second) } }],
    };
    const { out } = await harness.run(['approval', 'show', approval]);
    expect(out).toMatch(new RegExp(`trust root 2 +payload hash ${hex(second.hash)}`));
    expect(out).toMatch(/namespace revision 1 +hash [0-9a-f]{64}, signed 20/);
    expect(out).not.toContain(base64(document).slice(0, 40));
    expect(out).toContain('the lock becomes frozen (was open)');
    expect(out).toContain('Loosens: key 00 may sign\n');
    expect(out).toContain('Offline at most: P30D (before: P90D)');
  });

  it('approves for somebody else, and waits until it is carried out', async () => {
    const approval = await revoke();
    expect((await harness.run(['approval', 'approve', approval])).err).toContain('Ask somebody else');
    const wait = ['approval', 'wait', approval, '--timeout', '6', '--json'];
    const early = await harness.run(wait, { now: Date.parse(fake.namespace.now) });
    expect([early.code, harness.slept]).toEqual([4, [2000, 2000, 2000]]);
    actAs(1);
    expect((await harness.run(['approval', 'approve', approval, '--dry-run'])).out).toContain('nothing was');
    expect((await harness.run(['approval', 'approve', approval, '--reason', 'Seen'])).code).toBe(0);
    expect((await harness.run(['approval', 'wait', approval])).err).toMatch(
      /is approved[\s\S]*approval execute/,
    );
    expect((await harness.run(['approval', 'execute', approval])).out).toContain('license.revoked');
    const done = await harness.run(['approval', 'wait', approval, '--json']);
    expect([done.code, done.json()]).toMatchObject([0, { document: { state: 'executed' } }]);
  });

  it.each([
    ['withdraw', 0],
    ['reject', 1],
  ] as const)('ends a request for good: %s', async (verb, person) => {
    const approval = await revoke();
    actAs(person);
    expect((await harness.run(['approval', verb, approval])).code).toBe(0);
    const { code, err } = await harness.run(['approval', 'wait', approval]);
    expect([code, err]).toEqual([1, expect.stringMatching(/is (?:withdrawn|rejected)[\s\S]*Ask anew/)]);
  });
});
