/** Behavior that was once missing; each of these failed before it was mended. */
import { setTimeout as after } from 'node:timers/promises';
import { isMapRoot } from '@tallystick/core';
import { type AppendBatch, MemoryStore, Projections } from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import { openLedger } from '@tallystick/testkit';
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

const everything = { before: '~', limit: 1000 };
const issue = (key?: string): Promise<string> => system.make({ type: 'license.issue', plan: 'pro' }, key);
const replayer = () => system.world.cosigners.replayers[0]!;

describe('a refusal', () => {
  it('is not told on the strength of a change that then fails', async () => {
    const license = await issue();
    await system.published();
    const release = system.store.hold('append');
    system.store.fail('append', 'did nothing');
    const first = system.submit({ type: 'license.revoke', license, reason: 'fraud' });
    const failed = expect(first).rejects.toMatchObject({ problem: 'not_committed' });
    await after(20);
    const second = system.submit({ type: 'license.revoke', license, reason: 'fraud' }).catch(() => null);
    await after(20);
    release();
    await failed;
    const told = await second;
    const current = await system.ledger.read.current(license);
    // "already_revoked" while the license is active is a lie that lets a fraud go on.
    const isLie =
      told !== null && 'refused' in told && JSON.stringify(current!.document).includes('"active"');
    expect(isLie).toBe(false);
  });

  it('by the signer, of a brake, does not go on into the brakes that follow', async () => {
    const [key] = system.ledger.governing.namespace.keys.filter(({ usages }) => usages.includes('license'));
    const held: Command = { type: 'brake.tighten', until: [{ key: key!.id }], destroyed: [key!.id] };
    await expect(system.submit(held)).rejects.toMatchObject({ problem: 'not_committed' });
    const lock = await system.submit({ type: 'brake.tighten', lock: 'heightened' });
    expect(lock).toMatchObject({ changes: [{ change: { document: { lock: 'heightened', until: [] } } }] });
    expect(system.ledger.governing.brake).not.toHaveProperty('destroyed');
  });
});

describe('an entry that is in the store, and not in the tree yet', () => {
  class LateStore extends MemoryStore {
    told: Promise<void> = Promise.resolve();

    override async append(batch: AppendBatch): Promise<void> {
      await super.append(batch);
      await this.told;
    }
  }

  it('is not there yet for readers', async () => {
    const store = new LateStore();
    await using late = await CrashingSystem.start({ store });
    await late.sell();
    await late.published();
    const index = late.ledger.size;
    const { promise: told, resolve: tell } = Promise.withResolvers<void>();
    store.told = told;
    const issued = late.make({ type: 'license.issue', plan: 'pro' });
    while ((await store.entry(index)) === undefined) await after(1);
    expect(late.ledger.size).toBe(index);
    const { read } = late.ledger;
    expect(await read.logEntry(index)).toBeUndefined();
    expect(await late.ledger.promiseOf(index)).toBeNull();
    expect(await read.recordsBetween(index, index + 10)).toEqual([]);
    expect(await read.recordsBetween(index + 5, index + 10)).toEqual([]);
    tell();
    await issued;
    expect(await read.logEntry(index)).toMatchObject({ index, kind: 'record' });
    expect(await read.recordsBetween(index, index + 10)).toHaveLength(1);
  });
});

describe('a publication whose signature was lost on its way', () => {
  it('is made up for without a restart', async () => {
    let isLost = false;
    system.signerFault = (operation, when) => {
      if (operation !== 'signCheckpoint' || when !== 'after' || isLost) return;
      isLost = true;
      throw new Error('the signer went away');
    };
    await issue();
    await system.published(3000);
  });

  it('is made up for when more was changed meanwhile', async () => {
    let lost = 0;
    system.signerFault = (operation, when) => {
      if (operation === 'signCheckpoint' && when === 'after' && lost++ < 1)
        throw new Error('the signer went away');
    };
    await issue();
    await after(20);
    await issue();
    await system.published(3000);
  });
});

