import { hkdfSync } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { makePassphrase } from '../src/keystore/key-derivation.ts';
import { noLimits } from '../src/keystore/keystore-key.ts';
import { createSealedKeystore, openSealedKeystore } from '../src/keystore/sealed-file.ts';
import { generateKeySpec, type KeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { seal } from '../src/keystore/xaes-256-gcm.ts';
import { scratchDirectory } from './support/scratch.ts';

/**
 * scrypt takes half a second by design, and these tests open hundreds of files. The stand-in keeps what
 * matters here: another passphrase, salt or cost gives another key. One test below uses the real one.
 */
const kdf = vi.hoisted(() => ({ isReal: false }));
vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>();
  const standIn = (passphrase: string, salt: Uint8Array, length: number, cost: object): Buffer => {
    if (kdf.isReal) return real.scryptSync(passphrase, salt, length, cost);
    const text = JSON.stringify([passphrase, Buffer.from(salt).toString('hex'), cost]);
    return real.createHash('sha256').update(text).digest();
  };
  return { ...real, scryptSync: standIn };
});

const passphrase = 'correct horse battery staple';
const keys: KeySpec[] = [
  generateKeySpec(['log'], null),
  generateKeySpec(['license'], 'acme', { offlineMax: 'P30D', termMax: null, seatsMax: 5, perMinute: 10 }),
  generateKeySpec(['log'], null, noLimits, 'ml-dsa-44'),
];
const publicKeys = keys.map((spec) => new SigningKey(spec).keyid);
let file: string;

beforeEach(() => {
  kdf.isReal = false;
  file = join(scratchDirectory(), 'keystore.json');
});

function rewrite(text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
}

