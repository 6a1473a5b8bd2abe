/** Behavior of projections and erasure that was once missing; each of these failed before it was mended. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { Projections } from '@tallystick/ledger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLog } from './support/check-log.ts';
import { CrashingSystem, copyDatabase, rowsOf } from './support/crashing-system.ts';

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

/** The next call of a method of the projections throws, as on a full disk. */
function failOnce(method: 'apply', isMeant: (revisions: readonly { id: string }[]) => boolean): void {
  const real = system.projections[method].bind(system.projections);
  system.projections[method] = (...given) => {
    if (!isMeant(given[0])) {
      real(...given);
      return;
    }
    system.projections[method] = real;
    throw new Error('disk full');
  };
}

describe('projections that could not be written once', () => {
  it('lose nothing: a code stays taken, and a list is whole', async () => {
    await system.ledger.read.licenses({}, everything);
    failOnce('apply', (revisions) => revisions.length > 0);
    await system.make({ type: 'product.create', code: 'suite', name: 'Suite', entitlements: {} });
    await system.published();
    const again = await system.submit({
      type: 'product.create',
      code: 'suite',
      name: 'Again',
      entitlements: {},
    });
    expect(again).toMatchObject({ refused: { code: 'code_taken' } });
  });

  it('do not forget under which keys was asked: nothing is made twice', async () => {
    failOnce('apply', (revisions) => revisions.length > 0);
    const first = await issue('order');
    await system.published();
    expect(await issue('order')).toBe(first);
    await checkLog(system.inner);
  });

  it('do not forget an erasure that could not shred at once', async () => {
    const customer = await system.make({ type: 'customer.create', reference: 'erika', name: 'Mustermann' });
    await system.published();
    system.store.fail('shred', 'did nothing');
    await system.make({ type: 'customer.erase', customer });
    await system.published();
    const documents = (await system.inner.entries(0, 1000)).map(({ content }) => content?.document);
    expect(documents.map((each) => Buffer.from(each ?? []).toString()).join()).not.toContain('Mustermann');
  });
});

describe('a crash while an erasure is carried out', () => {
  let customer: string;

  beforeEach(async () => {
    customer = await system.make({ type: 'customer.create', reference: 'erika', name: 'Mustermann' });
    await system.published();
  });

  it('right after the shredding frees the names all the same', async () => {
    system.store.fail('shred', 'did everything');
    system.store.onDone = (operation) => operation === 'shred' && system.store.kill();
    await system.make({ type: 'customer.erase', customer });
    await after(30);
    await system.crash();
    await system.ready();
    expect(JSON.stringify(rowsOf(system.projectionsFile))).not.toContain('erika');
    await system.make({ type: 'customer.create', reference: 'erika' });
  });

  it('at a start does not forget under which keys was asked before it', async () => {
    const id = await issue('order');
    await system.make({ type: 'customer.erase', customer });
    await system.published();
    system.projections.clear();
    system.onOpen = (store) => store.fail('shred', 'did nothing');
    await expect(system.crash()).rejects.toMatchObject({ name: 'StoreFault' });
    await system.crash();
    await system.ready();
    expect(await issue('order')).toBe(id);
    await system.published();
    await checkLog(system.inner);
  });

  it('does not forget the erasure itself because a reader came in between', async () => {
    const release = system.store.hold('shred');
    await system.make({ type: 'customer.erase', customer });
    await after(20);
    void system.ledger.read.licenses({}, everything).catch(() => {});
    await after(20);
    await system.crash();
    release();
    await system.ready();
    const documents = (await system.inner.entries(0, 1000)).map(({ content }) => content?.document);
    expect(documents.map((each) => Buffer.from(each ?? []).toString()).join()).not.toContain('Mustermann');
  });
});

describe('a reader that comes in the moment of a commit', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    '%d turns after the append leaves no gap in the projections',
    async (turns) => {
      system.signerFault = (operation) => {
        // No later checkpoint brings the projections up again before the crash.
        if (operation === 'signCheckpoint') throw new Error('away');
      };
      let snapshot = '';
      system.store.onDone = (operation) => {
        if (operation !== 'append' || snapshot !== '') return;
        snapshot = join(system.world.directory, 'snapshot.db');
        let left = turns;
        const turn = (): void => {
          left -= 1;
          if (left > 0) return void Promise.resolve().then(turn);
          void system.ledger.read
            .resolve({ reference: 'nobody' })
            .then(() => copyDatabase(system.projectionsFile, snapshot));
        };
        turn();
      };
      const id = await issue();
      for (let waited = 0; waited < 20; waited++) await after(1);
      using projections = new Projections(snapshot);
      const { size } = projections;
      const heads = (await system.inner.entries(0, size)).filter(({ content }) => content?.id === id);
      const found = projections.revisions(id, -1, 10);
      system.signerFault = null;
      await system.published();
      expect(found).toHaveLength(heads.length);
    },
  );
});

describe('the projections file', () => {
  it('holds nothing of a customer who was erased, also not between its rows', async () => {
    const reference = 'erika-mustermann-0815';
    const customer = await system.make({ type: 'customer.create', reference });
    await system.published();
    await system.make({ type: 'customer.erase', customer });
    await system.published();
    await system.ledger[Symbol.asyncDispose]();
    const text = ['', '-wal'].map((suffix) => {
      try {
        return readFileSync(`${system.projectionsFile}${suffix}`).toString('latin1');
      } catch {
        return '';
      }
    });
    expect(text.join()).not.toContain(reference);
  });
});
