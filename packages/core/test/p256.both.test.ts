import { describe, expect, it } from 'vitest';
import { checkPublicKey, isSignedBy, type PublicKey, utf8 } from '../src/index.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const message = new Uint8Array(utf8('message'));

async function signed(): Promise<{ key: PublicKey; signature: Uint8Array }> {
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const key = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, message));
  return { key: { alg: 'ecdsa-p256-sha256', key }, signature };
}

describe('a P-256 signature by Web Cryptography', () => {
  it('verifies, and no longer with any byte of it changed', async () => {
    const { key, signature } = await signed();
    checkPublicKey(key.alg, key.key);
    expect(await isSignedBy(key, message, signature)).toBe(true);
    for (let at = 0; at < signature.length; at++) {
      const changed = signature.slice();
      changed[at] = (changed[at] as number) ^ 1;
      expect(await isSignedBy(key, message, changed), `byte ${at}`).toBe(false);
    }
  });

  it('fails without throwing for r or s of 0, wrong lengths, and a key off the curve', async () => {
    const { key, signature } = await signed();
    const zeros = new Uint8Array(64);
    const noR = signature.slice().fill(0, 0, 32);
    const noS = signature.slice().fill(0, 32);
    for (const bad of [zeros, noR, noS, signature.slice(1), new Uint8Array(64).fill(255)]) {
      expect(await isSignedBy(key, message, bad)).toBe(false);
    }
    const off = key.key.slice();
    off[64] = (off[64] as number) ^ 1;
    expect(await isSignedBy({ ...key, key: off }, message, signature)).toBe(false);
  });

  it('needs an uncompressed point', () => {
    const compressed = new Uint8Array(65).fill(1);
    expect(() => checkPublicKey('ecdsa-p256-sha256', compressed)).toThrow(/uncompressed/);
    expect(() => checkPublicKey('ecdsa-p256-sha256', new Uint8Array(33))).toThrow(/33 bytes/);
  });
});
