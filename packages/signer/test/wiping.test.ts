import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { base64, decodeBase64, keyFingerprintText, utf8 } from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { destroyKeys } from '../src/keystore/destroy-keys.ts';
import { makePassphrase } from '../src/keystore/key-derivation.ts';
import { readPassphraseFile } from '../src/keystore/passphrase-file.ts';
import { createSealedKeystore, openSealedKeystore } from '../src/keystore/sealed-file.ts';
import { takeSeeds } from '../src/keystore/sealed-seeds.ts';
import { type KeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import { endSigners, passphrase, runSigner, SignerFiles } from './support/running-signer.ts';
import { keySpecs, postQuantumLogKey } from './support/signing.ts';

/** Every buffer that the cryptography of this process is given as a secret, or gives back as one. */
const secrets = vi.hoisted(() => [] as Uint8Array[]);
vi.mock('node:crypto', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:crypto')>();
  const keep = <T>(value: T): T => {
    if (value instanceof Uint8Array) secrets.push(value);
    return value;
  };
  return {
    ...real,
    scryptSync: (given: string, ...rest: [Buffer, number, object]) =>
      keep(real.scryptSync(keep(given), ...rest)),
    createHmac: (...given: Parameters<typeof real.createHmac>) => {
      const hmac = real.createHmac(...given);
      const [update, digest] = [hmac.update.bind(hmac), hmac.digest.bind(hmac)];
      hmac.update = ((data: Uint8Array) => update(keep(data))) as typeof hmac.update;
      hmac.digest = (() => keep(digest())) as typeof hmac.digest;
      return hmac;
    },
    createPrivateKey: (given: { key: Buffer; format: 'der'; type: 'pkcs8' }) => {
      keep(given.key);
      return real.createPrivateKey(given);
    },
    createSecretKey: (given: Buffer) => real.createSecretKey(keep(given)),
    createDecipheriv: (...given: Parameters<typeof real.createDecipheriv>) => {
      const decipher = real.createDecipheriv(...given);
      const update = decipher.update.bind(decipher);
      decipher.update = ((bytes: Buffer) => keep(update(bytes))) as typeof decipher.update;
      return decipher;
    },
  };
});

let files: SignerFiles;

beforeEach(() => {
  files = new SignerFiles();
  secrets.length = 0;
});

afterEach(endSigners);

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

describe('opening a keystore', () => {
  it('leaves zeros where passphrase, derived keys, content and seeds were', () => {
    const file = `${files.directory}/keys/other.json`;
    createSealedKeystore(file, passphrase, [...keySpecs(), postQuantumLogKey()]);
    secrets.length = 0;
    const given = readPassphraseFile(files.config.passphraseFile);
    expect(Buffer.from(given).toString()).toBe(passphrase);
    expect(openSealedKeystore(file, given)).toHaveLength(6);
    expect(isZero(given)).toBe(true);
    // The passphrase, what was extracted from it and the key from that, a subkey and the key that made it, the content, and each of six keys.
    expect(secrets.length).toBeGreaterThanOrEqual(10);
    expect(secrets.map(isZero)).toEqual(secrets.map(() => true));
  });

  it('leaves zeros under a wrong passphrase and where there is no keystore', () => {
    const wrong = utf8(makePassphrase());
    expect(() => openSealedKeystore(files.config.keystore, wrong)).toThrow(/wrong passphrase/);
    expect(isZero(wrong)).toBe(true);
    expect(secrets.map(isZero)).toEqual(secrets.map(() => true));
    const unused = utf8(passphrase);
    expect(() => openSealedKeystore(`${files.config.keystore}.none`, unused)).toThrow(/no keystore/);
    expect(isZero(unused)).toBe(true);
  });

  it('reads a passphrase of other characters in any Unicode form, and without white space at its end', () => {
    const file = `${files.directory}/keys/other.json`;
    createSealedKeystore(file, 'Gr\u00fc\u00dfe aus dem Tal', keySpecs());
    writeFileSync(files.config.passphraseFile, 'Gru\u0308\u00dfe aus dem Tal \r\n\t');
    const given = readPassphraseFile(files.config.passphraseFile);
    expect(openSealedKeystore(file, given)).toHaveLength(5);
    expect(isZero(given)).toBe(true);
  });
});

