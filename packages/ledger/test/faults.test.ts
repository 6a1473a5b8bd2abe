/** The disk and the signer fail at every point of a commit, under load: what callers were told stays true. */
import { setTimeout as after } from 'node:timers/promises';
import type { SubmitResult } from '@tallystick/ledger';
import type { FaultKind } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLog } from './support/check-log.ts';
import { CrashingSystem, documentsOf } from './support/crashing-system.ts';

let system: CrashingSystem;

beforeEach(async () => {
  system = await CrashingSystem.start();
  await system.sell();
  await system.published();
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

interface Told {
  key: string;
  /** null where the caller was told that nothing was recorded, or not told anything. */
  id: string | null;
}

function issue(key: string): Promise<SubmitResult> {
  return system.submit({ type: 'license.issue', plan: 'pro', metadata: { key } }, key);
}

/** Issues so many licenses at once that several batches are in flight; says what each caller was told. */
async function load(count: number): Promise<Told[]> {
  const keys = Array.from({ length: count }, (_, nth) => `order-${nth}`);
  const outcomes = await Promise.allSettled(keys.map(issue));
  return outcomes.map((outcome, nth) => {
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toMatchObject({ name: 'LedgerError' });
      return { key: keys[nth]!, id: null };
    }
    return { key: keys[nth]!, id: idOf(outcome.value) };
  });
}

function idOf(result: SubmitResult): string {
  if ('refused' in result) throw new Error(result.refused.code);
  return result.changes[0]?.change.subject.id ?? '';
}

/** Everybody asks again under the same key: each gets one license, and those who had one get the same. */
async function everybodyAsksAgain(told: readonly Told[]): Promise<void> {
  await system.ready();
  const again = await Promise.all(told.map(async ({ key }) => idOf(await issue(key))));
  for (const [nth, { id, key }] of told.entries()) if (id !== null) expect(again[nth], key).toBe(id);
  expect(new Set(again).size).toBe(told.length);
  await system.published();
  const { requests, subjects } = await checkLog(system.inner);
  expect(requests.size).toBe(told.length);
  const licenses = [...subjects.keys()].filter((id) => id.startsWith('lic_'));
  expect(licenses.sort()).toEqual([...again].sort());
  const listed = await system.ledger.read.licenses({}, { before: '~', limit: 1000 });
  expect(listed.map(({ content }) => content.id).sort()).toEqual([...again].sort());
}

/** What failed is not in the log and not in what readers see. */
async function nothingElseIsVisible(told: readonly Told[]): Promise<void> {
  const acknowledged = new Set(told.flatMap(({ id }) => id ?? []));
  const listed = await system.ledger.read.licenses({}, { before: '~', limit: 1000 });
  expect(new Set(listed.map(({ content }) => content.id))).toEqual(acknowledged);
  const { subjects } = await checkLog(system.inner);
  expect([...subjects.keys()].filter((id) => id.startsWith('lic_'))).toHaveLength(acknowledged.size);
}

describe('an append that fails under load', () => {
  const kinds: FaultKind[] = ['did nothing', 'did everything'];
  const cases = kinds.flatMap((kind) => [0, 1, 2, 4].map((skip) => ({ kind, skip })));
  it.each(cases)(
    'and $kind, after $skip good ones: nothing is lost, doubled or shown too early',
    async (fault) => {
      // Two in a row: one of them may be the map root of a checkpoint, which nobody waits for.
      system.store.fail('append', fault.kind, { skip: fault.skip, times: 2 });
      const told = await load(400);
      const failed = told.filter(({ id }) => id === null).length;
      if (fault.kind === 'did everything') expect(failed).toBe(0);
      else expect(failed).toBeGreaterThan(0);
      await nothingElseIsVisible(told);
      await everybodyAsksAgain(told);
    },
  );

  it.each(cases)('and $kind, after $skip good ones: a restart finds the same', async (fault) => {
    system.store.fail('append', fault.kind, { skip: fault.skip });
    const told = await load(120);
    await system.crash();
    await system.ready();
    await nothingElseIsVisible(told);
    await everybodyAsksAgain(told);
  });

  it('again and again, in both ways, leaves a whole log', async () => {
    for (const [nth, kind] of kinds.flatMap((each) => [each, each, each]).entries()) {
      system.store.fail('append', kind, { skip: nth });
    }
    const told = await load(150);
    system.store.mend();
    await everybodyAsksAgain(told);
  });

  it.each(kinds)(
    'and %s, with a disk that then does not answer: the log halts, and a restart knows',
    async (kind) => {
      system.store.fail('append', kind, { skip: 1 });
      system.store.fail('size', 'did nothing', { times: 1000 });
      const told = await load(120);
      expect(told.some(({ id }) => id === null)).toBe(true);
      expect(system.ledger.mutations).toMatchObject({ name: 'LedgerError' });
      expect(system.events.some(({ type }) => type === 'halted')).toBe(true);
      await expect(issue('late')).rejects.toMatchObject({ name: 'LedgerError' });
      await system.crash();
      await everybodyAsksAgain(told);
    },
  );

  it('that writes what others wrote halts the log for good', async () => {
    const foreign = await system.inner.entry(3);
    const size = await system.inner.size();
    await system.inner.append({ size, entries: [{ ...foreign!, index: size }], causes: [] });
    await expect(issue('order')).rejects.toMatchObject({ name: 'LedgerError' });
    expect(system.ledger.mutations).toMatchObject({ problem: 'integrity' });
  });
});

describe('a log that halted because nobody knows what the disk holds', () => {
  it('writes nothing more, and keeps saying why', async () => {
    system.store.fail('append', 'did everything');
    system.store.fail('size', 'did nothing');
    await expect(issue('order')).rejects.toMatchObject({ name: 'LedgerError' });
    const { message } = system.ledger.mutations!;
    expect(message).toMatch(/restart/);
    const size = await system.inner.size();
    await after(50);
    expect(await system.inner.size()).toBe(size);
    expect(system.ledger.mutations!.message).toBe(message);
    expect(system.events.filter(({ type }) => type === 'halted')).toHaveLength(1);
  });

  it('writes nothing more where the disk had done nothing', async () => {
    system.store.fail('append', 'did nothing');
    system.store.fail('size', 'did nothing');
    await expect(issue('order')).rejects.toMatchObject({ name: 'LedgerError' });
    const size = await system.inner.size();
    await after(50);
    expect(await system.inner.size()).toBe(size);
  });
});

describe('chains under load', () => {
  it('stay whole when commits fail in the middle of work on the same licenses', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, (_, nth) => issue(`base-${nth}`).then(idOf)));
    system.store.fail('append', 'did nothing', { skip: 2 });
    system.store.fail('append', 'did everything', { skip: 1 });
    const steps = ids.flatMap((license) => [
      system.submit({ type: 'license.suspend', license, reason: 'payment' }),
      system.submit({ type: 'license.reinstate', license }),
      system.submit({ type: 'license.amend', license, licensee: 'Contoso' }),
      system.submit({ type: 'license.revoke', license, reason: 'refund' }),
    ]);
    const outcomes = await Promise.allSettled(steps);
    system.store.mend();
    const { subjects } = await checkLog(system.inner);
    for (const [nth, id] of ids.entries()) {
      const carriedOut = outcomes
        .slice(nth * 4, nth * 4 + 4)
        .filter((outcome) => outcome.status === 'fulfilled' && 'changes' in outcome.value);
      expect(subjects.get(id)).toHaveLength(1 + carriedOut.length);
    }
  });
});

