import { utf8, verifyBundle, verifyPromise } from '@tallystick/core';
import { TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let system: TestSystem;

beforeEach(async () => {
  system = await TestSystem.start();
  await system.sellPro();
});

afterEach(async () => {
  await system[Symbol.asyncDispose]();
});

async function issue(): Promise<string> {
  const { changes } = await system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Contoso' });
  return changes[0]?.change.subject.id ?? '';
}

describe('a change', () => {
  it('is durable with a promise, then published, then verifies offline', async () => {
    const result = await system.run({ type: 'license.issue', plan: 'pro-yearly' });
    const [change] = result.changes;
    const [promise] = result.promises ?? [];
    if (change === undefined || promise === undefined) throw new Error('no change');
    const statement = await verifyPromise(
      promise,
      system.world.trust.log.origin,
      system.world.trust.log.vkeys,
    );
    expect(Date.parse(statement.publishBy)).toBeGreaterThan(Date.now());
    await system.ledger.whenPublished((change.index ?? 0) + 1, 5000);
    const bundle = await system.ledger.bundle(change.change.subject.id);
    const proven = await verifyBundle(utf8(bundle), { pin: [system.world.trust], namespace: 'acme' });
    expect(proven.license?.recordType).toBe('license.issued');
    expect(bundle.length).toBeLessThan(12_000);
  });

  it('has a license file that verifies while many others come into the map', async () => {
    const id = await issue();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const done = new AbortController();
    const others = Promise.all(Array.from({ length: 2500 }, issue)).then(async () => {
      await system.ledger.whenPublished(system.ledger.size, 5000);
      done.abort();
    });
    const sizes = new Set<number>();
    while (!done.signal.aborted) {
      const bundle = utf8(await system.ledger.bundle(id));
      const { anchor } = await verifyBundle(bundle, { pin: [system.world.trust], namespace: 'acme' });
      sizes.add(anchor.size);
      await new Promise(setImmediate);
    }
    await others;
    expect(sizes.size).toBeGreaterThan(1);
  });

  it('is current at once for reads, and in the history with its cause', async () => {
    const id = await issue();
    await system.run({ type: 'license.suspend', license: id, reason: 'payment' });
    expect((await system.ledger.read.current(id))?.document).toMatchObject({
      status: { state: 'suspended' },
    });
    const history = await system.ledger.read.history(id, 99, 10);
    expect(history.map(({ cause }) => cause.command)).toEqual(['license.suspend', 'license.issue']);
  });

  it('supersedes the older file for a client that has seen the newer one', async () => {
    const id = await issue();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const old = await system.ledger.bundle(id);
    await system.run({ type: 'license.revoke', license: id, reason: 'refund' });
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const fresh = await system.ledger.bundle(id);
    const request = { pin: [system.world.trust], namespace: 'acme' };
    const { remembered, license } = await verifyBundle(utf8(fresh), request);
    expect(license?.recordType).toBe('license.revoked');
    await expect(verifyBundle(utf8(old), { ...request, remembered })).rejects.toMatchObject({
      code: 'SUPERSEDED',
    });
  });

  it('made many times at once keeps every chain whole', async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, issue));
    await Promise.all(
      ids.flatMap((license) => [
        system.run({ type: 'license.suspend', license, reason: 'payment' }),
        system.run({ type: 'license.reinstate', license }),
        system.run({ type: 'license.revoke', license, reason: 'refund' }),
      ]),
    );
    for (const id of ids) {
      const history = await system.ledger.read.history(id, 99, 10);
      expect(history.map(({ revision }) => revision.record.record.rev)).toEqual([3, 2, 1, 0]);
    }
  });
});

describe('an idempotency key', () => {
  it('makes one change, however often and wherever it is asked for', async () => {
    const command = { type: 'license.issue', plan: 'pro-yearly' } as const;
    const results = await Promise.all([1, 2, 3].map(() => system.run(command, 'order-1')));
    await system.ledger.whenPublished(system.ledger.size, 5000);
    results.push(await system.run(command, 'order-1'));
    await system.restart();
    await system.ready();
    results.push(await system.run(command, 'order-1'));
    const ids = new Set(results.map(({ changes }) => changes[0]?.change.subject.id));
    expect(ids.size).toBe(1);
    expect(results.map(({ repeated }) => repeated)).toEqual([false, true, true, true, true]);
  });

  it('is refused for another request', async () => {
    await system.run({ type: 'license.issue', plan: 'pro-yearly' }, 'order-1');
    const other = system.run({ type: 'license.issue', plan: 'pro-yearly', licensee: 'Other' }, 'order-1');
    await expect(other).rejects.toMatchObject({ problem: 'idempotency_key_reused' });
  });
});