describe('a sealed keystore', () => {
  it('gives back its keys under its passphrase, and never shows a seed', () => {
    kdf.isReal = true;
    createSealedKeystore(file, passphrase, keys);
    const opened = openSealedKeystore(file, passphrase);
    expect(opened.map(({ keyid }) => keyid)).toEqual(publicKeys);
    expect(opened.map(({ usages, ns, limits }) => ({ usages, ns, limits }))).toEqual(
      keys.map(({ usages, ns, limits }) => ({ usages, ns, limits })),
    );
    const text = readFileSync(file, 'utf8');
    for (const { seed } of keys) expect(text).not.toContain(seed);
    expect(text).toContain('"n":131072');
    expect(() => openSealedKeystore(file, 'correct horse battery stapler')).toThrow(/wrong passphrase/);
  });

  it('says of a key that only a newer version knows that it is one', () => {
    const newer = { ...generateKeySpec(['log'], null), alg: 'ml-dsa-87' } as unknown as KeySpec;
    createSealedKeystore(file, passphrase, [...keys, newer]);
    expect(() => openSealedKeystore(file, passphrase)).toThrow(/ml-dsa-87: use a newer one/);
  });

  it('opens under the same passphrase typed in another Unicode form', () => {
    createSealedKeystore(file, 'Gr\u00fc\u00dfe aus dem Tal', keys);
    expect(openSealedKeystore(file, 'Gru\u0308\u00dfe aus dem Tal')).toHaveLength(3);
  });

  it.each(['', 'Correct horse battery staple', `${passphrase} `])(
    'stays shut for the passphrase %j',
    (wrong) => {
      createSealedKeystore(file, passphrase, keys);
      expect(() => openSealedKeystore(file, wrong)).toThrow(/wrong passphrase, or the file is damaged/);
    },
  );

  it('is written for its owner alone, under a passphrase of some length', () => {
    expect(() => createSealedKeystore(file, 'elevenchars', keys)).toThrow(/at least 12/);
    expect(existsSync(file)).toBe(false);
    createSealedKeystore(file, passphrase, keys);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.partial`)).toBe(false);
  });

  it.each([0o644, 0o640, 0o606, 0o660, 0o601])('is refused with mode %o', (mode) => {
    createSealedKeystore(file, passphrase, keys);
    chmodSync(file, mode);
    expect(() => openSealedKeystore(file, passphrase)).toThrow(/chmod 600/);
  });

  it('is never overwritten', () => {
    createSealedKeystore(file, passphrase, keys);
    const before = readFileSync(file);
    expect(() => createSealedKeystore(file, passphrase, [])).toThrow();
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('that is missing is said to be missing', () => {
    expect(() => openSealedKeystore(file, passphrase)).toThrow(/there is no keystore/);
  });

  it('does not open with another cost, weaker or stronger, even one that this version takes', () => {
    createSealedKeystore(file, passphrase, keys);
    const text = readFileSync(file, 'utf8');
    const swaps: [string, string, RegExp][] = [
      ['"n":131072', '"n":1024', /does not know/],
      ['"n":131072', '"n":65536', /does not know/],
      ['"n":131072', '"n":262144', /wrong passphrase/],
      ['"n":131072', '"n":8388608', /does not know/],
      ['"r":8', '"r":1', /does not know/],
      ['"p":1', '"p":0', /does not know/],
      ['"p":1', '"p":2', /wrong passphrase/],
      ['"p":1', '"p":17', /does not know/],
      ['"scrypt"', '"pbkdf2"', /does not know/],
      ['"v":1', '"v":2', /does not know/],
    ];
    for (const [from, to, message] of swaps) {
      rewrite(text.replace(from, to));
      expect(() => openSealedKeystore(file, passphrase), to).toThrow(message);
    }
  });

  it('under a passphrase that was made here opens for that alone, at the cost of a hash', () => {
    kdf.isReal = true;
    const made = makePassphrase();
    createSealedKeystore(file, made, keys);
    expect(readFileSync(file, 'utf8')).toContain('"kdf":{"name":"hkdf-sha256","salt":"');
    expect(openSealedKeystore(file, made).map(({ keyid }) => keyid)).toEqual(publicKeys);
    expect(openSealedKeystore(file, Buffer.from(made)).map(({ keyid }) => keyid)).toEqual(publicKeys);
    for (const wrong of [makePassphrase(), made.slice(0, -1), `${made}A`, passphrase])
      expect(() => openSealedKeystore(file, wrong), wrong).toThrow(/wrong passphrase/);
  });

  it.each([
    'what nobody has made at random, and long',
    `random-${'a'.repeat(31)}`,
    `random-${'a'.repeat(33)}`,
    `random-${'a'.repeat(31)} `,
    `random-${'a'.repeat(31)}+`,
    `random-${'a'.repeat(31)}\u00fc`,
    `Random-${'a'.repeat(32)}`,
    `${'a'.repeat(39)}`,
  ])('is dear to guess under the passphrase %j', (chosen) => {
    createSealedKeystore(file, chosen, keys);
    expect(readFileSync(file, 'utf8')).toContain('"kdf":{"name":"scrypt","n":131072,');
    expect(openSealedKeystore(file, chosen)).toHaveLength(3);
  });

  it('that asks for a cheap guess at what people choose stays shut', () => {
    createSealedKeystore(file, passphrase, keys);
    const text = readFileSync(file, 'utf8');
    rewrite(text.replace('"name":"scrypt","n":131072,"r":8,"p":1,', '"name":"hkdf-sha256",'));
    expect(() => openSealedKeystore(file, passphrase)).toThrow(/wrong passphrase/);
    // Sealed like that from the beginning, by whoever hopes that it is opened: the passphrase is not even tried.
    const salt = Buffer.alloc(32, 1);
    const header = `{"v":1,"kdf":{"name":"hkdf-sha256","salt":"${salt.toString('base64')}"}`;
    const key = new Uint8Array(hkdfSync('sha256', passphrase, salt, 'tallystick/keystore/v1', 32));
    const sealed = seal(key, Buffer.from(JSON.stringify({ keys })), Buffer.from(`${header}}`));
    rewrite(`${header},"sealed":"${Buffer.from(sealed).toString('base64')}"}\n`);
    expect(() => openSealedKeystore(file, passphrase)).toThrow(/wrong passphrase/);
  });

  it('under a passphrase that was made here does not open as one under a chosen passphrase', () => {
    const made = makePassphrase();
    createSealedKeystore(file, made, keys);
    const text = readFileSync(file, 'utf8');
    rewrite(text.replace('"name":"hkdf-sha256",', '"name":"scrypt","n":131072,"r":8,"p":1,'));
    expect(() => openSealedKeystore(file, made)).toThrow(/wrong passphrase/);
    rewrite(text.replace('"name":"hkdf-sha256",', '"name":"hkdf-sha256","n":1,'));
    expect(() => openSealedKeystore(file, made)).toThrow(/wrong passphrase/);
  });

  it('cut short anywhere stays shut', () => {
    createSealedKeystore(file, passphrase, keys);
    const text = readFileSync(file, 'utf8');
    for (let length = 0; length < text.length - 1; length++) {
      rewrite(text.slice(0, length));
      expect(() => openSealedKeystore(file, passphrase), `${length} of ${text.length}`).toThrow();
    }
  });

  it('with any byte flipped gives the same keys or none', () => {
    createSealedKeystore(file, passphrase, keys);
    const whole = readFileSync(file);
    let opened = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x02, 0x08, 0x20, 0x80, 0xff]) {
        const altered = Buffer.from(whole);
        altered[at]! ^= flip;
        writeFileSync(file, altered);
        try {
          expect(openSealedKeystore(file, passphrase).map(({ keyid }) => keyid)).toEqual(publicKeys);
          opened += 1;
        } catch (error) {
          expect(error, `byte ${at}`).not.toMatchObject({ name: 'AssertionError' });
        }
      }
    }
    expect(opened).toBeLessThan(6);
  });
});
