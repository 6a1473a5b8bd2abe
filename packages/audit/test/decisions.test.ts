/** A log whose changes were let through by decisions, honest ones and others, and what replaying them tells. */
import { setTimeout as after } from 'node:timers/promises';
import {
  bareResource,
  type Caller,
  type DecisionInput,
  defaultPolicyDocument,
  describe as describeRequest,
  effectOf,
  type PolicySource,
  resourceOf,
} from '@tallystick/gate';
import { PolicyEngine } from '@tallystick/gate/policy';
import { type CauseDecision, SqliteStore } from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import type { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replayDecisions } from '../src/index.ts';
import { flip } from './support/tamper.ts';
import { Copy, makeLog, removeLog, type VariedLog } from './support/varied-log.ts';

const everything = { from: null, to: null };
const stricter: PolicySource = {
  ...defaultPolicyDocument(),
  policies: [
    ...defaultPolicyDocument().policies,
    { id: 'no-renewals', lines: ['forbid(principal, action == Action::"license.renew", resource);'] },
  ],
};

/** Who asks, and what the server says of the decision besides the truth. */
interface Ask {
  principal: string;
  kind: DecisionInput['principal']['kind'];
  roles: string[];
  why?: string | null;
  /** What it decides on instead. */
  instead?: (input: DecisionInput) => DecisionInput;
  forge?: (decision: Exclude<CauseDecision, { same: number }>) => CauseDecision;
}

/** A server that decides with Cedar and writes what it likes into the cause. */
class Gated {
  readonly system: TestSystem;
  engine = new PolicyEngine(defaultPolicyDocument());

  constructor(system: TestSystem) {
    this.system = system;
  }

  /** Returns the id of the subject, and the log index of the command. */
  async run(command: Command, ask: Ask): Promise<{ id: string; index: number }> {
    const {
      principal,
      kind,
      roles,
      why = 'TICKET-1',
      instead = (truth) => truth,
      forge = (honest) => honest,
    } = ask;
    const cause = { who: { kind, id: principal }, why };
    const actor = { principal, credential: `crd_${kind}`, session: null };
    const gate = { actor, why, approvals: [], policy: this.engine.policy };
    const result = await this.system.ledger.submit({
      command,
      cause,
      gate,
      request: null,
      dryRun: false,
      judge: (view, changes, circumstances) => {
        const document = changes[0]?.document;
        const caller = { ...callerOf(ask), steppedUpAt: circumstances.at };
        const input = instead(
          describeRequest(
            { caller, action: command.type, zone: 'admin' },
            roles,
            document === undefined ? bareResource('Log') : resourceOf(document, () => undefined),
            effectOf(changes, (type, id) => view.subject(type, id)?.document),
            {
              ...circumstances,
              reason: why !== null,
              approved: false,
              stepUp: 'PT5M',
              roles: this.engine.roles,
            },
          ),
        );
        const { policy, schema, entities, reasons } = this.engine.decide(input);
        const decision = forge({ policy, schema, reasons, entities, input });
        const shown = { credential: actor.credential, session: null, device: null, address: null };
        return { ...cause, gate: { ...shown, decision, approvals: null, signed: null } };
      },
    });
    if ('refused' in result) throw new Error(result.refused.message);
    const [first] = result.changes;
    return { id: first?.change.subject.id ?? '', index: first?.index ?? -1 };
  }
}

function callerOf({ principal, kind }: Ask): Caller {
  return {
    principal,
    kind,
    credential: `crd_${kind}`,
    session: null,
    strength: kind === 'person' ? 3 : 1,
    authenticatedAt: '2026-01-01T00:00:00.000Z',
    steppedUpAt: null,
    address: '127.0.0.1',
    networks: [],
    device: null,
    signed: null,
    purpose: null,
  };
}

let log: VariedLog;
const at: Record<string, number> = {};
let middle = '';
let issuer = '';

const issue: Command = { type: 'license.issue', plan: 'pro-yearly' };
const bootstrap: Ask = { principal: 'bootstrap', kind: 'bootstrap', roles: ['bootstrap'] };

