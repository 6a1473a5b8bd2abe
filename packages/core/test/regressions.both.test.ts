import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import {
  concatBytes,
  decodeHex,
  encodeEnvelope,
  hex,
  isSignedBy,
  makeVerifierKey,
  type NamespaceDocument,
  namespaceStepProblem,
  nodeHash,
  noteSignatureType,
  parseBrake,
  parseEnvelope,
  parseTilePath,
  payloadTypes,
  sha256,
  utf8,
  verifyConsistency,
} from '../src/index.ts';

const { Point } = ed25519;
const order = Point.Fn.ORDER;
const littleEndian = (value: bigint): Uint8Array => decodeHex(value.toString(16).padStart(64, '0')).reverse();
const scalar = (bytes: Uint8Array): bigint => BigInt(`0x${hex(bytes.slice().reverse())}`) % order;

/**
 * R is a point of small order. The text of the Web Cryptography API and Node 24 refuse such
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

describe('numbers above 2^53', () => {
  it('are no tile index', () => {
    expect(() => parseTilePath('tile/0/x100/x000/x000/x000/x000/000')).toThrow();
  });

  it('are far away where a consistency proof is checked: 2^49 + 1 is not a power of two', () => {
    const [left, a, b] = ['left', 'a', 'b'].map((text) => sha256(utf8(text))) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const oldRoot = nodeHash(left, a);
    const newRoot = nodeHash(left, nodeHash(a, b));
    expect(() => verifyConsistency(2 ** 49 + 1, oldRoot, 2 ** 49 + 2, newRoot, [a, b, left])).not.toThrow();
  });
});

describe('a namespace', () => {
  const key = { id: 'k', alg: 'ed25519', from: 0, until: null, limits: null };
  const at = (members: object): NamespaceDocument =>
    ({
      epoch: 0,
      minEpoch: 0,
      lock: 'frozen',
      keys: [{ ...key, usages: ['customer'] }],
      ...members,
    }) as unknown as NamespaceDocument;

  it('loosens its lock only with a higher epoch', () => {
    expect(namespaceStepProblem(at({}), at({ lock: 'open' }), 10)).not.toBeNull();
    expect(namespaceStepProblem(at({}), at({ lock: 'open', epoch: 1 }), 10)).toBeNull();
  });

  it('does not give a key more usages than it had: that would reach back to its first index', () => {
    const wider = at({ keys: [{ ...key, usages: ['customer', 'license'] }] });
    expect(namespaceStepProblem(at({}), wider, 10)).not.toBeNull();
  });
});

describe('the JSON profile', () => {
  it('allows a line feed in a quorum, the anchor entry and a proof, not in what a document calls so', () => {
    const document = {
      v: 1,
      type: 'brake',
      ns: 'a',
      id: 'brake',
      rev: 0,
      crit: [],
      epoch: 0,
      lock: 'open',
      minEpoch: 0,
    };
    const text = JSON.stringify({ ...document, until: [], metadata: { proof: 'two\nlines' } });
    expect(() => parseBrake(utf8(text))).toThrow();
  });
});

describe('an envelope', () => {
  it('of a later version of its type asks for an update', () => {
    const payloadType = 'application/vnd.tallystick.record.v2+json';
    const bytes = encodeEnvelope({ payload: utf8('{}'), payloadType, signatures: [] });
    expect(() => parseEnvelope(bytes, payloadTypes.record)).toThrow(
      expect.objectContaining({ code: 'TOO_NEW' }),
    );
  });
});

describe('a verifier key', () => {
  it('has a name of at most 255 bytes, which is what a cosignature can commit to', () => {
    const make = () => makeVerifierKey('\u00e9'.repeat(200), noteSignatureType.ed25519, sha256(utf8('key')));
    expect(make).toThrow();
  });
});
