/** Reading while the disk takes no projections: what is said is true, and what is not known is not made up. */
import { Projections } from '@tallystick/ledger';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CrashingSystem } from './support/crashing-system.ts';

let system: CrashingSystem;
let customer: string;
let license: string;
let licenseKey: string;

beforeEach(async () => {
  system = await CrashingSystem.start();
  await system.sell();
  customer = await system.make({ type: 'customer.create', reference: 'c-1', name: 'Contoso' });
  license = await system.make({ type: 'license.issue', plan: 'pro', customer });
  licenseKey = (await system.ledger.read.current(license))?.companion?.key ?? '';
  await system.published();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await system[Symbol.asyncDispose]();
});

function fillDisk(): void {
  vi.spyOn(Projections.prototype, 'apply').mockImplementation(() => {
    throw new Error('database or disk is full');
  });
}

const page = { before: '~', limit: 10 };
const behind = {
  problem: 'overloaded',
  message: expect.stringMatching(/cannot be found until the disk takes data again.*full/) as string,
};

describe('projections that lack nothing but cannot be written', () => {
  it('are read as ever', async () => {
    fillDisk();
    const { read } = system.ledger;
    expect((await read.licenses({}, page)).map(({ content }) => content.id)).toEqual([license]);
    expect((await read.customers({}, page)).map(({ content }) => content.id)).toEqual([customer]);
    expect(await read.history(license, 99, 10)).toHaveLength(1);
    expect(await read.licenseOfKey(licenseKey)).toBe(license);
    expect(await read.licenseOfKey('TALLY-NONE')).toBeUndefined();
    expect(await read.resolve({ reference: 'c-2' })).toBeUndefined();
  });
});

describe('projections that lack what was changed last', () => {
  beforeEach(async () => {
    fillDisk();
    await system.make({ type: 'license.suspend', license, reason: 'payment' });
  });

  it('still find what the subject itself confirms', async () => {
    const { read } = system.ledger;
    expect(await read.licenseOfKey(licenseKey)).toBe(license);
    expect(await read.resolve({ type: 'plan', code: 'pro' })).toMatch(/^pln_/);
    expect(await read.resolve({ reference: 'c-1' })).toBe(customer);
    expect((await read.current(license))?.document).toMatchObject({ status: { state: 'suspended' } });
    expect(await read.publicDocument('namespace', 0)).toBeDefined();
  });

  it('do not deny what they may only not know yet', async () => {
    const { read } = system.ledger;
    await expect(read.licenseOfKey('TALLY-NONE')).rejects.toMatchObject(behind);
    await expect(read.resolve({ reference: 'c-2' })).rejects.toMatchObject(behind);
    await expect(read.publicDocument('namespace', 1)).rejects.toMatchObject(behind);
  });

  it('give no list with something missing, and raise no alarm about the rows that are old', async () => {
    const { read } = system.ledger;
    await expect(read.licenses({}, page)).rejects.toMatchObject(behind);
    await expect(read.customers({}, page)).rejects.toMatchObject(behind);
    await expect(read.listed('plan', {}, page)).rejects.toMatchObject(behind);
    await expect(read.history(license, 99, 10)).rejects.toMatchObject(behind);
  });

  it('find nothing under a key that was given up', async () => {
    await system.make({ type: 'license.rekey', license });
    await expect(system.ledger.read.licenseOfKey(licenseKey)).rejects.toMatchObject(behind);
  });

  it('have caught up once the disk takes them again', async () => {
    vi.restoreAllMocks();
    const [found] = await system.ledger.read.licenses({ state: 'suspended' }, page);
    expect(found?.content.id).toBe(license);
    expect(await system.ledger.read.history(license, 99, 10)).toHaveLength(2);
  });
});
