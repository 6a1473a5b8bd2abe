import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { keyFingerprintText } from '@tallystick/core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { destroyKeys, finishDestruction, type KeystoreFiles } from '../src/keystore/destroy-keys.ts';
import { readPassphraseFile } from '../src/keystore/passphrase-file.ts';
import {
  addToSealedKeystore,
  createSealedKeystore,
  openSealedKeystore,
  openWithDestroyed,
} from '../src/keystore/sealed-file.ts';
import { holdingKeystore } from '../src/keystore/secret-files.ts';
import { generateKeySpec, type KeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { scratchDirectory } from './support/scratch.ts';
import { keySpecs } from './support/signing.ts';

/** As in sealed-file.test.ts: the real scrypt takes half a second. */
vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>();
  const scryptSync = (passphrase: Uint8Array, salt: Uint8Array): Buffer =>
    real.createHash('sha256').update(passphrase).update(salt).digest();
  return { ...real, scryptSync };
});

/** The process dies at the nth change to the file system from now on: neither that one nor a later one is made. */
const life = vi.hoisted(() => ({ changesLeft: Number.POSITIVE_INFINITY }));
vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs')>();
  const dying =
    <A extends unknown[], R>(act: (...args: A) => R, dyingAct?: (...args: A) => unknown) =>
    (...args: A): R => {
      life.changesLeft -= 1;
      if (life.changesLeft === 0) dyingAct?.(...args);
      if (life.changesLeft <= 0) throw new Error('killed');
      return act(...args);
    };
  return {
    ...real,
    openSync: dying(real.openSync),
    writeSync: dying(
      real.writeSync as (descriptor: number, bytes: string | Uint8Array) => number,
      (to, bytes) => real.writeSync(to, bytes.slice(0, bytes.length / 2) as string),
    ),
    // What a disk confirms matters to power cuts alone.
    fsyncSync: dying(() => undefined),
    linkSync: dying(real.linkSync),
    renameSync: dying(real.renameSync),
    rmSync: dying(real.rmSync),
    chmodSync: dying(real.chmodSync),
  };
});

const passphrase = 'correct horse battery staple';
let directory: string;
let files: KeystoreFiles;
let specs: KeySpec[];
let destroyed: KeySpec;

beforeEach(() => {
  life.changesLeft = Number.POSITIVE_INFINITY;
  directory = scratchDirectory();
  files = fresh('0');
});

function fresh(name: string): KeystoreFiles {
  const folder = join(directory, name);
  mkdirSync(folder);
  const made = { keystore: join(folder, 'online.sealed'), passphraseFile: join(folder, 'online.passphrase') };
  specs = keySpecs();
  destroyed = specs[1] as KeySpec;
  createSealedKeystore(made.keystore, passphrase, specs);
  writeFileSync(made.passphraseFile, passphrase, { mode: 0o600 });
  return made;
}

const idOf = (spec: KeySpec): string => keyFingerprintText(new SigningKey(spec).publicKey);
const destroy = (of: KeystoreFiles = files, keepsPublic = true): boolean =>
  destroyKeys(of, { ids: [idOf(destroyed)], keepsPublic });

function idsIn({ keystore, passphraseFile }: KeystoreFiles): string[] {
  return openSealedKeystore(keystore, readPassphraseFile(passphraseFile)).map(({ publicKey }) =>
    keyFingerprintText(publicKey),
  );
}

function namesBeside({ keystore }: KeystoreFiles): string[] {
  return readdirSync(join(keystore, '..')).sort();
}

const whole = ['online.passphrase', 'online.sealed', 'online.sealed.lock'];

