import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkCosignature,
  decodeHex,
  emptyRoot,
  formatCheckpoint,
  formatNote,
  parseSignedCheckpoint,
  utf8,
} from '@tallystick/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, createKeys, keyFromSeed, loadKeys } from '../src/index.ts';

const seed = decodeHex('31ffc2116ecbe003acaa800ab70757bd7d53206e3febef6a6d0796d95530b34f');

describe('a cosigner key', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has the verifier key of the published vector', () => {
    expect(keyFromSeed('example.com/witness', seed).vkeyText).toBe(
      'example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5Q',
    );
  });

  it.each(['ed25519', 'ml-dsa-44'] as const)('makes %s cosignatures that verify', async (type) => {
    const key = keyFromSeed('example.com/witness', seed, type);
    const checkpoint = { origin: 'log.example/a', size: 0, root: emptyRoot };
    const line = key.cosign(checkpoint, 1_700_000_000);
    const note = `${formatNote({ text: formatCheckpoint(checkpoint), signatures: [] })}${line}`;
    const signed = parseSignedCheckpoint(utf8(note));
    expect(await checkCosignature(signed, key.vkey)).toEqual({ is: 'valid', seconds: 1_700_000_000 });
  });

  it.each([0, -1, 1.5, Number.NaN])('does not cosign at the time %s', (seconds) => {
    const checkpoint = { origin: 'log.example/a', size: 0, root: emptyRoot };
    expect(() => keyFromSeed('w', seed).cosign(checkpoint, seconds)).toThrow(RangeError);
  });

  it.each(['ed25519', 'ml-dsa-44'] as const)('of type %s is the same when it is loaded again', (type) => {
    const path = join(folder, 'key');
    const [made] = createKeys(path, 'example.com/witness', [type]);
    expect(loadKeys(path).map(({ vkeyText }) => vkeyText)).toEqual([made.vkeyText]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toMatch(
      new RegExp(`^tallystick-cosigner-key v1 example.com/witness ${type} [A-Za-z0-9+/]{43}=\n$`),
    );
  });

  it('is made of both algorithms, in one file', () => {
    const path = join(folder, 'key');
    const made = createKeys(path, 'example.com/witness').map(({ vkeyText }) => vkeyText);
    expect(loadKeys(path).map(({ vkeyText }) => vkeyText)).toEqual(made);
    expect(loadKeys(path).map(({ vkey }) => vkey.alg)).toEqual(['ed25519', 'ml-dsa-44']);
  });

  it.each([
    ['of another cosigner', (line: string) => line.replace(' a ', ' b ').replace('ed25519', 'ml-dsa-44')],
    ['of the same algorithm', (line: string) => line],
    ['that is empty', () => '\n'],
  ])('is refused beside one %s', (_what, other) => {
    const path = join(folder, 'key');
    const line = `tallystick-cosigner-key v1 a ed25519 ${'A'.repeat(43)}=\n`;
    writeFileSync(path, line + other(line), { mode: 0o600 });
    expect(() => loadKeys(path)).toThrow(ConfigError);
  });

  it('is never written over', () => {
    const path = join(folder, 'key');
    createKeys(path, 'a');
    expect(() => createKeys(path, 'b')).toThrow(ConfigError);
    expect(loadKeys(path)[0].name).toBe('a');
  });

  it.each([0o640, 0o604, 0o620, 0o601])('is refused in a file of mode %o', (mode) => {
    const path = join(folder, 'key');
    createKeys(path, 'a');
    chmodSync(path, mode);
    expect(() => loadKeys(path)).toThrow(/mode/);
  });

  it.each([
    '',
    'tallystick-cosigner-key v1 a ed25519 AAAA\n',
    `tallystick-cosigner-key v2 a ed25519 ${'A'.repeat(43)}=\n`,
    `tallystick-cosigner-key v1 a rsa ${'A'.repeat(43)}=\n`,
    `tallystick-cosigner-key v1 a ed25519 ${'A'.repeat(43)}= more\n`,
    `tallystick-cosigner-key v1 a ed25519 ${'A'.repeat(43)}=`,
    `tallystick-cosigner-key v1 a ed25519 ${'A'.repeat(42)}B=\n`,
  ])('is refused in a malformed file: %j', (text) => {
    const path = join(folder, 'key');
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadKeys(path)).toThrow(ConfigError);
  });
});
