/** Four eyes for revisions of the namespace, which its authority signs elsewhere, on a real ledger. */
import { base64, leafHash } from '@tallystick/core';
import { MemoryStore, type SignedRevision } from '@tallystick/ledger';
import type { ApprovalDocument, Command } from '@tallystick/license';
import { generateKeySpec, SigningKey } from '@tallystick/signer';
import { FaultyStore, signedRevision } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyOf, Custodians, problemOf, unlocking, waiting } from './support/custodians.ts';
import type { Office } from './support/office.ts';

let desk: Custodians;
let office: Office;
let store: FaultyStore;

beforeAll(async () => {
  store = new FaultyStore(new MemoryStore());
  desk = await Custodians.open(store);
  office = desk.office;
});
afterAll(() => desk[Symbol.asyncDispose]());

describe('a revision that unlocks', () => {
  it('waits, changes nothing meanwhile, and takes effect in one transaction with the last approval', async () => {
    await desk.freeze();
    const signed = await desk.unlock();
    const approval = await waiting(desk.revise('Ada', signed));
    expect([desk.lock, desk.epoch]).toEqual(['frozen', 0]);
    const { execution } = await desk.approve('Bea', approval);
    expect(execution).toMatchObject({ done: true, problem: null });
    const [executed, namespace] = execution?.changes ?? [];
    expect([executed?.type, namespace?.type]).toEqual(['approval.executed', 'namespace.updated']);
    expect(namespace?.index).toBe((executed?.index ?? 0) + 1);
    expect(namespace?.leaf).toBe(base64(leafHash(signed.entry)));
    expect([desk.lock, desk.epoch]).toEqual(['open', 1]);
    const document = await office.request(approval);
    const [told] = await office.ledger.read.history(approval, 99, 1);
    expect(told?.cause).toMatchObject({
      command: 'approval.execute',
      who: { kind: 'person', id: office.id('Ada') },
      why: 'T-1',
      approvals: { approval, by: [{ principal: office.id('Bea'), at: document.approvals[0]?.at }] },
    });
    expect(document).toMatchObject({ state: 'executed', epoch: 0, command: { type: 'namespace.revise' } });
    // Handed in again it is found, whoever asks.
    expect((await desk.revise('Ada', signed)).notes.map(({ code }) => code)).toEqual(['replayed']);
    const again = await office.ask('Ada', { type: 'approval.execute', approval });
    expect(again.notes.map(({ code }) => code)).toEqual(['replayed']);
    await office.ledger.whenPublished(office.ledger.size, 10_000);
    expect(await desk.findings()).toEqual([]);
  });

  it('is stored once, however often it is handed in, and as somebody else asks for it as theirs', async () => {
    await desk.freeze();
    const signed = await desk.unlock();
    const [approval, ...others] = await Promise.all([1, 2, 3].map(() => waiting(desk.revise('Ada', signed))));
    expect(new Set([approval, ...others]).size).toBe(1);
    const ofBea = await waiting(desk.revise('Bea', signed));
    expect(ofBea).not.toBe(approval);
    for (const id of [approval ?? '', ofBea])
      await office.ask((await office.request(id)).author.principal === office.id('Ada') ? 'Ada' : 'Bea', {
        type: 'approval.withdraw',
        approval: id,
      });
    // What is over stands in nobody's way.
    expect(await waiting(desk.revise('Ada', signed))).not.toBe(approval);
  });

  it('is approved by nobody who may not: its author, with whatever credential, and other roles', async () => {
    const own = [{}, { session: 'ses_other' }, { credential: desk.otherKey }];
    await desk.freeze();
    const approval = await waiting(desk.revise('Ada', await desk.unlock()));
    for (const said of own)
      expect((await problemOf(desk.approve('Ada', approval, said))).code).toMatch(/forbidden|own_request/);
    const execute: Command = { type: 'approval.execute', approval };
    expect((await problemOf(office.ask('Ada', execute))).code).toBe('not_approved');
    expect((await problemOf(desk.approve('Bea', approval, { stepUp: false }))).code).toBe(
      'insufficient_user_authentication',
    );
    expect([desk.lock, (await office.request(approval)).approvals]).toEqual(['frozen', []]);
  });

  it('happens exactly once, however many approve, execute and hand it in at the same time', async () => {
    await desk.freeze();
    const signed = await desk.unlock();
    const approval = await waiting(desk.revise('Ada', signed));
    const before = await office.count('namespace.updated');
    const quietly = (asked: Promise<unknown>): Promise<unknown> => asked.catch(() => null);
    await Promise.all([
      quietly(desk.approve('Bea', approval)),
      quietly(desk.approve('Cid', approval)),
      ...Array.from({ length: 6 }, () => quietly(office.ask('Ada', { type: 'approval.execute', approval }))),
      ...Array.from({ length: 3 }, () => quietly(desk.revise('Ada', signed))),
    ]);
    expect((await office.request(approval)).state).toBe('executed');
    expect(await office.count('namespace.updated')).toBe(before + 1);
    expect(desk.lock).toBe('open');
  });

  it('changes nothing where the disk fails under it, and is carried out afterwards, over a restart', async () => {
    await desk.freeze();
    const approval = await waiting(desk.revise('Ada', await desk.unlock()));
    await desk.approveOnly('Bea', approval);
    store.fail('append', 'did nothing');
    const execute = { type: 'approval.execute', approval } as const;
    await expect(office.ask('Bea', execute)).rejects.toMatchObject({ problem: 'not_committed' });
    expect([desk.lock, (await office.request(approval)).state]).toEqual(['frozen', 'approved']);
    await office.restart();
    store.fail('append', 'did everything');
    await office.ask('Bea', execute);
    expect([desk.lock, (await office.request(approval)).state]).toEqual(['open', 'executed']);
    expect(await desk.findings()).toEqual([]);
  });

  it('is refused, and changes nothing, where another revision came first', async () => {
    await desk.freeze();
    const approval = await waiting(desk.revise('Ada', await desk.unlock()));
    await desk.revise('Bea', await signedRevision(office, { document: { name: 'Acme Ltd' } }));
    const { execution } = await desk.approve('Bea', approval);
    expect(execution).toMatchObject({
      done: false,
      changes: [],
      problem: { code: 'namespace_refused', detail: expect.stringContaining('propose it anew') },
    });
    expect([desk.lock, (await office.request(approval)).state]).toEqual(['frozen', 'approved']);
    const again = office.ask('Ada', { type: 'approval.execute', approval }, { dryRun: true });
    await expect(again).rejects.toMatchObject({ problem: 'namespace_refused' });
  });

  it('is void in another epoch', async () => {
    await desk.freeze();
    const signed = await desk.unlock();
    const [first, second] = [
      await waiting(desk.revise('Ada', signed)),
      await waiting(desk.revise('Cid', signed)),
    ];
    expect((await desk.approve('Bea', second)).execution).toMatchObject({ done: true });
    expect((await problemOf(desk.approve('Bea', first))).code).toBe('approval_void');
  });

  it('says in a dry run that it would wait, and is shown with what it changes', async () => {
    await desk.freeze();
    const signed = await desk.unlock({ minEpoch: 1 });
    const size = await office.count('approval.created');
    const dry = await desk.revise('Ada', signed, { dryRun: true });
    expect(dry.notes.map(({ code }) => code)).toEqual(['dry_run', 'needs_approval']);
    expect(await office.count('approval.created')).toBe(size);
    const approval = await waiting(desk.revise('Ada', signed));
    const item = await desk.shown(approval);
    expect(item).toMatchObject({
      effect: {
        refusal: null,
        loosens: ['the lock becomes open (was frozen)'],
        changes: [
          { type: 'namespace.updated', before: { epoch: desk.epoch }, after: { epoch: desk.epoch + 1 } },
        ],
      },
    });
    await office.ask('Ada', { type: 'approval.withdraw', approval });
  });
});

