import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { checkPublicKey, concatBytes, decodeHex, hex, isSignedBy, sha256, utf8 } from '../src/index.ts';
import { verifyEd25519Strictly, verifySignature as verifyWithWebCrypto } from '../src/platform/browser.ts';

/**
 * The edge cases of Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs" (SSR 2020, eprint
 * 2020/1244), as published in novifinancial/ed25519-speccheck: message, key, signature. Number 2 is
 * below, with the other nonces of small order.
 */
const small = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa';
const mixedKey = 'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43';
const mixedKey2 = 'cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d';
const goodKey = '442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623';
const loose = `ec${'ff'.repeat(31)}`;
const speccheck: [string, 'valid' | 'invalid' | 'key refused', string, string, string][] = [
  [
    '0: S = 0, small A, small R',
    'key refused',
    '8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6',
    small,
    `c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a${'00'.repeat(32)}`,
  ],
  [
    '1: small A, mixed R',
    'key refused',
    '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
    small,
    'f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04',
  ],
  [
    '3: mixed A, mixed R',
    'valid',
    '9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79',
    mixedKey2,
    '9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009',
  ],
  [
    '4: cofactored only',
    'invalid',
    'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
    mixedKey2,
    '160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09',
  ],
  [
    '5: cofactored only, k not reduced before',
    'invalid',
    'e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c',
    mixedKey2,
    '21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405',
  ],
  [
    '6: S above L',
    'invalid',
    '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
    goodKey,
    'e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514',
  ],
  [
    '7: S far above L',
    'invalid',
    '85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40',
    goodKey,
    '8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22',
  ],
  [
    '8: R not canonical, reduced for the hash',
    'invalid',
    '9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41',
    mixedKey,
    `${loose}03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f`,
  ],
  [
    '9: R not canonical',
    'invalid',
    '9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41',
    mixedKey,
    `${loose}ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908`,
  ],
  [
    '10: A not canonical, reduced for the hash',
    'key refused',
    'e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b',
    loose,
    'a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04',
  ],
  [
    '11: A not canonical',
    'key refused',
    '39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f',
    loose,
    'a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04',
  ],
];

interface Verdicts {
  platform: boolean;
  webCrypto: boolean;
  strict: boolean;
}

async function verdicts(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<Verdicts> {
  return {
    platform: await isSignedBy({ alg: 'ed25519', key }, message, signature),
    webCrypto: await verifyWithWebCrypto('ed25519', key, message, signature),
    strict: verifyEd25519Strictly(key, message, signature),
  };
}

const all = (verdict: boolean): Verdicts => ({ platform: verdict, webCrypto: verdict, strict: verdict });

describe('the published edge cases', () => {
  it.each(speccheck)('%s: %s', async (_, expected, message, key, signature) => {
    const publicKey = decodeHex(key);
    const check = (): void => checkPublicKey('ed25519', publicKey);
    if (expected === 'key refused') expect(check).toThrow(/small order|canonical/);
    else {
      check();
      const found = await verdicts(publicKey, decodeHex(message), decodeHex(signature));
      expect(found).toEqual(all(expected === 'valid'));
    }
  });
});

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const torsion = Point.fromHex(small);

function scalar(bytes: Uint8Array): bigint {
  return BigInt(`0x${hex(bytes.slice().reverse())}`) % order;
}

function littleEndian(value: bigint): Uint8Array {
  return decodeHex(value.toString(16).padStart(64, '0')).reverse();
}

const times = (factor: number): typeof torsion =>
  factor % 8 === 0 ? Point.ZERO : torsion.multiplyUnsafe(BigInt(factor % 8));

interface Forged {
  key: Uint8Array;
  signature: Uint8Array;
  /** Whether the equation holds without multiplying by the cofactor. */
  holds: boolean;
}

/** A signature by a key and a nonce to which small-order points were added. */
function forge(message: Uint8Array, keyTorsion: number, nonceTorsion: number): Forged {
  const a = scalar(sha256(utf8('secret')));
  const r = scalar(sha256(concatBytes(utf8('nonce'), message)));
  const key = Point.BASE.multiply(a).add(times(keyTorsion)).toBytes();
  const nonce = Point.BASE.multiply(r).add(times(nonceTorsion)).toBytes();
  const k = scalar(sha512(concatBytes(nonce, key, message)));
  const signature = concatBytes(nonce, littleEndian((r + k * a) % order));
  return { key, signature, holds: (BigInt(nonceTorsion) + k * BigInt(keyTorsion)) % 8n === 0n };
}

describe('keys and nonces with a part of small order', () => {
  it('verify exactly where the equation holds without the cofactor, the same everywhere', async () => {
    const seen = { holds: 0, fails: 0 };
    for (let keyTorsion = 0; keyTorsion < 8; keyTorsion++) {
      for (let nonceTorsion = 0; nonceTorsion < 8; nonceTorsion++) {
        for (const text of ['a', 'b', 'c']) {
          const message = utf8(`message ${text}`);
          const { key, signature, holds } = forge(message, keyTorsion, nonceTorsion);
          checkPublicKey('ed25519', key);
          expect(await verdicts(key, message, signature), `${keyTorsion} ${nonceTorsion} ${text}`).toEqual(
            all(holds),
          );
          seen[holds ? 'holds' : 'fails'] += 1;
        }
      }
    }
    expect(seen.holds).toBeGreaterThan(10);
    expect(seen.fails).toBeGreaterThan(50);
  });
});

describe('an honest signature', () => {
  const message = utf8('message');
  const { key, signature } = forge(message, 0, 0);

  it('verifies everywhere', async () => {
    expect(await verdicts(key, message, signature)).toEqual(all(true));
  });

  it.each([1n, 2n, 7n, 15n])('fails with S + %i L', async (factor) => {
    const s = scalarOf(signature.subarray(32)) + factor * order;
    const changed = concatBytes(signature.subarray(0, 32), littleEndian(s));
    expect(await verdicts(key, message, changed)).toEqual(all(false));
  });

  it('fails with any byte of it changed', async () => {
    for (let at = 0; at < 64; at++) {
      const changed = signature.slice();
      changed[at] = (changed[at] as number) ^ (at % 2 === 0 ? 1 : 0x80);
      expect(await verdicts(key, message, changed), `byte ${at}`).toEqual(all(false));
    }
  });

  it('fails without throwing for a key that is no point, and for wrong lengths', async () => {
    const noPoint = new Uint8Array(32).fill(2);
    const cases: [Uint8Array, Uint8Array][] = [
      [noPoint, signature],
      [key.slice(1), signature],
      [key, signature.slice(1)],
      [key, new Uint8Array(0)],
      [key, new Uint8Array(65)],
    ];
    for (const [badKey, badSignature] of cases) {
      expect(await isSignedBy({ alg: 'ed25519', key: badKey }, message, badSignature)).toBe(false);
      expect(await verifyWithWebCrypto('ed25519', badKey, message, badSignature)).toBe(false);
    }
  });
});

const scalarOf = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.slice().reverse())}`);
