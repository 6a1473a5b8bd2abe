/** Erasure: what a customer asked to be forgotten is gone from store, history and projections, also after a crash. */
import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLog } from './support/check-log.ts';
import { CrashingSystem, rowsOf } from './support/crashing-system.ts';

const personal = 'Erika Mustermann';
let system: CrashingSystem;
let customer: string;
let licenses: string[];

beforeEach(async () => {
  system = await CrashingSystem.start();
  await system.sell();
  customer = await system.make({
    type: 'customer.create',
    reference: 'erika',
    name: personal,
    email: 'erika@example.org',
  });
  licenses = [];
  for (let count = 0; count < 3; count++) {
    licenses.push(
      await system.make({
        type: 'license.issue',
        plan: 'pro',
        customer,
        licensee: personal,
        companion: { notes: `call ${personal}` },
      }),
    );
  }
  await system.make({ type: 'customer.update', customer, name: `${personal} II` });
  await system.make({ type: 'license.amend', license: licenses[0]!, licensee: `${personal} II` });
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

/** Everything that the store holds, as text. */
async function storedText(): Promise<string> {
  const entries = await system.inner.entries(0, 10_000);
  const causes = await system.inner.causes(0, 10_000);
  const bytes = [
    ...entries.flatMap(({ entry, content }) => [entry, content?.document, content?.companion]),
    ...causes.map(({ document }) => document),
  ];
  return bytes.map((each) => Buffer.from(each ?? []).toString('utf8')).join('\n');
}

async function isForgotten(): Promise<void> {
  await system.published();
  const text = await storedText();
  expect(text).not.toContain('Mustermann');
  expect(text).not.toContain('erika');
  for (const id of [customer, ...licenses]) {
    const history = await system.ledger.read.history(id, Number.MAX_SAFE_INTEGER, 100);
    expect(history.length).toBeGreaterThan(1);
    const [newest, ...earlier] = history.map(({ revision }) => revision.current);
    expect(newest).not.toBeNull();
    expect(earlier.every((current) => current === null)).toBe(true);
    expect(history.every(({ cause }) => cause.command.length > 0)).toBe(true);
  }
  expect(await system.ledger.read.resolve({ reference: 'erika' })).toBeUndefined();
  for (const license of licenses) expect(await system.ledger.bundle(license)).not.toContain('Mustermann');
  await checkLog(system.inner);
}

describe('an erased customer', () => {
  it('is gone from every row and from the history, with its licenses still proven', async () => {
    expect(await storedText()).toContain('Mustermann');
    await system.make({ type: 'customer.erase', customer });
    await isForgotten();
  });

  it('frees its reference at once, for another customer', async () => {
    const [, other] = await Promise.all([
      system.make({ type: 'customer.erase', customer }),
      system.make({ type: 'customer.create', reference: 'erika', name: 'Another' }),
    ]);
    expect(await system.ledger.read.resolve({ reference: 'erika' })).toBe(other);
    await system.crash();
    await system.ready();
    expect(await system.ledger.read.resolve({ reference: 'erika' })).toBe(other);
  });

  it('stays erased while other commands come in before and after it', async () => {
    const work = Array.from({ length: 40 }, (_, nth) =>
      nth === 20
        ? system.make({ type: 'customer.erase', customer })
        : system.make({ type: 'license.issue', plan: 'pro' }, `order-${nth}`),
    );
    await Promise.all(work);
    await isForgotten();
    expect(await system.ledger.read.licenses({}, { before: '~', limit: 100 })).toHaveLength(42);
  });

  it('is not carried out twice, and asks for nothing the second time', async () => {
    await system.make({ type: 'customer.erase', customer }, 'erase');
    const again = await system.submit({ type: 'customer.erase', customer }, 'erase');
    expect(again).toMatchObject({ repeated: true });
    const other = await system.submit({ type: 'customer.erase', customer }, 'erase-2');
    expect(other).toMatchObject({ refused: { code: 'state_forbids' } });
  });

  it('whose creation is asked for again under its key is not given out again', async () => {
    const create = { type: 'customer.create', reference: 'max', name: 'Max Mustermann' } as const;
    const id = await system.make(create, 'create-max');
    await system.published();
    await system.make({ type: 'customer.erase', customer: id });
    await system.published();
    await expect(system.submit(create, 'create-max')).rejects.toMatchObject({
      problem: 'idempotency_key_reused',
      message: expect.stringContaining('erased'),
    });
  });
});

describe('a crash between the commit of an erasure and its shredding', () => {
  it('is made up for at the next start', async () => {
    system.store.hold('shred');
    await system.make({ type: 'customer.erase', customer });
    await after(50);
    expect(await storedText()).toContain('Mustermann');
    await system.crash();
    expect(await storedText()).not.toContain('Mustermann');
    await system.ready();
    await isForgotten();
  });

  it('is made up for where the projections were lost as well', async () => {
    system.store.hold('shred');
    await system.make({ type: 'customer.erase', customer });
    system.projections.clear();
    await system.crash();
    await system.ready();
    await isForgotten();
  });

  it('is made up for where what is read at once ends in the middle of its command', async () => {
    await Promise.all(Array.from({ length: 900 }, () => system.make({ type: 'license.issue', plan: 'pro' })));
    while (system.ledger.size < 997) await system.make({ type: 'license.issue', plan: 'pro' });
    system.store.hold('shred');
    const erased = await system.submit({ type: 'customer.erase', customer });
    const indexes = 'changes' in erased ? erased.changes.map(({ index }) => index ?? 0) : [];
    expect([Math.min(...indexes) < 1000, Math.max(...indexes) >= 1000]).toEqual([true, true]);
    system.projections.clear();
    await system.crash();
    await system.ready();
    await isForgotten();
  });

  it.each([1, 2, 3])('is made up for even where the start fails at it %d times', async (times) => {
    system.store.hold('shred');
    await system.make({ type: 'customer.erase', customer });
    await after(20);
    for (let count = 0; count < times; count++) {
      system.onOpen = (store) => store.fail('shred', 'did nothing');
      await expect(system.crash()).rejects.toMatchObject({ name: 'StoreFault' });
    }
    await system.crash();
    await system.ready();
    await isForgotten();
  });
});

describe('a merged customer', () => {
  it('hands over its licenses and keeps its reference', async () => {
    const into = await system.make({ type: 'customer.create', reference: 'heir' });
    await system.make({ type: 'customer.merge', customer, into });
    const moved = await system.ledger.read.licenses({ customer: into }, { before: '~', limit: 10 });
    expect(moved.map(({ content }) => content.id).sort()).toEqual([...licenses].sort());
    expect(await system.ledger.read.licenses({ customer }, { before: '~', limit: 10 })).toEqual([]);
    expect(await system.ledger.read.resolve({ reference: 'erika' })).toBe(customer);
    await system.published();
    await checkLog(system.inner);
  });

  it('receives nothing that is issued to it at the same moment: each license ends with the heir or is refused', async () => {
    const into = await system.make({ type: 'customer.create', reference: 'heir' });
    const issue = () => system.submit({ type: 'license.issue', plan: 'pro', customer });
    const before = Array.from({ length: 30 }, issue);
    const merge = system.submit({ type: 'customer.merge', customer, into });
    const outcomes = await Promise.all([...before, merge, ...Array.from({ length: 30 }, issue)]);
    const made = outcomes.filter((outcome) => 'changes' in outcome && outcome.changes.length === 1);
    const heirs = await system.ledger.read.licenses({ customer: into }, { before: '~', limit: 200 });
    expect(await system.ledger.read.licenses({ customer }, { before: '~', limit: 200 })).toEqual([]);
    expect(heirs).toHaveLength(3 + made.length);
  });
});

describe('projections', () => {
  it('of a system that erased hold nothing personal in any row', async () => {
    await system.make({ type: 'customer.erase', customer });
    await system.published();
    const rows = rowsOf(system.projectionsFile);
    expect(Object.keys(rows)).toContain('names');
    expect(JSON.stringify(rows)).not.toContain('erika');
  });
});
