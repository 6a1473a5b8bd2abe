/** Ways around the gate of somebody who has more than a login: a moment, a row of the database, a colleague who left. */
import { createSecretKey } from 'node:crypto';
import { replayDecisions } from '@tallystick/audit';
import { bareResource, Directory, defaultPolicyDocument, deriveGateSecrets } from '@tallystick/gate';
import type { Command, PolicyDocument } from '@tallystick/license';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preparedCommand } from '../src/http/credential-handlers.ts';
import { AccessRegister } from '../src/ledger-thread/gate/access-register.ts';
import { Gatekeeper } from '../src/ledger-thread/gate/gatekeeper.ts';
import type { Judgment } from '../src/ledger-thread/gate/judgment.ts';
import { LedgerService } from '../src/ledger-thread/service.ts';
import { longSale, Office } from './support/office.ts';

let office: Office;

beforeAll(async () => {
  office = await Office.withApprovers();
  await office.hire('Sue', 'support');
});
afterAll(() => office[Symbol.asyncDispose]());

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

describe('an invitation', () => {
  it('for one network makes nothing elsewhere', async () => {
    const id = office.id('Sue');
    const networks = ['10.0.0.0/8'];
    const scope = { actions: ['credential.enroll'], networks };
    const invitation = await office.system({
      type: 'credential.create',
      principal: id,
      kind: 'invitation',
      name: 'Invitation',
      lookup: 'invitation',
      scope,
    });
    const passkey = { type: 'credential.create', principal: id, kind: 'passkey', name: 'Passkey' } as const;
    const enroll = (address: string): Promise<unknown> => {
      const { asked } = office.judgment('Sue', 'credential.enroll', { credential: invitation });
      if (asked === null) throw new Error('nobody asks');
      const judgment = office.gatekeeper.open({ ...asked, caller: { ...asked.caller, address } });
      const command = { ...passkey, lookup: address };
      const input = { command, why: 'x', request: null, dryRun: false, wait: 'durable', waitMs: 0 } as const;
      return office.mutations.mutate(input, judgment);
    };
    await expect(enroll('192.0.2.1')).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(enroll('10.1.2.3')).resolves.toMatchObject({ document: { kind: 'passkey' } });
  });
});

describe('a credential that is asked for', () => {
  it.each([{ networks: 5 }, { networks: [5] }, 5])(
    'with the scope %j is left for its reader to refuse',
    (scope) => {
      const secrets = deriveGateSecrets(createSecretKey(new Uint8Array(32)), 'acme');
      const named = { principal: office.id('Sue'), kind: 'api_key', name: 'Key', lookup: 'x', scope };
      const asked = { type: 'approval.request', command: { type: 'credential.create', ...named } } as Command;
      expect(preparedCommand(asked, secrets)).toEqual(asked);
    },
  );
});

describe('a server that lets something through without four eyes', () => {
  it('is told of by a replay: nobody approved it, or not as what is said', async () => {
    const found = async (from: number) => {
      const { findings } = await replayDecisions(office.world.store, { from: null, to: null });
      return findings.filter(({ index }) => index >= from && !office.unjudged.has(index));
    };
    const from = office.ledger.size;
    const { approval } = await office.refusal('Ivo', longSale);
    await office.ask('Ina', { type: 'approval.approve', approval });
    await office.ask('Ike', { type: 'approval.approve', approval });
    expect(await found(from)).toEqual([]);
    // Without the rules for approvals, which are no part of what Cedar decides on.
    await office.restart(office.id('Ivo'));
    const [skipped] = (await office.ask('Ivo', longSale)).changes;
    expect(await found(from)).toEqual([
      {
        index: skipped?.index,
        kind: 'approval',
        message: '2 of issuer had to approve license.issue, and nobody did',
      },
    ]);
  });
});

describe('the token of tally init', () => {
  it('is told nothing where the log is not sound, so that nobody in it can be read', async () => {
    const { ledger, world } = office;
    const [entry, size] = [await world.store.entry(3), await world.store.size()];
    if (entry === undefined) throw new Error('no entry 3');
    await world.store.append({ size, entries: [{ ...entry, index: size }], causes: [] });
    await expect(office.system({ type: 'license.issue', plan: 'pro' })).rejects.toThrow();
    expect(ledger.mutations).toMatchObject({ problem: 'integrity' });

    const directory = new Directory();
    await new AccessRegister(ledger, directory, () => {}).load(() => {});
    const { governing, now } = office.gatekeeper;
    const gatekeeper = new Gatekeeper({ directory, governing, now, onAlarm: () => {} });
    const { asked } = office.judgment('Ada', 'access.list');
    if (asked === null) throw new Error('nobody asks');
    const token = { principal: 'bootstrap', kind: 'bootstrap', credential: 'bootstrap' } as const;
    const service = new LedgerService(
      ledger,
      {} as never,
      (code) => ({ code, detail: '' }),
      () => ({}) as never,
      { needs: gatekeeper.needs, onRecovery: () => {} },
    );
    const judgment = (action: string): Judgment =>
      gatekeeper.open({ ...asked, action, caller: { ...asked.caller, ...token } });
    const described = judgment('access.list');
    described.read(bareResource('Log'));
    await expect(service.describe(null, described)).rejects.toMatchObject({ problem: 'integrity' });
    const sessions = service.maySessions({ owner: null }, judgment('session.list'));
    await expect(sessions).rejects.toMatchObject({ problem: 'integrity' });
  });
});

describe('a server that follows a log', () => {
  it('reads who may use the system once at a time, and again for what was published meanwhile', async () => {
    const { promise: slow, resolve: goOn } = Promise.withResolvers<void>();
    let reads = 0;
    const listed = async (type: string) => {
      if (type === 'principal') reads += 1;
      await slow;
      return [];
    };
    const log = { read: { listed, current: async () => undefined }, mutations: null } as never;
    const register = new AccessRegister(log, new Directory(), () => {});
    const first = register.follow(7, () => {});
    for (const size of [8, 9, 10]) void register.follow(size, () => {});
    expect(reads).toBe(1);
    goOn();
    await first;
    await register.follow(7, () => {});
    expect(reads).toBe(1);
    await register.follow(10, () => {});
    expect(reads).toBe(2);
  });
});
