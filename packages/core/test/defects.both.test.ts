import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { concatBytes, decodeHex, hex, isSignedBy, sha256, utf8 } from '../src/index.ts';

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const littleEndian = (value: bigint): Uint8Array => decodeHex(value.toString(16).padStart(64, '0')).reverse();
const scalar = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.slice().reverse())}`) % order;

/**
 * The nonce is public here: R is a point of small order. The Web Cryptography API's text and OpenSSL refuse such
 * a signature, BoringSSL (Chromium) and the fallback take it, so the owner of a key can make
 * bytes that are signed for one client and not for another. `isSignedBy` should refuse them before it
 * asks the platform: R (sign bit cleared) in the list of small-order points.
 */
describe('Ed25519 signatures whose R is of small order are refused on every platform', () => {
  it('edge case 2 of "Taming the many EdDSAs"', async () => {
    const small = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa';
    const key = decodeHex('f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43');
    const message = decodeHex('aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab');
    const signature = decodeHex(`${small}8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e`);
    expect(await isSignedBy({ alg: 'ed25519', key }, message, signature)).toBe(false);
  });

  it('an ordinary key with the neutral element as R', async () => {
    const message = utf8('message');
    const a = scalar(sha256(utf8('secret')));
    const key = Point.BASE.multiply(a).toBytes();
    const nonce = Point.ZERO.toBytes();
    const k = scalar(sha512(concatBytes(nonce, key, message)));
    const signature = concatBytes(nonce, littleEndian((k * a) % order));
    expect(await isSignedBy({ alg: 'ed25519', key }, message, signature)).toBe(false);
  });
});
