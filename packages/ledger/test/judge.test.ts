/** A command is judged on the snapshot that it is decided on, and not once more or less than that. */
import { base64 } from '@tallystick/core';
import { type CauseInput, type Judge, MemoryStore } from '@tallystick/ledger';
import type { Command } from '@tallystick/license';
import { TestSystem } from '@tallystick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const nobody: CauseInput = { who: { kind: 'test', id: 'nobody' }, why: null };
const decision = { policy: 'p', schema: 's', reasons: ['r'], entities: 'e', input: { action: 'x' } };
const gate = {
  credential: 'crd_1',
  session: null,
  device: null,
  address: '127.0.0.1',
  decision,
  approvals: null,
  signed: null,
};
const allowed: CauseInput = { who: { kind: 'service', id: 'prn_1' }, why: 'because', gate };

class Denied extends Error {}

describe('a judge', () => {
  const store = new MemoryStore();
  let system: TestSystem;
  beforeAll(async () => {
    system = await TestSystem.start({ store });
  });
  afterAll(() => system[Symbol.asyncDispose]());

  const submit = (command: Command, judge: Judge, rest: { key?: string; dryRun?: boolean } = {}) =>
    system.ledger.submit({
      command,
      cause: nobody,
      judge,
      request: rest.key === undefined ? null : { key: rest.key, hash: new Uint8Array(32) },
      dryRun: rest.dryRun ?? false,
    });
  const customer = (reference: string): Command => ({ type: 'customer.create', reference });

  it('says what the cause of the records says, which the log commits to', async () => {
    const result = await submit(customer('judged'), () => allowed);
    if (!('changes' in result)) throw new Error('refused');
    const { index } = result.changes[0]!;
    const cause = JSON.parse(Buffer.from((await store.cause(index!))!.document).toString()) as object;
    expect(Object.keys(cause)).toEqual([
      'v',
      'command',
      'n',
      'who',
      'why',
      'request',
      'decision',
      'approvals',
      'signed',
      'at',
    ]);
    expect(cause).toMatchObject({
      v: 3,
      who: { kind: 'service', id: 'prn_1', credential: 'crd_1', session: null, address: '127.0.0.1' },
      why: 'because',
      decision,
    });
    const { id } = result.changes[0]!.change.subject;
    const [newest] = await system.ledger.read.history(id, Number.MAX_SAFE_INTEGER, 1);
    expect(newest?.cause).toMatchObject({ v: 3, why: 'because' });
  });

  it('has its request known again by its key and hash, also from the store, where the hash is salted', async () => {
    const command = customer('kept');
    const first = await submit(command, () => allowed, { key: 'the-key' });
    if (!('changes' in first)) throw new Error('refused');
    const { index, change } = first.changes[0]!;
    const { request } = JSON.parse(Buffer.from((await store.cause(index!))!.document).toString()) as {
      request: { hash: string };
    };
    expect(request.hash).not.toBe(base64(new Uint8Array(32)));
    await system.ledger.whenPublished(system.ledger.size, 5000);
    await system.restart();
    await system.ready();
    const again = await submit(command, () => allowed, { key: 'the-key' });
    expect(again).toMatchObject({ repeated: true, changes: [{ change: { subject: change.subject } }] });
    const other = system.ledger.submit({
      command,
      cause: nobody,
      judge: () => allowed,
      request: { key: 'the-key', hash: new Uint8Array(32).fill(1) },
      dryRun: false,
    });
    await expect(other).rejects.toThrow('used for another request');
  });

  it('that throws changes nothing, and the caller is told just that', async () => {
    const before = system.ledger.size;
    const denied = new Denied('no');
    const judge: Judge = () => {
      throw denied;
    };
    await expect(submit(customer('denied'), judge)).rejects.toBe(denied);
    await expect(submit(customer('denied'), judge, { dryRun: true })).rejects.toBe(denied);
    expect(system.ledger.size).toBe(before);
    // Nothing of it is left behind: neither its name nor its idempotency key.
    const key = 'the-key-of-somebody-denied';
    await expect(submit(customer('denied'), judge, { key })).rejects.toBe(denied);
    expect(await submit(customer('denied'), () => allowed, { key })).toMatchObject({ repeated: false });
  });

  it('hears of what was refused before the caller does, and may say no instead', async () => {
    const seen: number[] = [];
    const command: Command = {
      type: 'license.suspend',
      license: 'lic_01jd0000000000000000000000',
      reason: 'other',
    };
    const refused = await submit(command, (_view, changes) => {
      seen.push(changes.length);
      return allowed;
    });
    expect(refused).toMatchObject({ refused: { code: 'subject_unknown' } });
    expect(seen).toEqual([0]);
    const denied = new Denied('nor may you know');
    await expect(
      submit(command, () => {
        throw denied;
      }),
    ).rejects.toBe(denied);
  });

  it('looks at what is still on its way: what a change before it did is there', async () => {
    const first = submit(customer('on-its-way'), () => allowed);
    let isThere: boolean | null = null;
    const second = submit(customer('right-after'), (view) => {
      isThere = view.idByReference('on-its-way') !== undefined;
      return allowed;
    });
    await Promise.all([first, second]);
    expect(isThere).toBe(true);
  });

  it('does not say no on the strength of a change that fails: it is asked again', async () => {
    const verdicts: boolean[] = [];
    const judge: Judge = (view) => {
      const isTaken = view.idByReference('fails') !== undefined;
      verdicts.push(isTaken);
      if (isTaken) throw new Denied('taken');
      return allowed;
    };
    const { signer } = system.world;
    const sign = signer.signBatch.bind(signer);
    let isFailing = true;
    signer.signBatch = (batch) => {
      if (!isFailing) return sign(batch);
      isFailing = false;
      return Promise.reject(new Error('the signer is away'));
    };
    const failing = submit(customer('fails'), () => allowed);
    const judged = submit(customer('fine'), judge);
    await expect(failing).rejects.toThrow('the signer is away');
    const outcome = await judged.then(
      () => 'carried out',
      (error: unknown) => (error instanceof Denied ? 'Denied' : 'failed'),
    );
    signer.signBatch = sign;
    // Whatever it saw first, it was not denied for what never came to be.
    expect(outcome).not.toBe('Denied');
    expect(verdicts.at(-1)).toBe(false);
  });
});
