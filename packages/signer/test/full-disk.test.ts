/** Keystores on a disk that becomes full while they are written: they hold what they held. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runShortOfDisk } from '@tallystick/testkit';
import { describe, expect, it } from 'vitest';
import { makePassphrase } from '../src/keystore/key-derivation.ts';
import { createSealedKeystore, openSealedKeystore } from '../src/keystore/sealed-file.ts';
import { generateKeySpec } from '../src/keystore/signing-key.ts';
import { scratchDirectory } from './support/scratch.ts';

const sources = join(import.meta.dirname, '..', 'src', 'keystore');
const addKeys = `
  const [file, passphrase] = process.argv.slice(1);
  const { addToSealedKeystore } = await import('${join(sources, 'sealed-file.ts')}');
  const { generateKeySpec } = await import('${join(sources, 'signing-key.ts')}');
  addToSealedKeystore(file, passphrase, Array.from({ length: 40 }, () => generateKeySpec(['license'], 'acme')));
`;

describe('a keystore on a disk that is full before all of it is written', () => {
  it('keeps the keys that it held, and says that it takes no more', () => {
    const file = join(scratchDirectory(), 'online.sealed');
    const passphrase = makePassphrase();
    createSealedKeystore(file, passphrase, [generateKeySpec(['log'], null)]);
    const before = readFileSync(file, 'utf8');
    expect(runShortOfDisk(8, addKeys, file, passphrase)).toMatch(/EFBIG|ENOSPC/);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(openSealedKeystore(file, passphrase)).toHaveLength(1);
  });
});