describe('readers beside writers', () => {
  it('list licenses that change at that moment without an alarm', async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, () => issue()));
    const work = ids.map((license) => system.make({ type: 'license.suspend', license, reason: 'payment' }));
    const lists = Array.from({ length: 10 }, async (_, nth) => {
      await after(nth);
      return system.ledger.read.licenses({}, everything);
    });
    const outcomes = await Promise.allSettled(lists);
    await Promise.all(work);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('find a license by its key while it gets another, without an alarm', async () => {
    const license = await issue();
    const { companion } = (await system.ledger.read.current(license))!;
    const rekey = system.make({ type: 'license.rekey', license });
    const lookups = Array.from({ length: 10 }, async (_, nth) => {
      await after(nth / 2);
      return system.ledger.read.licenseOfKey(companion!.key!);
    });
    const outcomes = await Promise.allSettled(lookups);
    await rekey;
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('ask for the file of a license of an erased customer before it is published, without an alarm', async () => {
    const customer = await system.make({ type: 'customer.create', reference: 'erika' });
    const license = await system.make({
      type: 'license.issue',
      plan: 'pro',
      customer,
      licensee: 'Mustermann',
    });
    await system.published();
    replayer().isDown = true;
    await system.make({ type: 'customer.erase', customer });
    await system.ledger.read.licenses({}, everything);
    await expect(system.ledger.bundle(license, { waitMs: 20 })).rejects.toMatchObject({
      problem: 'not_published_yet',
    });
  });
});

describe('stored bytes that were altered', () => {
  beforeEach(async () => {
    await issue();
    await system.published();
    system.store.tamper = (entry) => {
      if (!isMapRoot(entry.entry)) return entry;
      const altered = Uint8Array.from(entry.entry);
      altered[altered.length - 4]! ^= 1;
      return { ...entry, entry: altered };
    };
  });

  it('of a map root are not bundled', async () => {
    const [license] = await system.ledger.read.licenses({}, everything);
    await expect(system.ledger.bundle(license!.content.id)).rejects.toMatchObject({ problem: 'integrity' });
  });
});

describe('an idempotency key', () => {
  it('does not give out what was erased since, however often it was asked under', async () => {
    const create = { type: 'customer.create', reference: 'erika', name: 'Mustermann' } as const;
    const customer = await system.make(create, 'create');
    await system.published();
    await system.make(create, 'create');
    await system.make({ type: 'customer.erase', customer });
    await system.published();
    const again = await system.submit(create, 'create').catch((error: unknown) => error);
    expect(JSON.stringify(again)).not.toContain('Mustermann');
  });

  it('of a refused dry run does not undo the one of a command that is under way', async () => {
    const command = { type: 'license.issue', plan: 'lite' } as const;
    const plan = {
      type: 'plan.create',
      product: 'pro',
      code: 'lite',
      name: 'Lite',
      entitlements: {},
    } as const;
    const release = system.store.hold('append');
    const dry = system.submit(command, 'order', true);
    const planned = system.make(plan);
    const first = system.make(command, 'order');
    await dry;
    await after(10);
    const second = system.make(command, 'order');
    await after(10);
    release();
    await planned;
    expect(await second).toBe(await first);
    await checkLog(system.inner);
  });
});

describe('a promise that is asked for again while there is no quorum', () => {
  it('is given without an alarm, although the log key has signed the checkpoint by then', async () => {
    replayer().isDown = true;
    const id = await issue('order');
    const { index } = (await system.ledger.read.revision(id))!;
    for (let waited = 0; waited < 2000 && system.world.signer.describe().mark.size <= index; waited += 5)
      await after(5);
    const again = await system.submit({ type: 'license.issue', plan: 'pro' }, 'order');
    expect(system.events.filter(({ type }) => type === 'alarm')).toEqual([]);
    expect(again).toMatchObject({ repeated: true, promises: [{ index }] });
  });
});

describe('a ledger that is to end', () => {
  it('ends also while its publisher waits for the signer', async () => {
    system.signerFault = (operation) => {
      if (operation === 'signCheckpoint') throw new Error('the signer went away');
    };
    system.signerDelayMs = 50;
    await issue();
    await after(200);
    const ended = system.ledger[Symbol.asyncDispose]().then(() => 'ended');
    expect(await Promise.race([ended, after(3000, 'still waiting')])).toBe('ended');
  });
});

describe('a cosigner whose clock is behind by more than the refresh', () => {
  it('does not make an idle log publish without end', async () => {
    replayer().skew = -120;
    await issue();
    await system.published();
    const before = system.events.length;
    await after(500);
    expect(system.events.length - before).toBeLessThan(5);
  });
});

describe('one record that the signer refuses', () => {
  it('fails its own command and no other', async () => {
    system.signerFault = (operation, when, request) => {
      if (operation !== 'signBatch' || when !== 'before') return;
      if (documentsOf(request).some((document) => document.includes('poison'))) throw new Error('limit');
    };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, nth) =>
        system.make({ type: 'license.issue', plan: 'pro', licensee: nth === 5 ? 'poison' : 'Contoso' }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  });
});

describe('a listener that throws', () => {
  it('does not make a durable change look as if nothing had happened', async () => {
    const projections = new Projections(':memory:');
    let isArmed = false;
    const { ledger } = await openLedger(system.world, {
      projections,
      onEvent: (event) => {
        if (isArmed && event.type === 'durable') throw new Error('listener');
      },
    });
    await ledger.whenPublished(1, 5000);
    while (ledger.mutations !== null) await after(2);
    isArmed = true;
    const size = await system.inner.size();
    const command = { type: 'license.issue', plan: 'pro' } as const;
    const outcome = ledger.submit({
      command,
      cause: { who: { kind: 'test', id: 'test' }, why: null },
      request: null,
      dryRun: false,
    });
    const told = await outcome.then(
      () => 'recorded',
      () => 'nothing was changed',
    );
    const isRecorded = (await system.inner.size()) > size;
    isArmed = false;
    await ledger[Symbol.asyncDispose]();
    expect(told).toBe(isRecorded ? 'recorded' : 'nothing was changed');
  });
});