describe('taking seeds out of the text of a keystore', () => {
  it('gives each in order, and leaves text that parses and holds none', () => {
    const specs = keySpecs();
    const text = utf8(JSON.stringify({ keys: specs, ns: '"seed":"' }));
    expect(takeSeeds(text).map(base64)).toEqual(specs.map(({ seed }) => seed));
    const left = JSON.parse(Buffer.from(text).toString()) as { keys: { seed: string }[] };
    expect(left.keys.map(({ seed }) => isZero(decodeBase64(seed, 32)))).toEqual(specs.map(() => true));
  });

  it.each(['', 'AAAA', `${'A'.repeat(43)}`, `${'A'.repeat(42)}B=`, `${'A'.repeat(42)}*=`, 'A'.repeat(44)])(
    'refuses what is not 32 bytes: %s',
    (seed) => {
      expect(() => takeSeeds(utf8(JSON.stringify({ keys: [{ seed }] })))).toThrow(/not 32 bytes/);
    },
  );
});

/** All that a process may write to, as a debugger would: while it stands still, or parts would go away meanwhile. */
function memoryOf(pid: number): Buffer[] {
  process.kill(pid, 'SIGSTOP');
  try {
    return stoppedMemoryOf(pid);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

function stoppedMemoryOf(pid: number): Buffer[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const areas = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/^(\w+)-(\w+) rw.*$/gm);
    return [...areas].map(([, from = '', to = '']) => {
      const start = Number.parseInt(from, 16);
      const part = Buffer.alloc(Number.parseInt(to, 16) - start);
      return part.subarray(0, readSync(memory, part, { position: start }));
    });
  } finally {
    closeSync(memory);
  }
}

describe.skipIf(process.platform !== 'linux')('the memory of a signer that listens', () => {
  it('holds neither its passphrase nor a seed as text', async () => {
    const specs = [...keySpecs(), postQuantumLogKey()];
    const file = `${files.directory}/keys/other.json`;
    createSealedKeystore(file, passphrase, specs);
    files.configure({ keystore: file });
    const running = runSigner(files);
    await running.listening();
    const memory = memoryOf(running.child.pid ?? 0);
    const finds = (text: string, encoding: BufferEncoding = 'latin1'): boolean =>
      memory.some((part) => part.includes(Buffer.from(text, encoding)));
    // The look into memory finds what is there.
    expect(finds(files.config.socket)).toBe(true);
    expect(finds(passphrase)).toBe(false);
    for (const { seed } of specs) expect(finds(seed)).toBe(false);
  });

  it('holds the seed of a key while it has the key, and no more once that was destroyed', async () => {
    const specs = keySpecs();
    const file = `${files.directory}/keys/other.json`;
    createSealedKeystore(file, passphrase, specs);
    files.configure({ keystore: file });
    const running = runSigner(files);
    await running.listening();
    const [, license, other] = specs as [KeySpec, KeySpec, KeySpec];
    const holds = ({ seed }: KeySpec): boolean =>
      memoryOf(running.child.pid ?? 0).some((part) => part.includes(Buffer.from(seed, 'base64')));
    expect(holds(license)).toBe(true);
    const ids = [keyFingerprintText(new SigningKey(license).publicKey)];
    expect(destroyKeys({ ...files.config, keystore: file }, { ids, keepsPublic: true })).toBe(true);
    running.child.kill('SIGHUP');
    await vi.waitFor(() => expect(running.output.stderr).toContain('"reloaded"'), { timeout: 10_000 });
    expect([holds(license), holds(other)]).toEqual([false, true]);
  });
});