describe('what waits for nobody', () => {
  it('is a revision that only tightens', async () => {
    await desk.revise('Ada', await signedRevision(office, { document: { lock: 'sealed' } }));
    expect(desk.lock).toBe('sealed');
    // Even then others can approve what opens it.
    const approval = await waiting(desk.revise('Ada', await desk.unlock({ lock: 'open' })));
    expect((await desk.approve('Cid', approval)).execution).toMatchObject({ done: true });
    expect(desk.lock).toBe('open');
  });

  it('is not one that lists a key, or lets one sign more', async () => {
    const { keys } = office.ledger.governing.namespace;
    const limited = keys.map((key) => ({ ...key, limits: { ...key.limits, seatsMax: 5 } }));
    await desk.revise('Ada', await signedRevision(office, { document: { keys: limited } }));
    const wider = await signedRevision(office, { document: { keys } });
    const approval = await waiting(desk.revise('Ada', wider));
    // Under other rules than it was asked for it is void.
    await desk.rule({ ...unlocking, within: 'PT2H' });
    expect((await problemOf(desk.approve('Bea', approval))).code).toBe('approval_void');
    const anew = await waiting(desk.revise('Ada', wider));
    expect((await desk.approve('Bea', anew)).execution).toMatchObject({ done: true });
  });
});

