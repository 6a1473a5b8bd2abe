/** Publishing under faults: never a second history, and what is durable is published in the end. */
import { setTimeout as after } from 'node:timers/promises';
import { isMapRoot, utf8, verifyBundle } from '@tallystick/core';
import { LedgerError, type LedgerParts, MemoryStore, Projections } from '@tallystick/ledger';
import { openLedger } from '@tallystick/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { checkLog } from './support/check-log.ts';
import { CrashingSystem } from './support/crashing-system.ts';

let system: CrashingSystem;

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

async function start(times: Partial<LedgerParts['times']> = {}): Promise<void> {
  system = await CrashingSystem.start({ times });
  await system.sell();
  await system.published();
}

const issue = (): Promise<string> => system.make({ type: 'license.issue', plan: 'pro' });
const replayer = () => system.world.cosigners.replayers[0]!;

/** Resolves at the first moment of its kind, where the process is to die. */
type Moment = (reached: () => void) => void;

const moments: [string, Moment][] = [
  [
    'before the map root is appended',
    (reached) => {
      system.store.fail('append', 'did nothing', { times: 1000 });
      system.store.onDone = (operation) => operation === 'entry' && reached();
    },
  ],
  [
    'after the map root was appended',
    (reached) => {
      system.store.onDone = (operation) => operation === 'append' && reached();
    },
  ],
  [
    'before the checkpoint is signed',
    (reached) => {
      system.signerFault = (operation, when) => {
        if (operation !== 'signCheckpoint' || when !== 'before') return;
        reached();
        throw new Error('died');
      };
    },
  ],
  [
    'after the checkpoint was signed',
    (reached) => {
      system.signerFault = (operation, when) => {
        if (operation !== 'signCheckpoint' || when !== 'after') return;
        reached();
        throw new Error('died');
      };
    },
  ],
  [
    'before the quorum has cosigned',
    (reached) => {
      replayer().isDown = true;
      system.signerFault = (operation, when) =>
        operation === 'signCheckpoint' && when === 'after' && reached();
    },
  ],
  [
    'before the checkpoint is saved',
    (reached) => {
      system.store.fail('saveCheckpoint', 'did nothing', { times: 1000 });
      system.signerFault = (operation, when) =>
        operation === 'signCheckpoint' && when === 'after' && setTimeout(reached, 10);
    },
  ],
  [
    'after the checkpoint was saved',
    (reached) => {
      system.store.onDone = (operation) => operation === 'saveCheckpoint' && reached();
    },
  ],
];

describe('a crash', () => {
  it.each(moments)('%s leaves no fork, and everything durable is published after it', async (_what, arm) => {
    await start();
    for (let round = 0; round < 3; round++) {
      const made = await Promise.all([issue(), issue()]);
      const reached = new Promise<void>((resolve) => arm(resolve));
      void issue().catch(() => {});
      await Promise.race([reached, after(2000)]);
      system.signerFault = null;
      replayer().isDown = false;
      await system.crash();
      await system.ready();
      await system.published();
      expect(system.ledger.published?.size).toBe(system.ledger.size);
      for (const id of made) expect(await system.ledger.bundle(id)).toContain(id);
      await checkLog(system.inner);
    }
  });

  it('with a mark that is ahead of the saved checkpoint publishes at the mark first', async () => {
    await start();
    system.store.fail('saveCheckpoint', 'did nothing', { times: 1000 });
    await issue();
    const saved = (await system.inner.checkpoint())!.size;
    await vi.waitFor(() => expect(system.world.signer.describe().mark.size).toBeGreaterThan(saved), 5000);
    const signed = system.world.signer.describe().mark.size;
    await system.crash();
    await system.ready();
    expect(system.ledger.published!.size).toBeGreaterThanOrEqual(signed);
    await checkLog(system.inner);
  });

  it('changes nothing about who is answered: a promise made before it is kept after it', async () => {
    await start();
    replayer().isDown = true;
    const result = await system.submit({ type: 'license.issue', plan: 'pro' });
    const [change] = 'changes' in result ? result.changes : [];
    await system.crash();
    replayer().isDown = false;
    await system.ready();
    await system.published();
    expect(Buffer.from((await system.inner.entry(change!.index!))!.leaf)).toEqual(Buffer.from(change!.leaf!));
  });
});

