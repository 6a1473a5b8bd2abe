/** What goes wrong only where a failure, a wait and another command fall together. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as after } from 'node:timers/promises';
import { isMapRoot } from '@tallystick/core';
import type { LedgerParts, SubmitResult } from '@tallystick/ledger';
import { MemoryStore, SqliteStore } from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import { FaultyStore, TestSystem } from '@tallystick/testkit';
import { describe, expect, it } from 'vitest';
import { batchAt } from './support/store-batches.ts';

type Signer = LedgerParts['signer'];

/** A signer with some of its answers replaced. */
function wrapped(signer: Signer, changes: Partial<Signer>): Signer {
  return {
    markSize: () => signer.markSize(),
    signCheckpoint: (checkpoint, proof) => signer.signCheckpoint(checkpoint, proof),
    abandon: (abandoned) => signer.abandon(abandoned),
    adopt: (entry, document) => signer.adopt(entry, document),
    signPromise: (statement) => signer.signPromise(statement),
    signBatch: (batch) => signer.signBatch(batch),
    ...changes,
  };
}

async function make(system: TestSystem, command: Command): Promise<string> {
  const { changes } = await system.run(command);
  return changes[0]?.change.subject.id ?? '';
}

describe('a change after a command that had to wait for others', () => {
  it('is not undone where a later batch fails', async () => {
    const store = new FaultyStore(new MemoryStore());
    await using system = await TestSystem.start({ store, times: { intervalMs: 200 } });
    await system.sellPro();
    const from = await make(system, { type: 'customer.create', reference: 'a', name: 'A' });
    const into = await make(system, { type: 'customer.create', reference: 'b', name: 'B' });
    const license = await make(system, { type: 'license.issue', plan: 'pro-yearly', customer: from });
    await system.ledger.whenPublished(system.ledger.size, 5000);
    await system.run({ type: 'customer.merge', customer: from, into });
    await system.run({ type: 'license.revoke', license, reason: 'fraud' });
    store.fail('append', 'did nothing');
    await expect(system.run({ type: 'customer.update', customer: into, name: 'BB' })).rejects.toThrow();
    const amended = await system.submit({ type: 'license.amend', license, licensee: 'X' });
    expect(amended).toMatchObject({ refused: { code: 'state_forbids' } });
    expect((await system.ledger.read.current(license))?.document).toMatchObject({
      status: { state: 'revoked' },
    });
  });
});

describe('a change that is committed while the signer is asked for its mark', () => {
  it('waits for a map root of its own', async () => {
    let isDown = false;
    let markMs = 0;
    let asked = (): void => {};
    await using system = await TestSystem.start({
      times: { refreshMs: 100, retryMs: 20, intervalMs: 20 },
      wrapSigner: (signer) =>
        wrapped(signer, {
          signCheckpoint: async (checkpoint, proof) => {
            if (isDown) throw new Error('the signer is away');
            return signer.signCheckpoint(checkpoint, proof);
          },
          markSize: async () => {
            asked();
            if (markMs > 0) await after(markMs);
            return signer.markSize();
          },
        }),
    });
    await system.sellPro();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    isDown = true;
    await after(300);
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    markMs = 100;
    await isAsked;
    isDown = false;
    const license = await make(system, { type: 'license.issue', plan: 'pro-yearly' });
    markMs = 0;
    await system.ledger.bundle(license);
    const published = system.events.flatMap((event) => (event.type === 'published' ? [event.published] : []));
    for (const { size } of published) {
      const last = await system.world.store.entry(size - 1);
      expect(last !== undefined && isMapRoot(last.entry)).toBe(true);
    }
  });
});

describe('commands that are decided again because the signer refused another', () => {
  it('are carried out once per idempotency key, however long they wait', async () => {
    const count = 60;
    let refusesUntil = 0;
    let signMs = 0;
    await using system = await TestSystem.start({
      times: { intervalMs: 200 },
      wrapSigner: (signer) =>
        wrapped(signer, {
          signBatch: async (batch) => {
            if (signMs > 0) await after(signMs);
            if (batch.records.length > 1 && Date.now() < refusesUntil)
              throw new Error('one of them is refused');
            return signer.signBatch(batch);
          },
        }),
    });
    await system.sellPro();
    await system.ledger.whenPublished(system.ledger.size, 5000);
    signMs = 40;
    refusesUntil = Date.now() + 200;
    const askAll = (): Promise<SubmitResult>[] =>
      Array.from({ length: count }, (_, nth) =>
        system.submit({ type: 'license.issue', plan: 'pro-yearly' }, `key-${nth}`),
      );
    const first = askAll();
    await after(500);
    const indexesOf = async (asked: Promise<SubmitResult>[]): Promise<unknown[]> =>
      (await Promise.all(asked)).map((result) => ('changes' in result ? result.changes[0]?.index : result));
    const again = askAll();
    expect(await indexesOf(again)).toEqual(await indexesOf(first));
  });
});

describe('shredding beside a reader', () => {
  it('is not done before nothing is left in the write-ahead log', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tally-shred-'));
    try {
      const file = join(folder, 'store.db');
      await using store = SqliteStore.create(file);
      await store.append(batchAt(0));
      const secret = Buffer.from((await store.entry(1))?.content?.document ?? []);
      using reader = new DatabaseSync(file, { readOnly: true });
      reader.exec('BEGIN');
      reader.prepare('SELECT count(*) FROM leaves').get();
      await expect(store.shred([1])).rejects.toThrow('reader');
      reader.exec('COMMIT');
      await store.shred([1]);
      for (const end of ['', '-wal']) expect(readFileSync(`${file}${end}`).includes(secret)).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
