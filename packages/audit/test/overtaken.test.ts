/** What an honest server had signed, and another one that took the log over stood in its way. */
import { join } from 'node:path';
import { LogTree, utf8 } from '@tallystick/core';
import { type Ledger, type LedgerParts, MemoryStore } from '@tallystick/ledger';
import { FaultyStore, SecondServer, TestSystem } from '@tallystick/testkit';
import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { auditSigner, type SignerAuditReport } from '../src/index.ts';

type Signed = { size: number; note: string };

const issue = { type: 'license.issue', plan: 'pro-yearly' } as const;

let store: FaultyStore;
let system: TestSystem;
let second: SecondServer;
let signed: Signed;
/** Whoever asks for a checkpoint waits for it. */
let gate: Promise<void>;
let asked: Mock<(size: number) => void>;

const saveSigned = async (newest: Signed): Promise<void> => {
  signed = newest;
};

function slowToPublish(signer: LedgerParts['signer']): LedgerParts['signer'] {
  return {
    ...signer,
    signCheckpoint: async (checkpoint, proof) => {
      asked(checkpoint.size);
      await gate;
      return signer.signCheckpoint(checkpoint, proof);
    },
  };
}

beforeEach(async () => {
  gate = Promise.resolve();
  asked = vi.fn<(size: number) => void>();
  store = new FaultyStore(new MemoryStore());
  system = await TestSystem.start({ store, isShared: true, wrapSigner: slowToPublish });
  await system.restart({ saveSigned });
  await system.ready();
  await system.sellPro();
  await system.ledger.whenPublished(system.ledger.size, 5000);
  second = await SecondServer.prepare(system.world);
});

afterEach(async () => {
  await second[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

async function issueOn(ledger: Ledger): Promise<void> {
  const cause = { who: { kind: 'test', id: 'test' }, why: null };
  const result = await ledger.submit({ command: issue, cause, request: null, dryRun: false });
  if ('refused' in result) throw new Error(result.refused.message);
}

async function takeOver(parts: Partial<LedgerParts>): Promise<Ledger> {
  const ledger = await second.takeOver({ saveSigned, signed, ...parts });
  await vi.waitFor(() => expect(ledger.mutations).toBeNull(), 5000);
  return ledger;
}

/** Has the first server sign something that it cannot commit until the returned function lets it learn of that. */
async function hang(): Promise<() => void> {
  const failing = Promise.withResolvers<never>();
  const reached = Promise.withResolvers<void>();
  const append = store.append.bind(store);
  store.append = () => {
    reached.resolve();
    return failing.promise;
  };
  void issueOn(system.ledger).catch(() => null);
  await reached.promise;
  store.append = append;
  return () => failing.reject(new Error('the log is no longer ours'));
}

async function follow(): Promise<void> {
  const { mark, signer } = system.world;
  const log = new LogTree();
  for (const { leaf } of await store.leaves(0, 1000)) log.append(leaf);
  await signer.follow(utf8(signed.note), log.consistencyProof(mark.checkpoint.size, signed.size));
}

function audit(): Promise<SignerAuditReport> {
  const { trust, directory } = system.world;
  const others = [{ journal: second.journalFile, known: null }];
  const journal = join(directory, 'journal');
  return auditSigner({ store, origin: trust.log.origin, journal, known: null, others }, { all: true });
}

/** Has batches of one record each signed in the place of the newest map root. */
async function keep(count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) {
    const leaves = new Uint8Array(32).fill(nth);
    const publishBy = '2030-01-01T00:00:00.000Z';
    await system.world.journal.batch({ index: signed.size - 1, leaves, keyids: [], publishBy });
  }
}

describe('what a server has signed and another one overtook', () => {
  it('is explained where the checkpoint below it was signed after it', async () => {
    const opened = Promise.withResolvers<void>();
    gate = opened.promise;
    await system.run(issue);
    const size = system.ledger.size + 1;
    await vi.waitFor(() => expect(asked).toHaveBeenCalledWith(size), 5000);
    const learns = await hang();
    opened.resolve();
    await system.ledger.whenPublished(size, 5000);
    const ledger = await takeOver({});
    await issueOn(ledger);
    await ledger.whenPublished(ledger.size, 5000);
    await follow();
    learns();
    const { incidents, abandoned } = await audit();
    expect(incidents).toEqual([]);
    expect(abandoned).toMatchObject([{ cause: 'overtaken', index: size, count: 1 }]);
  });

  it('is explained where the other one died before it published, and the first one took over again', async () => {
    const { size } = signed;
    const learns = await hang();
    const dying = await takeOver({
      saveSigned: async (newest) => {
        if (newest.size > size) throw new Error('the database is away');
      },
    });
    await issueOn(dying);
    await dying[Symbol.asyncDispose]();
    learns();
    await system.restart({ saveSigned, signed });
    await system.ready();
    await system.run(issue);
    await system.ledger.whenPublished(system.ledger.size, 5000);
    const { incidents, abandoned } = await audit();
    expect(incidents).toEqual([]);
    expect(abandoned).toMatchObject([{ cause: 'overtaken', index: size, count: 1 }]);
  });
});

describe('what a thief of a server has signed and keeps', () => {
  it('is found where a checkpoint above it was signed before the server started again', async () => {
    await keep(1);
    await system.run(issue);
    await system.ledger.whenPublished(system.ledger.size, 5000);
    await system.restart({ saveSigned, signed });
    expect((await audit()).incidents).toMatchObject([{ kind: 'unlogged', index: signed.size - 3 }]);
  });

  it('is found where it is more than a server has under way when it dies', async () => {
    await keep(4);
    await system.restart({ saveSigned, signed });
    expect((await audit()).incidents).toMatchObject([{ kind: 'unlogged' }]);
  });
});