describe('destroying keys in a keystore', () => {
  it('leaves the others under a new passphrase, and of the destroyed one its public half', () => {
    expect(destroy()).toBe(true);
    expect(idsIn(files)).toEqual(specs.filter((spec) => spec !== destroyed).map(idOf));
    expect(() => openSealedKeystore(files.keystore, passphrase)).toThrow(/wrong passphrase/);
    const left = openWithDestroyed(files.keystore, readPassphraseFile(files.passphraseFile)).destroyed;
    expect(left.map(({ publicKey, ns, usages }) => [keyFingerprintText(publicKey), ns, usages])).toEqual([
      [idOf(destroyed), 'acme', ['license']],
    ]);
    expect(namesBeside(files)).toEqual(whole);
  });

  it('keeps what is left of it when keys are added, and changes nothing the second time', () => {
    destroy();
    const added = generateKeySpec(['license'], 'acme');
    addToSealedKeystore(files.keystore, readPassphraseFile(files.passphraseFile), [added]);
    const before = readFileSync(files.keystore);
    expect(destroy()).toBe(false);
    expect(readFileSync(files.keystore).equals(before)).toBe(true);
    expect(idsIn(files)).toContain(idOf(added));
    const { destroyed: left } = openWithDestroyed(files.keystore, readPassphraseFile(files.passphraseFile));
    expect(left).toHaveLength(1);
    expect(namesBeside(files)).toEqual(whole);
  });

  it('keeps nothing of a key that no namespace lists', () => {
    destroy(files, false);
    expect(openWithDestroyed(files.keystore, readPassphraseFile(files.passphraseFile)).destroyed).toEqual([]);
  });

  it('overwrites the bytes of both former files, and of a half-written keystore', () => {
    const partial = `${files.keystore}.partial`;
    writeFileSync(partial, readFileSync(files.keystore));
    const former = [files.keystore, files.passphraseFile, partial].map((file) => openSync(file, 'r'));
    destroy();
    for (const descriptor of former) {
      const content = Buffer.alloc(4096, 0xff);
      const length = readSync(descriptor, content, 0, content.length, 0);
      expect(length).toBeGreaterThan(12);
      expect(content.subarray(0, length).every((byte) => byte === 0)).toBe(true);
      closeSync(descriptor);
    }
  });

  it('says of a lock that cannot be taken what is wrong with it, and names no other command', () => {
    writeFileSync(`${files.keystore}.lock`, 'no lock, and long enough to be looked at as one. '.repeat(100));
    expect(() => holdingKeystore(files.keystore, () => {})).toThrow(
      /\.lock cannot be locked \(file is not a database\): see whether its disk is full/,
    );
  });

  it('leaves a keystore alone that another command is changing', () => {
    const before = readFileSync(files.keystore);
    holdingKeystore(files.keystore, () => {
      expect(() => destroy()).toThrow(/another command/);
      const spec = generateKeySpec(['license'], 'acme');
      expect(() => addToSealedKeystore(files.keystore, passphrase, [spec])).toThrow(/another command/);
    });
    expect(readFileSync(files.keystore).equals(before)).toBe(true);
    expect(destroy()).toBe(true);
  });
});

describe('killed at any change to the file system', () => {
  it.each([
    ['the command', []],
    ['the next start and then the command', [finishDestruction]],
  ])('it is finished by %s, and at no moment are the keys without their passphrase', (_what, starts) => {
    let kills = 0;
    for (let isKilled = true; isKilled; kills++) {
      const each = fresh(`killed-${kills + 1}`);
      const formerText = readFileSync(each.keystore, 'utf8');
      life.changesLeft = kills + 1;
      try {
        destroy(each);
      } catch (error) {
        expect(String(error)).toContain('killed');
      }
      isKilled = life.changesLeft <= 0;
      life.changesLeft = Number.POSITIVE_INFINITY;
      const next = { ...each, passphraseFile: `${each.passphraseFile}.next` };
      const opening = [each, next].flatMap((under) => {
        try {
          return [idsIn(under)];
        } catch {
          return [];
        }
      });
      expect(opening, `${kills} changes`).toHaveLength(1);
      expect([specs.length, specs.length - 1]).toContain(opening[0]?.length);
      for (const start of starts) start(each);
      destroy(each);
      expect(idsIn(each), `${kills} changes`).toEqual(specs.filter((spec) => spec !== destroyed).map(idOf));
      expect(namesBeside(each)).toEqual(whole);
      const { sealed } = JSON.parse(formerText) as { sealed: string };
      for (const name of namesBeside(each)) {
        const content = readFileSync(join(each.keystore, '..', name), 'latin1');
        expect(content).not.toContain(sealed);
        expect(content).not.toContain(passphrase);
      }
    }
    expect(kills).toBeGreaterThan(30);
  });

  it('loses no passphrase where the keystore cannot be opened for a moment', () => {
    const next = `${files.passphraseFile}.next`;
    writeFileSync(next, 'another passphrase of somebody', { mode: 0o600 });
    chmodSync(files.keystore, 0o640);
    expect(() => destroy(files)).toThrow(/can be read by others/);
    expect(readFileSync(next, 'utf8')).toBe('another passphrase of somebody');
    chmodSync(files.keystore, 0o600);
    destroy(files);
    expect(idsIn(files)).toHaveLength(specs.length - 1);
  });

  it('overwrites nothing that a link leads to', () => {
    const bystander = join(directory, 'bystander');
    writeFileSync(bystander, 'untouched');
    symlinkSync(bystander, `${files.keystore}.partial`);
    symlinkSync(join(directory, 'nowhere'), `${files.passphraseFile}.next`);
    expect(() => destroy(files)).not.toThrow();
    expect(readFileSync(bystander, 'utf8')).toBe('untouched');
  });
});
