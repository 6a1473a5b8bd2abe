/** The journals of two signers that signed one log in turn. */
import { createHash } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { LogTree, utf8 } from '@tallystick/core';
import { type Ledger, MemoryStore } from '@tallystick/ledger';
import { closeWorld, FaultyStore, SecondServer, TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditSigner, type SignerAuditReport } from '../src/index.ts';

let system: TestSystem;
let store: FaultyStore;
let second: SecondServer;
let signed: { size: number; note: string } | undefined;
let files: [string, string];

const saveSigned = async (newest: { size: number; note: string }): Promise<void> => {
  signed = newest;
};

async function issueOn(ledger: Ledger): Promise<void> {
  const cause = { who: { kind: 'test', id: 'test' }, why: null };
  const command = { type: 'license.issue', plan: 'pro-yearly' } as const;
  const result = await ledger.submit({ command, cause, request: null, dryRun: false });
  if ('refused' in result) throw new Error(result.refused.message);
  await ledger.whenPublished((result.changes[0]?.index ?? 0) + 1, 5000);
}

function audit(...journals: string[]): Promise<SignerAuditReport> {
  const [journal = '', ...others] = journals;
  return auditSigner(
    {
      store,
      origin: system.world.trust.log.origin,
      journal,
      known: null,
      others: others.map((each) => ({ journal: each, known: null })),
    },
    { all: true },
  );
}

beforeAll(async () => {
  store = new FaultyStore(new MemoryStore());
  system = await TestSystem.start({ store, isShared: true });
  const { world } = system;
  await system.restart({ saveSigned });
  await system.ready();
  await system.sellPro();
  await issueOn(system.ledger);
  // Signed, and overtaken before it is committed: this server hangs, and the other one takes the log over.
  let reached = (): void => {};
  const hanging = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const append = store.append.bind(store);
  store.append = async () => {
    reached();
    return new Promise(() => {});
  };
  void issueOn(system.ledger).catch(() => null);
  await hanging;
  store.append = append;
  second = await SecondServer.prepare(world);
  const ledger = await second.takeOver({ saveSigned, signed });
  for (let tries = 0; ledger.mutations !== null && tries < 1000; tries++) await after(2);
  for (let count = 0; count < 3; count++) await issueOn(ledger);
  files = [join(world.directory, 'copy-one'), join(world.directory, 'copy-two')];
  copyFileSync(join(world.directory, 'journal'), files[0]);
  copyFileSync(second.journalFile, files[1]);
});

afterAll(async () => {
  await second[Symbol.asyncDispose]();
  await closeWorld(system.world);
});

describe('a log that two signers signed in turn', () => {
  it('shows what was signed and never heard of, as long as its signer has not seen the other go on', async () => {
    const { incidents } = await audit(...files);
    expect(incidents).toMatchObject([{ kind: 'unlogged', journal: files[0] }]);
  });

  it('is explained by both journals from then on', async () => {
    const { mark, signer, directory } = system.world;
    const log = new LogTree();
    for (const { leaf } of await store.leaves(0, 1000)) log.append(leaf);
    const { note, size } = signed ?? { note: '', size: 0 };
    await signer.follow(utf8(note), log.consistencyProof(mark.checkpoint.size, size));
    const followed = join(directory, 'copy-followed');
    copyFileSync(join(directory, 'journal'), followed);
    const report = await audit(followed, files[1]);
    expect(report.incidents).toEqual([]);
    expect(report.counts.abandoned).toBe(1);
    expect(report.abandoned).toMatchObject([{ cause: 'overtaken', count: 1 }]);
    expect(report.others).toMatchObject([{ file: files[1] }]);
  });

  it('does not explain what a thief of the server that follows has signed and keeps', async () => {
    const { mark, signer, directory, journal } = system.world;
    const log = new LogTree();
    for (const { leaf } of await store.leaves(0, 1000)) log.append(leaf);
    const { size } = mark.checkpoint;
    for (let count = 0; count < 4; count++) {
      const leaves = createHash('sha256').update(`kept ${count}`).digest();
      const publishBy = new Date(system.world.now()).toISOString();
      await journal.batch({ index: size + count, leaves, keyids: [], publishBy });
    }
    const ledger = second.ledger;
    if (ledger === null) throw new Error('nobody writes');
    for (let count = 0; count < 3; count++) await issueOn(ledger);
    const grown = new LogTree();
    for (const { leaf } of await store.leaves(0, 1000)) grown.append(leaf);
    await signer.follow(utf8(signed?.note ?? ''), grown.consistencyProof(size, signed?.size));
    const [kept, two] = [join(directory, 'copy-kept'), join(directory, 'copy-then')];
    copyFileSync(join(directory, 'journal'), kept);
    copyFileSync(second.journalFile, two);
    const { incidents } = await audit(kept, two);
    expect(incidents).toMatchObject([{ kind: 'unlogged', journal: kept }]);
  });

  it('is not explained by one of them alone', async () => {
    const { incidents } = await audit(files[0]);
    const kinds = new Set(incidents.map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['unlogged', 'unsigned', 'published']));
  });
});