describe('what waits for its checkpoint', () => {
  it('is as old as it is, also after a crash, and after a checkpoint that came too early for it', async () => {
    await start();
    expect(system.ledger.pending).toEqual({ count: 0, oldestAt: null });
    replayer().isDown = true;
    const before = Date.now();
    await issue();
    const between = Date.now();
    const { oldestAt } = system.ledger.pending;
    expect(oldestAt).toBeGreaterThanOrEqual(before);
    expect(oldestAt).toBeLessThanOrEqual(between);
    await after(30);
    await issue();
    expect(system.ledger.pending).toMatchObject({ oldestAt });
    await system.crash();
    expect(system.ledger.pending.oldestAt).toBeGreaterThanOrEqual(before - 1);
    expect(system.ledger.pending.oldestAt).toBeLessThanOrEqual(between);
    replayer().isDown = false;
    await system.ready();
    await system.published();
    expect(system.ledger.pending).toEqual({ count: 0, oldestAt: null });
  });

  it('says why it waits while publishing fails, before changes are refused', async () => {
    await start();
    replayer().isDown = true;
    await issue();
    await expect.poll(() => system.ledger.trouble?.message).toMatch(/quorum/);
    expect(system.ledger.mutations).toBeNull();
    replayer().isDown = false;
    await system.published();
    await expect.poll(() => system.ledger.trouble).toBeNull();
  });
});

describe('without a quorum', () => {
  it('the log gets one map root however often it tries, and has license files of what it published, also after a crash', async () => {
    await start({ retryMs: 5 });
    const id = await issue();
    await system.published();
    const { size } = system.ledger.published!;
    replayer().isDown = true;
    const demandFile = async (): Promise<void> => {
      const bundle = utf8(await system.ledger.bundle(id));
      const { anchor } = await verifyBundle(bundle, { pin: [system.world.trust], namespace: 'acme' });
      expect(anchor.size).toBe(size);
    };
    for (let tries = 0; tries < 8; tries++) {
      await issue();
      await after(15);
      await demandFile();
    }
    const behind = await system.inner.entries(size, 1000);
    expect(behind.filter(({ entry }) => isMapRoot(entry))).toHaveLength(1);
    await system.crash();
    await demandFile();
    replayer().isDown = false;
    await system.published();
    await checkLog(system.inner);
  });

  it('changes are durable and not published, then no more are taken, and it goes on by itself', async () => {
    await start({ stallMs: 60 });
    replayer().isDown = true;
    const id = await issue();
    await expect(system.ledger.bundle(id, { waitMs: 10 })).rejects.toMatchObject({
      problem: 'not_published_yet',
    });
    await expect(system.ledger.whenPublished(system.ledger.size, 10)).rejects.toThrow(/by itself/);
    expect(system.ledger.pending.count).toBeGreaterThan(0);
    await after(100);
    expect(system.ledger.mutations).toMatchObject({ problem: 'publication_stalled' });
    await expect(issue()).rejects.toMatchObject({ problem: 'publication_stalled' });
    expect(await system.ledger.read.current(id)).toBeDefined();
    replayer().isDown = false;
    await system.published();
    await system.ready();
    expect(await system.ledger.bundle(id)).toContain(id);
    await issue();
    const troubles = system.events.filter(({ type }) => type === 'trouble');
    expect(troubles.at(-1)).toMatchObject({ error: null });
  });

  it('since the start nothing is taken: a store that was rolled back would go unnoticed', async () => {
    await start();
    replayer().isDown = true;
    await system.crash();
    await after(50);
    await expect(issue()).rejects.toMatchObject({ problem: 'publication_stalled' });
    replayer().isDown = false;
    await system.ready();
    await issue();
  });

  it('one witness of two is enough, and the published checkpoint says so', async () => {
    await start();
    system.world.cosigners.witnesses[0]!.isDown = true;
    await issue();
    await system.published();
    expect(system.ledger.published!.note).not.toContain('witness.example/one');
    expect(system.ledger.published!.note).toContain('witness.example/two');
  });
});

