/** Random commands, in parallel and through crashes, end where the same commands end one after the other in memory. */
import type { Command, Current } from '@tallystick/license';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLog } from './support/check-log.ts';
import { CrashingSystem } from './support/crashing-system.ts';

type LicenseState = 'active' | 'suspended' | 'revoked';

/** The smallest model of what the commands below do. */
class Model {
  readonly licenses: { state: LicenseState; customer: number | null; revs: number }[] = [];
  readonly customers: { reference: string; state: 'active' | 'merged' | 'erased' }[] = [];

  /** True where the command is carried out. */
  run(step: Step): boolean {
    if (step.do === 'issue') {
      const customer = step.customer === null ? null : this.customers[step.customer];
      if (customer === undefined || (customer !== null && customer.state !== 'active')) return false;
      this.licenses.push({ state: 'active', customer: step.customer, revs: 1 });
      return true;
    }
    if (step.do === 'customer') return this.#create(step.reference);
    if (step.do === 'erase') return this.#erase(step.customer);
    const license = this.licenses[step.license];
    if (license === undefined) return false;
    const next = transitions[step.do][license.state];
    if (next === undefined) return false;
    license.state = next;
    license.revs += 1;
    return true;
  }

  #create(reference: string): boolean {
    if (this.customers.some((each) => each.reference === reference && each.state !== 'erased')) return false;
    this.customers.push({ reference, state: 'active' });
    return true;
  }

  #erase(nth: number): boolean {
    const customer = this.customers[nth];
    if (customer === undefined || customer.state === 'erased') return false;
    customer.state = 'erased';
    for (const license of this.licenses) if (license.customer === nth) license.revs += 1;
    return true;
  }
}

const transitions: Record<'suspend' | 'reinstate' | 'revoke', Partial<Record<LicenseState, LicenseState>>> = {
  suspend: { active: 'suspended' },
  reinstate: { suspended: 'active' },
  revoke: { active: 'revoked', suspended: 'revoked' },
};

type Step =
  | { do: 'issue'; customer: number | null }
  | { do: 'customer'; reference: string }
  | { do: 'erase'; customer: number }
  | { do: 'suspend' | 'reinstate' | 'revoke'; license: number };

const small = fc.nat(3);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('issue' as const), customer: fc.option(small, { nil: null }) }),
  fc.record({ do: fc.constant('customer' as const), reference: fc.constantFrom('a', 'b', 'c') }),
  fc.record({ do: fc.constant('erase' as const), customer: small }),
  fc.record({
    do: fc.constantFrom('suspend' as const, 'reinstate' as const, 'revoke' as const),
    license: small,
  }),
);

function commandOf(step: Step, ids: { licenses: string[]; customers: string[] }): Command {
  const unknown = (prefix: string): string => `${prefix}_00000000000000000000000000`;
  const customer = (nth: number): string => ids.customers[nth] ?? unknown('cus');
  switch (step.do) {
    case 'issue':
      return {
        type: 'license.issue',
        plan: 'pro',
        customer: step.customer === null ? null : customer(step.customer),
      };
    case 'customer':
      return { type: 'customer.create', reference: step.reference };
    case 'erase':
      return { type: 'customer.erase', customer: customer(step.customer) };
    case 'revoke':
      return {
        type: 'license.revoke',
        license: ids.licenses[step.license] ?? unknown('lic'),
        reason: 'refund',
      };
    case 'suspend':
      return {
        type: 'license.suspend',
        license: ids.licenses[step.license] ?? unknown('lic'),
        reason: 'payment',
      };
    case 'reinstate':
      return { type: 'license.reinstate', license: ids.licenses[step.license] ?? unknown('lic') };
  }
}

/** One round: steps that are sent at once, and what happens around them. */
const round = fc.record({
  steps: fc.array(anyStep, { minLength: 1, maxLength: 8 }),
  after: fc.constantFrom('nothing', 'publish', 'crash', 'crash'),
});

describe('random commands through the ledger', () => {
  it('with crashes in between end in the state of a sequential model', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
        await using system = await CrashingSystem.start();
        await system.sell();
        const model = new Model();
        const ids = { licenses: [] as string[], customers: [] as string[] };
        for (const { steps, after } of rounds) {
          // Ids that a round makes are known from the next one on, so the model gets them then as well.
          const known = { licenses: [...ids.licenses], customers: [...ids.customers] };
          const sendable = steps.filter((each) => isAboutKnown(each, known));
          const outcomes = await Promise.all(sendable.map((each) => system.submit(commandOf(each, known))));
          for (const [nth, outcome] of outcomes.entries()) {
            const isDone = model.run(sendable[nth]!);
            expect('changes' in outcome, JSON.stringify({ step: sendable[nth], outcome })).toBe(isDone);
            if (!('changes' in outcome)) continue;
            const id = outcome.changes[0]!.change.subject.id;
            if (sendable[nth]!.do === 'issue') ids.licenses.push(id);
            if (sendable[nth]!.do === 'customer') ids.customers.push(id);
          }
          if (after === 'publish') await system.published();
          if (after === 'crash') await system.crash();
          await system.ready();
        }
        await matches(system, model, ids);
      }),
      { numRuns: 25 },
    );
  });
});

function isAboutKnown(step: Step, known: { licenses: string[]; customers: string[] }): boolean {
  if ('license' in step) return step.license < known.licenses.length;
  if ('customer' in step && step.customer !== null) return step.customer < known.customers.length;
  return true;
}

async function matches(
  system: CrashingSystem,
  model: Model,
  ids: { licenses: string[]; customers: string[] },
): Promise<void> {
  await system.published();
  const { subjects } = await checkLog(system.inner);
  for (const [nth, id] of ids.licenses.entries()) {
    const current = (await system.ledger.read.current(id)) as Current<'license'>;
    expect(current.document.status.state).toBe(model.licenses[nth]!.state);
    expect(subjects.get(id)).toHaveLength(model.licenses[nth]!.revs);
  }
  for (const [nth, id] of ids.customers.entries()) {
    const current = (await system.ledger.read.current(id)) as Current<'customer'>;
    const expected = model.customers[nth]!;
    expect(current.document.state).toBe(expected.state);
    if (expected.state === 'active') {
      expect(await system.ledger.read.resolve({ reference: expected.reference })).toBe(id);
    }
  }
  const listed = await system.ledger.read.licenses({}, { before: '~', limit: 1000 });
  expect(listed.map(({ content }) => content.id).sort()).toEqual([...ids.licenses].sort());
}