interface Staff {
  iris: Ask;
  ada: Ask;
  sue: Ask;
  /** A license that Iris has issued. */
  license: string;
}

beforeAll(async () => {
  log = await makeLog(async (system) => {
    await system.sellPro();
    const gated = new Gated(system);
    const staff = await workHonestly(gated);
    await lieAboutChanges(gated, staff);
    await lieAboutDecisions(gated, staff);
    await after(5);
    middle = new Date().toISOString();
    await lieAboutPolicies(gated, staff);
    const unjudged = await system.run(issue);
    at['undecided'] = unjudged.changes[0]?.index ?? -1;
  });
});

async function hire(gated: Gated, name: string, role: string, products?: string[]): Promise<Ask> {
  const roles = [{ role, ...(products && { products }) }];
  const { id } = await gated.run({ type: 'principal.create', kind: 'person', name, roles }, bootstrap);
  return { principal: id, kind: 'person', roles: [role] };
}

async function lie(gated: Gated, what: string, ask: Ask, command: Command = issue): Promise<void> {
  at[what] = (await gated.run(command, ask)).index;
}

async function workHonestly(gated: Gated): Promise<Staff> {
  const iris = await hire(gated, 'Iris', 'issuer');
  const ada = await hire(gated, 'Ada', 'administrator');
  const sue = await hire(gated, 'Sue', 'support');
  issuer = iris.principal;
  const { id: license, index } = await gated.run(issue, iris);
  await gated.run(issue, { ...iris, forge: () => ({ same: index }) });
  await gated.run({ type: 'license.renew', license }, iris);
  return { iris, ada, sue, license };
}

async function lieAboutChanges(gated: Gated, { ada, sue, license }: Staff): Promise<void> {
  const fewDays = (input: DecisionInput) => ({ ...input, context: { ...input.context, extendsDays: 20 } });
  await lie(gated, 'amount', { ...sue, instead: fewDays }, { type: 'license.renew', license });
  const suspends = (input: DecisionInput) => ({ ...input, action: 'license.suspend' });
  const revocation: Command = { type: 'license.revoke', license, reason: 'refund' };
  await lie(gated, 'action', { ...sue, instead: suspends }, revocation);
  const owns = (input: DecisionInput) => ({ ...input, resource: { ...input.resource, own: true } });
  const credential = { kind: 'api_key', name: 'key', material: {}, lookup: 'a'.repeat(44) } as const;
  const takeover: Command = { type: 'credential.create', principal: issuer, ...credential };
  await lie(gated, 'own', { ...sue, instead: owns }, takeover);
  await gated.run({ type: 'product.create', code: 'other', name: 'Other' }, bootstrap);
  await lie(gated, 'product', await hire(gated, 'Otto', 'issuer', ['other']));
  await lie(gated, 'roles', { ...ada, roles: ['issuer'] });
}

async function lieAboutDecisions(gated: Gated, { iris, ada }: Staff): Promise<void> {
  await lie(gated, 'stranger', { ...iris, principal: 'prn_nobody' });
  await lie(gated, 'denied', ada);
  await lie(gated, 'reasons', { ...iris, forge: (told) => ({ ...told, reasons: ['bootstrap'] }) });
  await lie(gated, 'hash', { ...iris, forge: (told) => ({ ...told, entities: told.policy }) });
  await lie(gated, 'other input', {
    ...iris,
    why: null,
    instead: (input) => ({ ...input, context: { ...input.context, reason: true } }),
  });
  await lie(gated, 'unknown policy', { ...iris, forge: (told) => ({ ...told, policy: told.schema }) });
  await lie(gated, 'dangling', { ...iris, forge: () => ({ same: 0 }) });
  await lie(gated, 'nothing', { ...iris, forge: () => ({}) as CauseDecision });
}

async function lieAboutPolicies(gated: Gated, { iris, ada }: Staff): Promise<void> {
  const content = { ...defaultPolicyDocument(), policies: [...stricter.policies] };
  await lie(gated, 'published', ada, { type: 'policy.publish', ...content } as Command);
  await lie(gated, 'old policy', iris);
  gated.engine = new PolicyEngine(stricter);
  await gated.run(issue, iris);
  await gated.run({ type: 'principal.disable', principal: issuer }, ada);
  await lie(gated, 'disabled', iris);
  await lie(gated, 'token', bootstrap);
}

