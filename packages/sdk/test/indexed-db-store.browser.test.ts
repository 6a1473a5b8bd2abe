import { expect, it } from 'vitest';
import { IndexedDbStore } from '../src/index.ts';
import { describeStore } from './support/store-contract.ts';

let databases = 0;
const name = (): string => `license-${databases}`;

describeStore('IndexedDB', async (fresh) => {
  if (fresh) databases += 1;
  return new IndexedDbStore(name());
});

/** Writes a row behind the store's back. */
async function put(copy: string, text: string): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(name(), 1);
    request.onsuccess = () => resolve(request.result);
  });
  const transaction = database.transaction('license', 'readwrite');
  transaction.objectStore('license').put(text, copy);
  await new Promise((resolve) => {
    transaction.oncomplete = resolve;
  });
  database.close();
}

it('recovers from a damaged row by the second one, and says so', async () => {
  databases += 1;
  const store = new IndexedDbStore(name());
  await store.save({ bundle: 'good', memory: null });
  await put('first', 'damaged');
  expect(await store.load()).toMatchObject({ state: { bundle: 'good' }, damage: { code: 'damaged' } });
  await put('second', 'damaged');
  expect(await store.load()).toMatchObject({ state: { bundle: null }, damage: { code: 'damaged' } });
  await store.save({ bundle: 'new', memory: null });
  expect(await store.load()).toEqual({ state: { bundle: 'new', memory: null }, damage: null });
});
