/** What the erasure of a customer does to commands that waited for approval and speak of it, on a real ledger. */
import { fsck, replayDecisions } from '@tallystick/audit';
import { defaultPolicyDocument, type SignedRequest } from '@tallystick/gate';
import type { Command } from '@tallystick/license';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onlineKeys } from '../src/index.ts';
import { longSale, Office } from './support/office.ts';

let office: Office;

beforeAll(async () => {
  office = await Office.withApprovers();
});
afterAll(() => office[Symbol.asyncDispose]());

/** As it would be signed, taken as proven. */
function signedFor(command: Command): SignedRequest {
  const body = Buffer.from(JSON.stringify(command)).toString('base64');
  return { base: `"@path": /for/${JSON.stringify(command)}`, signature: '', keyid: '', alg: 'ed25519', body };
}

async function waiting(author: string, command: Command) {
  const key = JSON.stringify(command).length.toString();
  const said = { key: `${author}-${key}`, signed: signedFor(command) };
  const { code, approval } = await office.refusal(author, command, said);
  expect(code).toBe('approval_required');
  return { approval, key: `${author}-${key}` };
}

describe('erasing a customer', () => {
  const textOf = async (): Promise<string> => {
    const entries = await office.world.store.entries(0, office.ledger.size);
    const causes = await office.world.store.causes(0, office.ledger.size);
    const parts = [
      ...entries.map(({ content }) => content?.document),
      ...causes.flatMap((cause) => [cause.document, cause.signed?.bytes]),
    ];
    return parts.map((bytes) => Buffer.from(bytes ?? []).toString()).join();
  };
  const approved = async (command: Command): Promise<string> => {
    const { approval } = await waiting('Ivo', command);
    const { execution } = await office.ask('Ina', { type: 'approval.approve', approval });
    expect(execution).toMatchObject({ done: true });
    return approval;
  };

  it('reaches the commands that waited for approval and speak of it, and no others', async () => {
    const content = defaultPolicyDocument();
    const actions = ['customer.create', 'customer.update', 'customer.erase'];
    const rule = { actions, above: null, approvers: [{ role: 'issuer', count: 1 }], within: 'P1D' };
    await office.system({ type: 'policy.publish', ...content, approvals: [...content.approvals, rule] });
    const made = await approved({ type: 'customer.create', reference: 'jane', name: 'Jane Doe' });
    const [customer = ''] = (await office.request(made)).customers ?? [];
    expect(customer).toMatch(/^cus_/);
    const sold = await approved({ ...longSale, customer: 'jane', licensee: 'Jane Doe' });
    const renamed = await approved({ type: 'customer.update', customer: 'jane', name: 'Jane Roe' });
    const { approval: open } = await waiting('Ivo', { ...longSale, customer, licensee: 'Mrs. Doe' });
    const { approval: other } = await waiting('Ivo', { ...longSale, licensee: 'Contoso' });
    const kept = await office.request(other);
    expect(await textOf()).toContain('Jane Doe');
    expect(await textOf()).toContain('/for/{\\"type\\":\\"customer.create\\"');
    const executed = await office.ledger.read.history(made, Number.MAX_SAFE_INTEGER, 1);
    expect(executed[0]?.signed?.base).toContain('Jane Doe');

    const { approval: erasing, key } = await waiting('Ada', { type: 'customer.erase', customer: 'jane' });
    await office.ask('Ina', { type: 'approval.approve', approval: erasing });
    await office.later(0);
    expect(await textOf()).not.toMatch(/[Jj]ane|Doe|Roe/);
    const states = [];
    for (const approval of [made, sold, renamed, open, erasing]) {
      const { state, command, approvals, why } = await office.request(approval);
      states.push([state, command, approvals.length, why]);
    }
    expect(states).toEqual([
      ['executed', { type: 'customer.create' }, 1, 'T-1'],
      ['executed', { type: 'license.issue' }, 1, 'T-1'],
      ['executed', { type: 'customer.update' }, 1, 'T-1'],
      ['withdrawn', { type: 'license.issue' }, 0, 'T-1'],
      ['executed', { type: 'customer.erase' }, 1, 'T-1'],
    ]);
    expect(await office.request(other)).toEqual(kept);
    await expect(office.ask('Ina', { type: 'approval.approve', approval: open })).rejects.toMatchObject({
      code: 'state_forbids',
    });
    await office.restart();
    await expect(office.ask('Ada', { type: 'customer.erase', customer: 'jane' }, { key })).rejects.toThrow(
      'what this request changed was erased since',
    );
  });

  it('is refused a command whose signed request somebody deleted', async () => {
    const { approval } = await waiting('Ivo', { ...longSale, licensee: 'Fabrikam' });
    const { store } = office.world;
    const [first] = await office.ledger.read.history(approval, 1, 1);
    const cause = store.cause.bind(store);
    const index = first?.revision.index ?? -1;
    store.cause = async (at) => {
      const stored = await cause(at);
      return at === index && stored !== undefined ? { ...stored, signed: null } : stored;
    };
    const { execution } = await office.ask('Ina', { type: 'approval.approve', approval });
    expect(execution).toMatchObject({ done: false, problem: { code: 'integrity' } });
    store.cause = cause;
    await office.ask('Ivo', { type: 'approval.withdraw', approval });
    await office.later(0);
  });

  it('fits, what was erased of requests included', async () => {
    const { store, identity, trust } = office.world;
    const keys = onlineKeys(identity.keys).map(({ publicKey }) => publicKey);
    const parts = { store, genesis: trust.genesis, ns: 'acme', keys, projections: null, mark: null };
    const now = Math.floor(office.world.now() / 1000) + 60;
    const { problems, counts } = await fsck(parts, { now, workers: 0 });
    expect(problems).toEqual([]);
    expect(counts.erased).toBeGreaterThan(5);
    expect(counts.erasedRequests).toBeGreaterThan(5);
    expect(counts.requests).toBe(2);
  });

  it('leaves a log in which nothing else is found, and what is gone is counted', async () => {
    const { findings, counts } = await replayDecisions(office.world.store, { from: null, to: null });
    expect(findings.filter(({ index }) => !office.unjudged.has(index))).toEqual([]);
    expect(counts.removed).toBeGreaterThan(3);
  });
});
