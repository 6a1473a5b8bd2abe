import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64, sha256, utf8 } from '@tallystick/core';
import { FileStore } from '@tallystick/sdk/node';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeState } from '../src/index.ts';
import { describeStore } from './support/store-contract.ts';

const root = mkdtempSync(join(tmpdir(), 'tally-sdk-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let places = 0;
const folder = (): string => join(root, String(places));
const path = (): string => join(folder(), 'license.tally-state');

function freshStore(): FileStore {
  places += 1;
  return new FileStore(path());
}

describeStore('a file', async (fresh) => (fresh ? freshStore() : new FileStore(path())));

const text = (bundle: string): string => encodeState({ bundle, memory: null });

describe('a file store', () => {
  it('leaves two files that only their owner can read, and no drafts', async () => {
    const store = freshStore();
    await store.save({ bundle: 'one', memory: null });
    await store.save({ bundle: 'two', memory: null });
    expect(readdirSync(folder()).sort()).toEqual(['license.tally-state', 'license.tally-state.bak']);
    for (const name of readdirSync(folder())) {
      expect(statSync(join(folder(), name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(folder(), name), 'utf8')).toBe(text('two'));
    }
  });

  it.each(['', 'x', '{"v":1}\n', text('good').slice(0, -10), text('good').replace('good', 'evil')])(
    'recovers by the backup from a file that holds %j, and says so',
    async (content) => {
      const store = freshStore();
      await store.save({ bundle: 'good', memory: null });
      writeFileSync(path(), content);
      expect(await store.load()).toMatchObject({
        state: { bundle: 'good' },
        damage: { name: 'StoreError', code: 'damaged' },
      });
    },
  );

  it('says so when both files are damaged or the first is gone, and saves over both', async () => {
    const store = freshStore();
    await store.save({ bundle: 'good', memory: null });
    rmSync(path());
    expect(await store.load()).toMatchObject({ state: { bundle: 'good' }, damage: { code: 'damaged' } });
    writeFileSync(`${path()}.bak`, 'x');
    expect(await store.load()).toMatchObject({ state: { bundle: null }, damage: { code: 'damaged' } });
    await store.save({ bundle: 'new', memory: null });
    expect(await store.load()).toMatchObject({ state: { bundle: 'new' }, damage: null });
  });

  it('refuses what a newer version saved, and leaves it alone', async () => {
    const store = freshStore();
    await store.save({ bundle: 'good', memory: null });
    const line = '{"v":2,"bundle":null}';
    writeFileSync(path(), `${line}\n${base64(sha256(utf8(line)))}\n`);
    await expect(store.load()).rejects.toMatchObject({ code: 'too_new' });
  });

  it('reports storage that fails with a type, and holds the old or the new state whole', async () => {
    const store = freshStore();
    await store.save({ bundle: 'good', memory: null });
    rmSync(`${path()}.bak`);
    // A folder in the place of the backup makes its rename fail, for every user.
    mkdirSync(join(`${path()}.bak`, 'in-the-way'), { recursive: true });
    await expect(store.save({ bundle: 'new', memory: null })).rejects.toMatchObject({ code: 'unavailable' });
    expect((await store.load()).state.bundle).toBe('new');
    expect(readdirSync(folder()).sort()).toEqual(['license.tally-state', 'license.tally-state.bak']);
    rmSync(path());
    mkdirSync(path());
    await expect(store.load()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