describe('a signer', () => {
  it('that refuses one record in the middle of load takes nothing down for long', async () => {
    system.signerFault = (operation, when, request) => {
      const isPoison = documentsOf(request).some((document) => document.includes('"key":"order-77"'));
      if (operation === 'signBatch' && when === 'before' && isPoison) throw new Error('limit');
    };
    const told = await load(150);
    expect(told.find(({ key }) => key === 'order-77')?.id).toBeNull();
    await nothingElseIsVisible(told);
    const others = told.filter(({ key }) => key !== 'order-77');
    await everybodyAsksAgain(others);
  });

  it('that is away fails commands, and takes them again when it is back', async () => {
    system.signerFault = (operation) => {
      if (operation === 'signBatch') throw new Error('the signer is not reachable');
    };
    const told = await load(60);
    expect(told.every(({ id }) => id === null)).toBe(true);
    await nothingElseIsVisible(told);
    system.signerFault = null;
    await everybodyAsksAgain(told);
  });

  it('that comes and goes leaves a whole log', async () => {
    let calls = 0;
    system.signerFault = (operation, when) => {
      if (operation === 'signBatch' && when === (calls % 2 ? 'before' : 'after') && calls++ % 3 === 0)
        throw new Error('the signer went away');
    };
    const told = await load(200);
    system.signerFault = null;
    await nothingElseIsVisible(told);
    await everybodyAsksAgain(told);
  });

  it('that cannot sign a promise again: who asks again is told of the change without one', async () => {
    let isAway = true;
    system.signerFault = (operation) => {
      if (operation === 'signPromise' && isAway) throw new Error('the signer is not reachable');
    };
    system.world.cosigners.replayers[0]!.isDown = true;
    const first = await issue('order');
    expect(first).toMatchObject({ promises: [{}], repeated: false });
    // At first it is remembered with its promise, and once the projections know it, it is not.
    await expect.poll(() => issue('order')).toMatchObject({ promises: null, repeated: true });
    expect(system.events.some(({ type }) => type === 'alarm')).toBe(true);
    isAway = false;
    const again = await issue('order');
    expect(idOf(again)).toBe(idOf(first));
    expect(again).toMatchObject({ promises: [{}], repeated: true });
    system.world.cosigners.replayers[0]!.isDown = false;
    await system.published();
    expect(await issue('order')).toMatchObject({ repeated: true, promises: null });
  });
});

describe('a dry run', () => {
  it('tells what would change and changes nothing, also while commits fail', async () => {
    system.store.fail('append', 'did nothing', { times: 2 });
    const size = await system.inner.size();
    const real = load(30);
    const dry = await system.submit({ type: 'license.issue', plan: 'pro' }, undefined, true);
    expect(dry).toMatchObject({ promises: null, changes: [{ index: null, leaf: null }] });
    await after(20);
    const told = await real;
    const records = told.filter(({ id }) => id !== null).length;
    const { subjects } = await checkLog(system.inner);
    expect([...subjects.keys()].filter((id) => id.startsWith('lic_'))).toHaveLength(records);
    expect(size).toBeLessThanOrEqual(await system.inner.size());
  });
});
