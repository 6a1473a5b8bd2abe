import { MemoryStore } from '@tallystick/ledger';
import { FaultyStore, TestSystem } from '@tallystick/testkit';
import { describe, expect, it } from 'vitest';
import { Abandonment } from '../src/sequence/abandonment.ts';

const issue = { type: 'license.issue', plan: 'pro-yearly' } as const;

describe('what was signed and is not used', () => {
  it('is told once, and again where it could not be told', async () => {
    const told: object[] = [];
    let isAway = true;
    const abandonment = new Abandonment({
      state: { size: 7 },
      signer: {
        abandon: async (abandoned) => {
          if (isAway) throw new Error('away');
          told.push(abandoned);
        },
      },
    });
    await abandonment.tell();
    abandonment.note('signer_lost');
    abandonment.note('commit_failed');
    await expect(abandonment.tell()).rejects.toThrow('away');
    await expect(abandonment.before(async () => told.push({}))).rejects.toMatchObject({
      name: 'LedgerError',
      problem: 'not_committed',
    });
    isAway = false;
    await Promise.all([abandonment.tell(), abandonment.tell()]);
    await abandonment.tell();
    expect(told).toEqual([{ index: 7, cause: 'signer_lost' }]);
  });

  it('is known to the signer before anything is signed or appended in its place', async () => {
    const store = new FaultyStore(new MemoryStore());
    const seen: string[] = [];
    let isAway = false;
    await using system = await TestSystem.start({
      store,
      wrapSigner: (signer) => ({
        ...signer,
        abandon: async (abandoned) => {
          seen.push(isAway ? 'away' : `abandon ${abandoned.cause}`);
          if (isAway) throw Object.assign(new Error('away'), { name: 'SignerUnavailable' });
          await signer.abandon(abandoned);
        },
        signBatch: async (batch) => {
          seen.push('batch');
          return signer.signBatch(batch);
        },
        signCheckpoint: async (checkpoint, proof) => {
          seen.push('checkpoint');
          return signer.signCheckpoint(checkpoint, proof);
        },
      }),
    });
    expect(seen[0]).toBe('abandon restarted');
    await system.sellPro();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const { size } = system.ledger;
    store.fail('append', 'did nothing');
    seen.length = 0;
    isAway = true;
    await expect(system.run(issue)).rejects.toMatchObject({ problem: 'not_committed' });
    await expect(system.run(issue)).rejects.toThrow(/away/);
    await expect(system.run(issue)).rejects.toThrow(/away/);
    expect(seen).toEqual(['batch', 'away', 'away']);
    expect(system.ledger.size).toBe(size);
    isAway = false;
    await system.run(issue);
    expect(seen.slice(3, 5)).toEqual(['abandon commit_failed', 'batch']);
  });
});