afterAll(() => {
  removeLog(log);
});

describe('replaying decisions', () => {
  test('finds each lie at its place, and nothing about what was decided honestly', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    const { ok, findings, counts } = await replayDecisions(store, everything);
    expect(ok).toBe(false);
    const found = findings.map(({ index, kind, message }) => [index, kind, message]);
    expect(found).toEqual([
      [at['amount'], 'change', 'it was decided on extendsDays 20, and the change says 365'],
      [at['action'], 'change', 'it was decided on license.suspend, and license.revoke was carried out'],
      [at['own'], 'change', 'it was decided on something of the caller'],
      [at['product'], 'roles', expect.stringContaining('did not have the role issuer for pro')],
      [at['roles'], 'roles', expect.stringContaining('did not have the role issuer')],
      [at['stranger'], 'roles', expect.stringContaining('no principal prn_nobody')],
      [at['denied'], 'verdict', 'it is denied by administrator-does-not-sell'],
      [at['reasons'], 'verdict', 'it was allowed by bootstrap, and is by issuer-sells'],
      [at['hash'], 'input', expect.stringContaining('not what its hash says')],
      [at['other input'], 'input', expect.stringContaining('context.reason true')],
      [at['unknown policy'], 'policy', expect.stringContaining('neither the log has')],
      [at['dangling'], 'unreadable', expect.stringContaining('nothing is there')],
      [at['nothing'], 'unreadable', 'its decision cannot be read'],
      [at['old policy'], 'policy', expect.stringContaining('another policy than the one that was in force')],
      [at['disabled'], 'roles', `${issuer} was disabled`],
      [at['token'], 'roles', expect.stringContaining('once there was an administrator')],
      [at['undecided'], 'undecided', expect.stringContaining('test test asked for license.issue')],
    ]);
    expect(counts).toMatchObject({ policies: 2, undecided: 5 });
    expect(counts.commands).toBe(counts.decided + counts.undecided);
  });

  test('looks at the span that it is asked for alone, with what was in force then', async () => {
    await using store = SqliteStore.open(log.storeFile, { readOnly: true });
    const late = await replayDecisions(store, { from: middle, to: null });
    // What cannot be read has no time, and so belongs to every span.
    expect(late.findings.filter(({ kind }) => kind !== 'unreadable').map(({ index }) => index)).toEqual([
      at['old policy'],
      at['disabled'],
      at['token'],
      at['undecided'],
    ]);
    const none = await replayDecisions(store, {
      from: '2001-01-01T00:00:00.000Z',
      to: '2001-01-02T00:00:00.000Z',
    });
    expect(none.counts.commands).toBe(0);
  });
});

describe('a log that somebody tampered with', () => {
  const replay = async (tampered: VariedLog) => {
    await using store = SqliteStore.open(tampered.storeFile, { readOnly: true });
    return (await replayDecisions(store, everything)).findings;
  };

  test.each([
    ['the reason in a cause', 'causes', 'document', 'denied', 'the cause is not the one committed to'],
    ['an entry', 'entries', 'entry', 'denied', 'the entry is not the one logged'],
    [
      'the policy that was published',
      'contents',
      'document',
      'published',
      'the document is not the one committed to',
    ],
  ])('is named at %s', async (_what, table, column, place, message) => {
    using copy = new Copy(log);
    const index = at[place] ?? -1;
    copy.tamper((database) => flip(database, table, column, index, -40));
    expect(await replay(copy.log)).toContainEqual({ index, kind: 'unreadable', message });
  });

  test('is named where a cause is gone', async () => {
    using copy = new Copy(log);
    const index = at['old policy'] ?? -1;
    copy.tamper((database) => database.prepare('DELETE FROM causes WHERE idx = ?').run(index));
    expect(await replay(copy.log)).toContainEqual({
      index,
      kind: 'unreadable',
      message: 'the cause of the command is missing',
    });
  });
});
