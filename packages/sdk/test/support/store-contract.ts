/** What every store must do; run by the tests of each. */
import { describe, expect, it } from 'vitest';
import { type ClientMemory, type ClientStore, verify } from '../../src/index.ts';
import { startMs, World } from './world.ts';

async function memory(): Promise<ClientMemory> {
  const world = await World.create();
  const options = { trustRoot: world.trustFile, namespace: 'acme', products: ['studio'], now: startMs };
  return (await verify(await world.file(), options)).remembered!;
}

/** `reopen` opens what the last store left, as another process would; a new place where `fresh` is true. */
export function describeStore(name: string, open: (fresh: boolean) => Promise<ClientStore>): void {
  describe(`the contract of a store: ${name}`, () => {
    it('is empty at first', async () => {
      const store = await open(true);
      expect(await store.load()).toEqual({ state: { bundle: null, memory: null }, damage: null });
    });

    it('returns what was saved last, also after it was opened again', async () => {
      const store = await open(true);
      const kept = await memory();
      await store.save({ bundle: 'first', memory: null });
      await store.save({ bundle: 'second \n"\u00e9', memory: kept });
      for (const each of [store, await open(false)]) {
        const { state, damage } = await each.load();
        expect(damage).toBeNull();
        expect(state.bundle).toBe('second \n"\u00e9');
        expect(state.memory?.toText()).toBe(kept.toText());
      }
    });

    it('bears the largest license file', async () => {
      const store = await open(true);
      const bundle = 'x'.repeat(1_048_576);
      await store.save({ bundle, memory: null });
      expect((await store.load()).state.bundle === bundle).toBe(true);
    });
  });
}
