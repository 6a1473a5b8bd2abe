/** What was asked for before a restart counts on behind it, on a real ledger. */
import { defaultPolicyDocument } from '@tallystick/gate';
import { MemoryStore } from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import { signedRevision } from '@tallystick/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Office } from './support/office.ts';

const perHour = 2;

let office: Office;
let store: MemoryStore;

beforeEach(async () => {
  store = new MemoryStore();
  office = await Office.open(store);
  await office.hire('Ada', 'administrator');
  for (const name of ['Ivo', 'Ina']) await office.hire(name, 'issuer');
  const content = defaultPolicyDocument();
  const above = { termDays: null, seats: null, perHour };
  const approvers = [{ role: 'issuer', count: 1 }] as const;
  const actions = ['license.suspend', 'license.replace'];
  const rule = { actions, above, approvers: [...approvers], within: 'P1D' };
  await office.system({ type: 'policy.publish', ...content, approvals: [...content.approvals, rule] });
});
afterEach(() => office[Symbol.asyncDispose]());

const sold = (): Promise<string> => office.system({ type: 'license.issue', plan: 'pro' });
const suspend = async (): Promise<Command> => ({
  type: 'license.suspend',
  license: await sold(),
  reason: 'payment',
});
const replace = async (): Promise<Command> => ({ type: 'license.replace', license: await sold() });

async function codes(name: string, commands: readonly Command[]): Promise<string[]> {
  const answers: string[] = [];
  for (const command of commands) answers.push((await office.refusal(name, command)).code);
  return answers;
}

it('one command of two records counts once', async () => {
  expect(await codes('Ivo', [await replace()])).toEqual(['done']);
  await office.restart();
  expect(await codes('Ivo', [await suspend(), await suspend()])).toEqual(['done', 'approval_required']);
  expect(await codes('Ina', [await suspend()])).toEqual(['done']);
});

it('also where an authority has signed something long before that came in behind it', async () => {
  expect(await codes('Ivo', [await suspend(), await suspend()])).toEqual(['done', 'done']);
  await office.ledger.reviseNamespace(await signedRevision(office, { at: -2 * 3_600_000 }), false);
  await office.restart();
  expect(await codes('Ivo', [await suspend()])).toEqual(['approval_required']);
});

it('and everybody has asked too often where a cause was removed', async () => {
  expect(await codes('Ivo', [await suspend()])).toEqual(['done']);
  const [causes, cause] = [store.causes.bind(store), store.cause.bind(store)];
  const removed = (await office.ledger.read.recordsBetween(0, 1000)).at(-1)?.index ?? 0;
  store.causes = async (from, to) => (await causes(from, to)).filter(({ index }) => index !== removed);
  store.cause = async (index) => (index === removed ? undefined : cause(index));
  await office.restart();
  expect(await codes('Ina', [await suspend()])).toEqual(['approval_required']);
});

it('and meanwhile the commands wait that it matters to, and no others', async () => {
  expect(await codes('Ivo', [await suspend()])).toEqual(['done']);
  const causes = store.causes.bind(store);
  const held = Promise.withResolvers<void>();
  let isAsked = false;
  store.causes = async (from, to) => {
    isAsked = true;
    await held.promise;
    return causes(from, to);
  };
  await office.restart();
  const license = await sold();
  const answers: string[] = [];
  const suspended = Promise.all(
    [await suspend(), await suspend()].map(async (command) => {
      answers.push((await office.refusal('Ivo', command)).code);
    }),
  );
  expect(await codes('Ivo', [{ type: 'license.renew', license }])).toEqual(['done']);
  expect([isAsked, answers]).toEqual([true, []]);
  held.resolve();
  await suspended;
  expect(answers.toSorted()).toEqual(['approval_required', 'done']);
});

it('and where they are approved while it goes on, counting begins anew behind that', async () => {
  expect(await codes('Ivo', [await suspend(), await suspend()])).toEqual(['done', 'done']);
  const third = await suspend();
  const { approval } = await office.refusal('Ivo', third);
  const causes = store.causes.bind(store);
  const held = Promise.withResolvers<void>();
  store.causes = async (from, to) => {
    await held.promise;
    return causes(from, to);
  };
  await office.restart();
  await office.ask('Ina', { type: 'approval.approve', approval });
  held.resolve();
  expect(await codes('Ivo', [await suspend(), await suspend(), await suspend()])).toEqual([
    'done',
    'done',
    'approval_required',
  ]);
});