describe('a cosigner that has seen more than this log', () => {
  it('closes the log until it is restarted on the right store', async () => {
    await start();
    const cosigners = system.world.cosigners;
    let isAhead = true;
    const cosign = cosigners.cosign.bind(cosigners);
    cosigners.cosign = (...given) =>
      isAhead ? Promise.reject(new LedgerError('log_behind', 'has seen 900 entries')) : cosign(...given);
    await issue().catch(() => {});
    await vi.waitFor(() => expect(system.ledger.mutations).toMatchObject({ problem: 'log_behind' }), 5000);
    await expect(issue()).rejects.toMatchObject({ problem: 'log_behind' });
    isAhead = false;
    await after(50);
    await expect(issue()).rejects.toMatchObject({ problem: 'log_behind' });
    await system.crash();
    await system.ready();
    await issue();
  });

  it('and a signer that has, keep a rolled-back store from being changed', async () => {
    await start();
    const rolledBack = new MemoryStore();
    const entries = await system.inner.entries(0, 4);
    await rolledBack.append({ size: 0, entries, causes: await system.inner.causes(0, 4) });
    const projections = new Projections(':memory:');
    const { ledger, events } = await openLedger(system.world, { store: rolledBack, projections });
    expect(ledger.mutations).toMatchObject({ problem: 'log_behind' });
    expect(ledger.mutations!.message).toMatch(/has 4 entries, and the signer has signed/);
    expect(events).toMatchObject([{ type: 'halted' }]);
    await after(30);
    expect(await rolledBack.size()).toBe(4);
    await ledger[Symbol.asyncDispose]();
  });
});

describe('whoever waits for a checkpoint while the ledger stops', () => {
  it('is told so, and leaves no timer behind that keeps the process alive', async () => {
    await start();
    replayer().isDown = true;
    await issue();
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const waits = Array.from({ length: 50 }, () => system.ledger.whenPublished(system.ledger.size, 300_000));
    const ends = Promise.allSettled(waits);
    expect(timers()).toBeGreaterThanOrEqual(before + 50);
    await system.ledger[Symbol.asyncDispose]();
    for (const end of await ends)
      expect(end).toMatchObject({ status: 'rejected', reason: { name: 'PublicationTimeout' } });
    expect(timers()).toBeLessThan(before + 50);
    const late = system.ledger.whenPublished(system.ledger.size + 1, 300_000);
    await expect(late).rejects.toThrow(/stopping/);
    expect(timers()).toBeLessThan(before + 50);
    replayer().isDown = false;
    await system.open();
  });
});

describe('an idle log', () => {
  it('asks for fresh cosignatures, so that clients see a newer time without a new entry', async () => {
    let skip = 0;
    system = await CrashingSystem.start({ now: () => Date.now() + skip, times: { refreshMs: 30_000 } });
    await system.sell();
    await system.published();
    const { size, asOf } = system.ledger.published!;
    await after(50);
    expect(system.ledger.published!.asOf).toBe(asOf);
    skip = 31_000;
    for (let waited = 0; system.ledger.published!.asOf === asOf && waited < 2000; waited += 5) await after(5);
    expect(system.ledger.published!.asOf).toBeGreaterThanOrEqual(asOf + 30);
    expect(system.ledger.published!.size).toBe(size);
    const saved = await system.inner.checkpoint();
    expect(saved!.note).toBe(system.ledger.published!.note);
  });
});

describe('a store that fails while publishing', () => {
  it.each(['entry', 'append', 'saveCheckpoint'] as const)(
    'at %s, both ways, is tried again',
    async (operation) => {
      await start();
      for (const kind of ['did nothing', 'did everything'] as const) {
        await issue();
        system.store.fail(operation, kind, { times: 2 });
        await issue().catch(() => {});
        await after(30);
        system.store.mend();
        await issue();
        await system.published();
        await checkLog(system.inner);
      }
    },
  );
});