describe('what was approved', () => {
  /** A key may sign more again than it was narrowed to, which needs no lock. */
  async function wider(name: string): Promise<{ approval: string; signed: SignedRevision }> {
    const { keys } = office.ledger.governing.namespace;
    const narrow = keys.map((key) => ({ ...key, limits: { ...key.limits, seatsMax: 5 } }));
    await desk.revise(name, await signedRevision(office, { document: { keys: narrow } }));
    const signed = await signedRevision(office, { document: { keys } });
    return { approval: await waiting(desk.revise(name, signed)), signed };
  }

  it('waits and says why where its author may not do it any more', async () => {
    const { approval } = await wider('Cid');
    const principal = office.id('Cid');
    await office.system({ type: 'principal.assign', principal, roles: [] });
    expect((await desk.approve('Bea', approval)).execution).toMatchObject({
      done: false,
      problem: { code: 'state_forbids', detail: expect.stringMatching(/^Who asked for this may not/) },
    });
    await office.system({ type: 'principal.assign', principal, roles: [{ role: 'key-custodian' }] });
    await office.ask('Cid', { type: 'approval.execute', approval });
    expect((await office.request(approval)).state).toBe('executed');
  });

  it('counts no more once its time is over, and is asked for anew', async () => {
    const { approval, signed } = await wider('Ada');
    await desk.approveOnly('Bea', approval);
    await office.later(86_400_000);
    const late = await problemOf(office.ask('Ada', { type: 'approval.execute', approval }));
    expect(late.code).toBe('state_forbids');
    const anew = await waiting(desk.revise('Ada', signed));
    expect(anew).not.toBe(approval);
    expect((await desk.approve('Bea', anew)).execution).toMatchObject({ done: true });
  });
});

describe('a request for approval that is asked for by itself', () => {
  const asking = (command: object): Command => ({ type: 'approval.request', command }) as Command;

  it('stores nothing that nobody signed, or that lets somebody in', async () => {
    const signed = await desk.unlock();
    const broken = asking({ type: 'namespace.revise', ...bodyOf(signed), entry: 'AAAA' });
    await expect(office.ask('Ada', broken)).rejects.toMatchObject({ problem: 'namespace_refused' });
    const logged = await signedRevision(office, { document: { name: 'Acme AG' } });
    await desk.revise('Ada', logged);
    const again = asking({ type: 'namespace.revise', ...bodyOf(logged) });
    expect((await problemOf(office.ask('Ada', again))).code).toBe('no_change');
    const by = new SigningKey(generateKeySpec(['authority'], 'acme'));
    const foreign = await signedRevision(office, { by, document: { epoch: desk.epoch + 1 } });
    const forged = asking({ type: 'namespace.revise', ...bodyOf(foreign) });
    await expect(office.ask('Ada', forged)).rejects.toMatchObject({ problem: 'namespace_refused' });
    const more = asking({ type: 'namespace.revise', ...bodyOf(signed), note: 'x' });
    expect((await problemOf(office.ask('Ada', more))).code).toBe('input_invalid');
  });

  it('is carried out by no other way than with what it is about', async () => {
    await desk.freeze();
    const answer = await office.ask(
      'Ada',
      asking({ type: 'namespace.revise', ...bodyOf(await desk.unlock()) }),
    );
    const approval = (answer.document as ApprovalDocument).id;
    const judgment = office.judgment('Ada', 'namespace.revise');
    await desk.approveOnly('Bea', approval);
    const execute = office.ledger.submit({
      command: { type: 'approval.execute', approval },
      cause: { who: { kind: 'nobody', id: 'nobody' }, why: null },
      gate: judgment.environment('T-1'),
      request: null,
      dryRun: false,
    });
    await expect(execute).rejects.toThrow('not in the log with the record');
    expect([desk.lock, (await office.request(approval)).state]).toEqual(['frozen', 'approved']);
    await office.ask('Ada', { type: 'approval.execute', approval });
    expect(desk.lock).toBe('open');
  });
});
